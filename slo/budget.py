"""The error budget: what a target allows, how much of it is spent, and how fast it burns."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from slo.confidence import lower_bound
from slo.windows import Totals

NOW = timedelta(0)
# Of each side of the range of times until nothing is left: nine in ten lie between both.
SURE = 0.95


def burn(totals: Totals, target: Decimal) -> float | None:
    """How many times faster than allowed the budget burns; 1 spends it exactly. `None`: not measured."""
    if not totals.measured:
        return None
    if not totals.total:
        return 0.0
    return float(Decimal(totals.bad) / (Decimal(totals.total) * (1 - target)))


def burns_faster(totals: Totals, target: Decimal, factor: Decimal) -> bool:
    """Whether the burn rate is above `factor`; unlike comparing floats, exact at the boundary."""
    return bool(totals.measured) and Decimal(totals.bad) > Decimal(totals.total) * (1 - target) * factor


@dataclass(frozen=True, slots=True)
class Budget:
    """The error budget of an objective with `target` over one whole `window`, whose `totals` these are.

    `expected` is how many events the whole window will have, where that is known ahead: a calendar period has so
    many time slices. Otherwise those that were counted so far say what is allowed.
    """

    totals: Totals
    target: Decimal
    window: timedelta
    expected: float | None = None

    @property
    def allowed(self) -> float:
        """How many bad events the events of this window allow; a fraction when there are few."""
        return float(self._events * (1 - self.target))

    @property
    def spent(self) -> float:
        """How many bad events there were."""
        return self.totals.bad

    @property
    def left(self) -> float | None:
        """The share of the budget that is left: 1 is all, below 0 is overspent. `None`: not measured."""
        if not self.totals.measured:
            return None
        allowed = self._events * (1 - self.target)
        return float(1 - Decimal(self.totals.bad) / allowed) if allowed else 1.0

    @property
    def _events(self) -> Decimal:
        return Decimal(max(self.totals.total, self.expected or 0.0))

    def exhausted_in(self, rate: float | None) -> timedelta | None:
        """When nothing is left if it burns on at `rate`; zero when nothing is left now, `None` for never or unknown.

        Counts nothing back for bad events that will leave the rolling window meanwhile.
        """
        if self.left is None:
            return None
        if self.left <= 0:
            return NOW
        return _lasts(self.window * self.left, rate)


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """How long until nothing is left of a budget, at the rate at which it burns now; `None` is never.

    Few events say little about a rate: with nine chances in ten the rate is such that it is between `earliest` and
    `latest`.
    """

    earliest: timedelta | None
    likely: timedelta | None
    latest: timedelta | None


def exhaustion(budget: Budget, recent: Totals) -> Exhaustion | None:
    """When `budget` is spent if it goes on as in `recent`, the last hours; `None` where either was not measured.

    The range is that of the error ratio that the counts allow: the exact binomial interval of Clopper and Pearson.
    As in `Budget.exhausted_in`, nothing is counted back for bad events that leave the window meanwhile.
    """
    left, rate = budget.left, burn(recent, budget.target)
    if left is None or rate is None:
        return None
    if left <= 0:
        return Exhaustion(NOW, NOW, NOW)
    lasts, allowed = budget.window * left, float(1 - budget.target)
    highest, lowest = _highest_ratio(recent), lower_bound(recent.bad, recent.total, SURE)
    return Exhaustion(_lasts(lasts, highest / allowed), _lasts(lasts, rate), _lasts(lasts, lowest / allowed))


def _highest_ratio(totals: Totals) -> float:
    """The highest error ratio that the counts still allow. Without events they allow any, and none was bad."""
    return 1 - lower_bound(totals.total - totals.bad, totals.total, SURE) if totals.total else 0.0


def _lasts(length: timedelta, rate: float | None) -> timedelta | None:
    """How long a budget of `length` at a burn rate of 1 lasts at `rate`; `None` for longer than anybody plans."""
    if not rate or length / timedelta.max > rate:
        return None
    return length / rate
