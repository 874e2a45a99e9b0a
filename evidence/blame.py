"""Divides added time among services, so that as few of them as possible explain as much as possible.

Time that a service spent itself is its own. Time on the way between two services may be either's: a slow network or a
starved process shows on all ways to and from it. So a service is blamed for a way only as far as its other ways agree.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# What a way may be charged to its caller compared with its callee: where both fit, the callee is to blame.
CALLER_SHARE = 0.9
# What slow ways count that others to the same service contradict: some of its operations may be slow to answer.
CONTRADICTED_SHARE = 0.8
# Shares of the added time below this are not worth another culprit.
LEAST_SHARE = 0.001


@dataclass(slots=True)
class Added:
    """Time added by one account: `each` (ms) so many times (`often`) in a bad request. 0 for one that did not grow."""

    caller: int
    callee: int
    each: float
    often: float
    key: int

    @property
    def total(self) -> float:
        return self.each * self.often


@dataclass(frozen=True, slots=True)
class Culprit:
    """A service and the time (ms per bad request) that it explains, with the keys of the accounts it shows in."""

    service: int
    gain: float
    keys: tuple[int, ...]


def culprits(accounts: Sequence[Added]) -> list[Culprit]:
    """The services that explain the added time, the one that explains most first; greedy."""
    left = [Added(one.caller, one.callee, max(one.each, 0.0), one.often, one.key) for one in accounts]
    touching: dict[int, list[Added]] = {}
    for one in left:
        for service in {one.caller, one.callee}:
            touching.setdefault(service, []).append(one)
    total = sum(one.total for one in left)
    found: list[Culprit] = []
    while touching:
        gains = {service: _gain(service, near) for service, near in touching.items()}
        best = max(gains, key=lambda service: (gains[service][0], -service))
        gain, ways, level = gains[best]
        if gain <= LEAST_SHARE * total:
            break
        own = [one for one in touching.pop(best) if one.caller == one.callee]
        shown = sorted((one for one in (*own, *ways) if one.total > 0), key=lambda one: -one.total)
        found.append(Culprit(best, gain, tuple(one.key for one in shown)))
        for one in own:
            one.each = 0.0
        for one in ways:
            one.each = max(one.each - level, 0.0)
    return found


def _gain(service: int, near: Sequence[Added]) -> tuple[float, Sequence[Added], float]:
    """What blaming this service explains, which ways it slows for that, and by how much (ms) each.

    It may be slow to reach, slow to reach others (more than one, or it is rather they), or both.
    """
    itself = sum(one.total for one in near if one.caller == one.callee)
    reached = [one for one in near if one.caller != one.callee == service]
    reaching = [one for one in near if one.caller == service != one.callee]
    choices: list[Sequence[Added]] = [reached]
    if len({one.callee for one in reaching}) > 1:
        choices.append(reaching)
    if reaching:
        choices.append([*reached, *reaching])
    found = [(*_level(service, ways), ways) for ways in choices]
    slow = [one for one in reached if one.each > 0]
    found.append((CONTRADICTED_SHARE * sum(one.total for one in slow), math.inf, slow))
    gain, level, ways = max(found, key=lambda choice: choice[0])
    return itself + max(gain, 0.0), ways, level


def _level(service: int, ways: Sequence[Added]) -> tuple[float, float]:
    """What is explained at best, and at which level: a weighted median, as explaining too much counts against it."""
    levels = {one.each for one in ways if one.each > 0}
    gains = ((sum(_explained(one, level, service) for one in ways), level) for level in levels)
    return max(gains, default=(0.0, 0.0))


def _explained(one: Added, level: float, service: int) -> float:
    explained = min(one.each, level) - max(level - one.each, 0.0)
    share = CALLER_SHARE if one.caller == service and explained > 0 else 1.0
    return one.often * explained * share
