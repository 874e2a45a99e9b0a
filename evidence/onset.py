"""Since when? The instant from which on requests fare worse, found in what was measured, not in when it fired."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from evidence.case import Times

type Values = NDArray[np.float64]

# A step has to make the counts at least e³ (20) times more likely than one steady rate does.
LEAST_GAIN = 3.0
# Splits whose likelihood is less than e² below the best one's are as good (a 95 % likelihood interval, Wilks 1938).
NEARLY = 2.0


@dataclass(frozen=True, slots=True)
class Count:
    """What was counted from `start` to the start of the next one."""

    start: datetime
    bad: float
    total: float


@dataclass(frozen=True, slots=True)
class Onset:
    """From `at` on, the share of bad events is `after` instead of `before` (both 0…1).

    `gain` is the logarithm of how much more likely the step makes the counts than one steady rate. It may have begun
    as late as `latest`: within the first count that is worse, or in a later one that is nearly as likely.
    """

    at: datetime
    before: float
    after: float
    gain: float
    latest: datetime


def onset(counts: Sequence[Count]) -> Onset | None:
    """The start of the rise that best explains `counts` (in order); `None` when nothing rose.

    The maximum-likelihood change point of a binomial rate that steps up once (Hinkley and Hinkley 1970). Accurate
    to one count's length. Give it counts that end while it still burns.
    """
    bad = [0.0, *accumulate(count.bad for count in counts)]
    total = [0.0, *accumulate(count.total for count in counts)]
    steady = _likelihood(bad[-1], total[-1])
    found: list[tuple[float, int, float, float]] = []
    for place in range(1, len(counts)):
        before, after = _rate(bad[place], total[place]), _rate(bad[-1] - bad[place], total[-1] - total[place])
        if before is None or after is None or after <= before:
            continue
        split = _likelihood(bad[place], total[place]) + _likelihood(bad[-1] - bad[place], total[-1] - total[place])
        found.append((split - steady, place, before, after))
    gain, place, before, after = max(found, key=lambda one: (one[0], -one[1]), default=(0.0, 0, 0.0, 0.0))
    if gain < LEAST_GAIN:
        return None
    last = max(other for likely, other, _, _ in found if likely >= gain - NEARLY)
    return Onset(counts[place].start, before, after, gain, counts[min(last + 1, len(counts) - 1)].start)


def _rate(bad: float, total: float) -> float | None:
    return bad / total if total > 0 else None


def _likelihood(bad: float, total: float) -> float:
    """The binomial log-likelihood at its best rate, without the constant that all splits share."""
    return sum(part * math.log(part / total) for part in (bad, total - bad) if part > 0)


@dataclass(frozen=True, slots=True)
class Step:
    """From `at_ns` (Unix nanoseconds) on, a metric is about `after` instead of `before`; `gain` as of an onset."""

    at_ns: int
    before: float
    after: float
    gain: float


def step(times: Times, values: Values) -> Step | None:
    """The rise that best explains a metric, one value after the other; `None` when nothing rose.

    The maximum-likelihood change point of a normal mean that steps up once, of unknown variance (Hinkley 1970). Give
    it values that vary alike on both levels, such as the logarithm of a latency, and that end while it lasts.
    """
    count = len(values)
    if count < 4:
        return None
    sums = np.cumsum(values)[:-1]
    firsts = np.arange(1, count)
    before, after = sums / firsts, (values.sum() - sums) / (count - firsts)
    total = float(((values - values.mean()) ** 2).sum())
    if total <= 1e-12 * count * max(float(np.abs(values).max()), 1e-12) ** 2:
        return None
    explained = firsts * (count - firsts) / count * (after - before) ** 2
    # What is left after a perfect fit still is as large as a float can tell.
    left = np.maximum(total - explained, total * 1e-6)
    gains = np.where(after > before, count / 2 * np.log(total / left), 0.0)
    best = int(np.argmax(gains))
    if gains[best] < LEAST_GAIN:
        return None
    return Step(int(times[best + 1]), float(before[best]), float(after[best]), float(gains[best]))
