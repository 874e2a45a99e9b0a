"""Finds the few instants of a long history at which a rule changes its state, by arrays instead of one by one.

Arrays compute in floats. Where a float is too close to a threshold to tell, `judgement` is asked, whose arithmetic is
exact, so that both come to the same decisions.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from slo import periods
from slo.columns import Flags, Times, Windows, microseconds, times
from slo.confidence import may_reach
from slo.definition import BudgetAlert, Definition, NoDataAlert
from slo.history import History
from slo.judgement import Rule, judge, look
from slo.spending import CLEARS_BELOW
from slo.states import AlertState, Reading
from slo.tiers import Tier

type Positions = NDArray[np.intp]
# A position, and the state that the rule has just before it.
type Met = tuple[int, AlertState]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Where a rule may change its state: none is left out, few are in vain."""

    rises: Positions
    # Where a rule in this state, firing since before this position, resolves.
    resolution: Callable[[int, AlertState], Met | None]


# Relative to a threshold; the floats of one comparison differ by far less.
_CLOSE = 1e-9


def instants(history: History, start: datetime, end: datetime, step: timedelta | None = None) -> list[datetime]:
    """The ends of the slices after `start` until `end`; or every `step` between the two."""
    if step is not None:
        return [start + n * step for n in range(1, (end - start) // step + 1)]
    return [mark.at for mark in history.marks if start < mark.at <= end and mark.at != history.begins]


class Screen:
    """The rules of `definition`, shown `history` at each of `at`."""

    def __init__(self, definition: Definition, history: History, at: Sequence[datetime]) -> None:
        self._definition, self._history, self._at = definition, history, at
        self._times = times(at)
        self._columns = history.columns
        self._maintenance = self._columns.in_maintenance(self._times)

    def changes(self, rule: Rule) -> Iterator[tuple[AlertState, datetime]]:
        """Each instant at which the rule changes its state, in order, and the state that it had until then."""
        candidates, state, position = self._candidates(rule), AlertState(), -1
        while True:
            firing = state.state == "firing"
            found = candidates.resolution(position, state) if firing else self._rise(rule, candidates, position, state)
            if found is None:
                return
            position, state = found
            yield state, self._at[position]
            state = self._judge(rule, state, position)

    def _candidates(self, rule: Rule) -> Candidates:
        match rule:
            case Tier():
                return self._tier(rule)
            case BudgetAlert():
                return self._budget(rule)
            case NoDataAlert():
                return self._no_data(rule)

    def _tier(self, tier: Tier) -> Candidates:
        policy = self._definition.policy
        long, short = self._window(tier.long), self._window(tier.short)
        unknown = self._maintenance | (short.coverage < policy.min_coverage) | (long.measured == 0)
        limit = float((1 - self._definition.target) * tier.factor(self._definition.window.length))
        long_burns, long_close = self._burns(long, limit)
        short_burns, short_close = self._burns(short, limit)
        self._settle(tier, short_burns, np.flatnonzero(short_close & ~unknown))
        enough = long.bad >= policy.min_bad - self._columns.noise
        rises = np.flatnonzero(~unknown & (long_burns | long_close) & short_burns & enough)
        calm = ~unknown & ~short_burns
        return Candidates(self._certain(rises, long, limit), self._after_calm(tier, calm))

    def _budget(self, rule: BudgetAlert) -> Candidates:
        policy = self._definition.policy
        starts, whole = self._periods()
        found = self._columns.between(starts, self._times)
        known = ~self._maintenance & (found.measured > 0) & (found.coverage >= policy.min_coverage)
        ahead = np.where(found.span > 0, (whole - found.excluded) / np.maximum(found.span, 1), 1.0)
        allowed = found.total * float(1 - self._definition.target) * ahead
        slack = _CLOSE * allowed + self._columns.noise
        enough = found.bad >= policy.min_bad - self._columns.noise
        rises = known & enough & (found.bad >= allowed * float(rule.spent) - slack)
        falls = known & (found.bad <= allowed * float(rule.spent - CLEARS_BELOW) + slack)
        return Candidates(np.flatnonzero(rises), self._at_once(rule, np.flatnonzero(falls)))

    def _no_data(self, rule: NoDataAlert) -> Candidates:
        found = self._window(rule.after)
        rises = ~self._maintenance & (found.measured == 0) & (found.excluded == 0)
        falls = ~self._maintenance & (found.measured > 0)
        return Candidates(np.flatnonzero(rises), self._at_once(rule, np.flatnonzero(falls)))

    # -- Moves
    def _rise(self, rule: Rule, candidates: Candidates, after: int, state: AlertState) -> Met | None:
        first = np.searchsorted(candidates.rises, after, side="right")
        for position in map(int, candidates.rises[first:]):
            if self._judge(rule, state, position).state == "firing":
                return position, state
        return None

    def _at_once(self, rule: Rule, falls: Positions) -> Callable[[int, AlertState], Met | None]:
        def resolution(after: int, state: AlertState) -> Met | None:
            later = map(int, falls[np.searchsorted(falls, after, side="right") :])
            return next(((one, state) for one in later if self._judge(rule, state, one).state == "resolved"), None)

        return resolution

    def _after_calm(self, tier: Tier, calm: Flags) -> Callable[[int, AlertState], Met | None]:
        """Resolves where it has been calm without a break for the policy's hold."""
        quiet, broken = np.flatnonzero(calm), np.flatnonzero(~calm)
        hold = microseconds(self._definition.policy.hold_for(tier))

        def resolution(after: int, state: AlertState) -> Met | None:
            while len(later := quiet[np.searchsorted(quiet, after, side="right") :][:1]):
                begun = int(later[0])
                following = broken[np.searchsorted(broken, begun) :][:1]
                until = int(following[0]) if len(following) else len(calm)
                over = int(np.searchsorted(self._times, self._times[begun] + hold))
                if over < until:
                    return over, replace(state, calm_since=self._at[begun] if over > begun else None)
                after = until
            return None

        return resolution

    def _certain(self, rises: Positions, long: Windows, limit: float) -> Positions:
        """Those of `rises` whose long window the policy's confidence may let fire."""
        confidence = self._definition.policy.confidence
        if confidence is None or self._columns.noise or not 0 < limit < 1:
            return rises
        return rises[may_reach(long.bad[rises], long.total[rises], limit * (1 - _CLOSE), confidence)]

    # -- Windows
    def _window(self, length: timedelta) -> Windows:
        return self._columns.between(self._beginning(length), self._times)

    def _beginning(self, length: timedelta) -> Times:
        start = self._times - microseconds(length)
        return start - start % microseconds(periods.HOUR) if length > periods.FINE else start

    def _periods(self) -> tuple[Times, Times]:
        """Where the objective's window begins for each instant, and how long all of it is."""
        window = self._definition.window
        if not window.calendar:
            start = self._beginning(window.length)
            return start, self._times - start
        starts, lengths = np.zeros_like(self._times), np.zeros_like(self._times)
        position = 0
        while position < len(self._at):
            first, last = periods.period(window.calendar, window.zone, self._at[position])
            after = int(np.searchsorted(self._times, times([last])[0], side="right"))
            starts[position:after], lengths[position:after] = times([first])[0], microseconds(last - first)
            position = after
        return starts, lengths

    def _burns(self, window: Windows, limit: float) -> tuple[Flags, Flags]:
        """Whether each window's error ratio is above `limit`, and whether it is too close to it to tell by floats."""
        allowed = window.total * limit
        slack = _CLOSE * allowed + self._columns.noise
        some = (window.measured > 0) & (window.total > 0)
        return some & (window.bad > allowed), some & (np.abs(window.bad - allowed) <= slack)

    # -- What has to be exact
    def _settle(self, tier: Tier, burns: Flags, unsure: Positions) -> None:
        for position in unsure:
            reading = look(self._definition, self._history, tier, self._at[position])
            burns[position] = isinstance(reading, Reading) and reading.short_burns

    def _judge(self, rule: Rule, state: AlertState, position: int) -> AlertState:
        return judge(self._definition, self._history, rule, state, self._at[position]).state
