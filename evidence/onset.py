"""Since when? The instant from which on requests fail more often, found in counts rather than in when it fired."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

# A step has to make the counts at least e³ (20) times more likely than one steady rate does.
LEAST_GAIN = 3.0


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted from `start` to the start of the next one."""

    start: datetime
    bad: float
    total: float


@dataclass(frozen=True, slots=True)
class Onset:
    """From `at` on, the share of bad events is `after` instead of `before` (both 0…1).

    `gain` is the logarithm of how much more likely the step makes the counts than one steady rate.
    """

    at: datetime
    before: float
    after: float
    gain: float


def onset(counts: Sequence[Count]) -> Onset | None:
    """The start of the rise that best explains `counts` (in order); `None` when nothing rose.

    The maximum-likelihood change point of a binomial rate that steps up once (Hinkley and Hinkley 1970). Accurate
    to one count's length. Give it counts that end while it still burns.
    """
    bad = [0.0, *accumulate(count.bad for count in counts)]
    total = [0.0, *accumulate(count.total for count in counts)]
    steady = _likelihood(bad[-1], total[-1])
    best: Onset | None = None
    for place in range(1, len(counts)):
        before, after = _rate(bad[place], total[place]), _rate(bad[-1] - bad[place], total[-1] - total[place])
        if before is None or after is None or after <= before:
            continue
        split = _likelihood(bad[place], total[place]) + _likelihood(bad[-1] - bad[place], total[-1] - total[place])
        if split - steady >= LEAST_GAIN and (best is None or split - steady > best.gain):
            best = Onset(counts[place].start, before, after, split - steady)
    return best


def _rate(bad: float, total: float) -> float | None:
    return bad / total if total > 0 else None


def _likelihood(bad: float, total: float) -> float:
    """The binomial log-likelihood at its best rate, without the constant that all splits share."""
    return sum(part * math.log(part / total) for part in (bad, total - bad) if part > 0)
