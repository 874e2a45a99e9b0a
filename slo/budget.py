"""The error budget: what a target allows, how much of it is spent, and how fast it burns."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from slo.windows import Totals


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
    """The error budget of an objective with `target` over one whole `window`, whose `totals` these are."""

    totals: Totals
    target: Decimal
    window: timedelta

    @property
    def allowed(self) -> float:
        """How many bad events the events of this window allow; a fraction when there are few."""
        return float(Decimal(self.totals.total) * (1 - self.target))

    @property
    def spent(self) -> float:
        """How many bad events there were."""
        return self.totals.bad

    @property
    def left(self) -> float | None:
        """The share of the budget that is left: 1 is all, below 0 is overspent. `None`: not measured."""
        spent = burn(self.totals, self.target)
        return None if spent is None else float(1 - Decimal(str(spent)))

    def exhausted_in(self, rate: float | None) -> timedelta | None:
        """When nothing is left if it burns on at `rate`; zero when nothing is left now, `None` for never or unknown.

        Counts nothing back for bad events that will leave the rolling window meanwhile.
        """
        if self.left is None:
            return None
        if self.left <= 0:
            return timedelta(0)
        return self.window * self.left / rate if rate else None
