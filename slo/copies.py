"""How copies of one counter count together: each event once, however many servers saw it."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from slo.replicas import SLACK

# Milliseconds. A copy that still shows an old life so long after a new one began is in the new one by now.
SLOW = 60_000
_SLACK = round(SLACK * 1000)


class Step(NamedTuple):
    """One sample of one copy. Instants are milliseconds.

    `anew`: it counts from zero, since its counter began after the instant `since`. `absent`: its server saw at `since`
    that the counter was not there, rather than in its life before. `first`: there is no sample before.
    """

    at: int
    copy: int
    value: float
    first: bool
    anew: bool
    since: int
    absent: bool


def merged(steps: Iterable[Step]) -> Iterator[tuple[int, float]]:
    """When and how much copies counted together. Steps are in order.

    The copy that is ahead counts, and one that lags behind adds nothing. A life is what a counter counts between two
    restarts. What one copy says of a restart may be news, or what another has seen before.
    """
    life: _Life | None = None
    for step in steps:
        if life is None:
            life = _Life(step)
            yield step.at, step.value if step.anew else 0.0
            continue
        life.settle(step.at)
        if life.ended_before(step):
            life.begin(step)
        elif not life.takes(step):
            continue
        if added := life.risen(step):
            yield step.at, added


class _Life:
    """The newest life that any copy knows of, and which copies are in it."""

    def __init__(self, step: Step) -> None:
        self._level, self._settled = step.value, 0.0
        self._rises = deque([(step.at, step.value)])
        self._begun = step.at
        # Of the copies in this life: since when each saw it without a break, and when last.
        self._since, self._last = {step.copy: step.at}, {step.copy: step.at}
        self._known = {step.copy}

    def settle(self, at: int) -> None:
        """What was reached a scrape's length ago, nobody may fall short of."""
        while self._rises and self._rises[0][0] <= at - _SLACK:
            self._settled = self._rises.popleft()[1]

    def ended_before(self, step: Step) -> bool:
        """Whether the step belongs to a newer life."""
        fell = step.value < self._settled
        if step.first and not step.anew:
            return fell and step.copy not in self._known
        return step.anew and (fell or not self._seen_since(step))

    def _seen_since(self, step: Step) -> bool:
        """Whether another copy may have seen the beginning that the step tells of."""
        if step.absent:
            return any(at > step.since for copy, at in self._last.items() if copy != step.copy)
        if step.copy in self._known and step.copy not in self._last:
            # Its last sample was of an older life.
            return True
        return any(at > step.since for copy, at in self._since.items() if copy != step.copy)

    def begin(self, step: Step) -> None:
        self._level, self._settled, self._begun = 0.0, 0.0, step.at
        self._rises.clear()
        self._since.clear()
        self._last.clear()

    def takes(self, step: Step) -> bool:
        """Whether the step belongs to this life, rather than to one that was over before."""
        in_time = step.at - self._begun > SLOW
        return step.anew or step.copy in self._last or step.copy not in self._known or in_time

    def risen(self, step: Step) -> float:
        """What a step of this life adds."""
        self._known.add(step.copy)
        if step.anew or step.copy not in self._since:
            self._since[step.copy] = step.at
        self._last[step.copy] = step.at
        added = max(0.0, step.value - self._level)
        if added:
            self._level = step.value
            self._rises.append((step.at, step.value))
        return added
