"""How much longer something takes than before, for sure: from few values, widely scattered, of many kinds at once."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Codes = NDArray[np.int64]

# A group's scatter counts as if two more values had been seen with the usual one: a half, up or down.
PRIOR_VALUES = 2.0
PRIOR_SCATTER = 0.5
# Means drift from one time to another by themselves: a tenth, as if four more times had been seen.
PRIOR_TIMES = 4.0
PRIOR_DRIFT = 0.1
# Times shorter than this (ms) are not told apart.
RESOLUTION = 0.1
# A baseline window may hold the trouble already, when it began before anyone noticed: it then looks as the incident
# does, at most twice as fast or slow. What only the other windows show counts half.
ALIKE = 2.0
LATE_ALARM_SHARE = 0.5


@dataclass(frozen=True)
class Growth:
    """By group: mean values (ms) before and during, how many, and how much longer (ms) it takes at least.

    `before` is what it was compared with: the whole baseline, or the window that does not hold the trouble already.
    """

    before: Floats
    during: Floats
    count_before: Floats
    count_during: Floats
    surely: Floats
    # By how much a usual value (the geometric mean) has grown, if it has, whether that is certain or not.
    step: Floats


@dataclass(frozen=True)
class Moments:
    """By group and window: number of values, their mean, and the sum of squared distances from it."""

    count: Floats
    mean: Floats
    squares: Floats

    def of(self, windows: list[int]) -> "Moments":
        return Moments(self.count[:, windows], self.mean[:, windows], self.squares[:, windows])

    @property
    def total(self) -> Floats:
        total: Floats = self.count.sum(axis=1)
        return total

    @property
    def pooled(self) -> Floats:
        pooled: Floats = (self.count * self.mean).sum(axis=1) / np.maximum(self.total, 1)
        return pooled

    def variance(self, usual: Floats | float) -> tuple[Floats, Floats]:
        """Of a single value within its window, and its degrees of freedom. `usual` is the usual deviation."""
        freedom = np.maximum(self.count - 1, 0).sum(axis=1) + PRIOR_VALUES
        return (self.squares.sum(axis=1) + PRIOR_VALUES * np.square(usual)) / freedom, freedom

    def drift(self, usual: Floats | float) -> tuple[Floats, Floats]:
        """The variance of the windows' means, which another window will have as well, and its degrees of freedom."""
        seen = self.count > 0
        windows = seen.sum(axis=1)
        centre = (self.mean * seen).sum(axis=1) / np.maximum(windows, 1)
        squares = (np.square(self.mean - centre[:, None]) * seen).sum(axis=1)
        freedom = np.maximum(windows - 1, 0) + PRIOR_TIMES
        variance = (squares + PRIOR_TIMES * np.square(usual)) / freedom
        return variance * (1 + 1 / np.maximum(windows, 1)), freedom


def growth(group: Codes, window: Codes, values: Floats, groups: int, windows: int) -> Growth:
    """Compares values (ms) of `groups` in the baseline's windows (0 …) with those of the incident (the last window).

    Two one-sided intervals are asked (Welch 1947, with the drift between windows as one more source of error), and
    the one that says more is taken: of the means, which is right for a few very slow ones among many, and of the
    means of the logarithms, which needs few values where all are slower.
    """
    plain = _moments(group, window, values, groups, windows)
    logs = _moments(group, window, np.log(values + RESOLUTION), groups, windows)
    before, during = list(range(windows - 1)), [windows - 1]
    surely, old = _surely(plain, logs, before, during), plain.of(before)
    mean, count = old.pooled, old.total
    for one in before if len(before) > 1 else ():
        others = logs.of([other for other in before if other != one])
        alike = (others.count > 0) & (np.abs(others.mean - logs.mean[:, [windows - 1]]) < np.log(ALIKE))
        alone = LATE_ALARM_SHARE * _surely(plain, logs, [one], during)
        better = alike.any(axis=1) & (alone > surely) & (alone > 0)
        surely = np.where(better, alone, surely)
        mean, count = np.where(better, plain.mean[:, one], mean), np.where(better, plain.count[:, one], count)
    usual = np.exp(logs.mean[:, -1]) - np.exp(logs.of(before).pooled)
    both = (count > 0) & (plain.count[:, -1] > 0)
    step = np.where(both, np.clip(usual, 0, np.maximum(plain.mean[:, -1] - mean, 0)), 0.0)
    return Growth(mean, plain.mean[:, -1], count, plain.count[:, -1], np.maximum(surely, 0), step)


def certainty(group: Codes, window: Codes, logs: Floats, groups: int, windows: int) -> Floats:
    """By group how certain it is (0 … 1) that its logarithms have grown from the baseline's windows to the last."""
    seen = _moments(group, window, logs, groups, windows)
    old, new = seen.of(list(range(windows - 1))), seen.of([windows - 1])
    certain = _certain(*_difference(old, new, 1.0))
    return np.where((old.total > 0) & (new.total > 0), certain, 0.0)


def _certain(step: Floats, error: Floats, critical: Floats) -> Floats:
    """From 0 where a step is as large as accidents are, towards 1 as it is larger."""
    doubt = np.square(critical * error / np.maximum(step, 1e-9))
    return np.where(step > 0, np.maximum(1 - doubt, 0), 0)


def _moments(group: Codes, window: Codes, values: Floats, groups: int, windows: int) -> Moments:
    cell, cells = group * windows + window, groups * windows
    count = np.bincount(cell, minlength=cells).astype(np.float64)
    mean = np.bincount(cell, values, minlength=cells) / np.maximum(count, 1)
    squares = np.bincount(cell, np.square(values - mean[cell]), minlength=cells)
    shape = groups, windows
    return Moments(count.reshape(shape), mean.reshape(shape), squares.reshape(shape))


def _surely(plain: Moments, logs: Moments, before: list[int], during: list[int]) -> Floats:
    old, new = plain.of(before), plain.of(during)
    old_logs, new_logs = logs.of(before), logs.of(during)
    difference, error, critical = _difference(old, new, (old.pooled + new.pooled) / 2)
    by_mean = difference - critical * error
    certain = _certain(*_difference(old_logs, new_logs, 1.0))
    # The geometric mean does not follow a few outliers, and is what a step of the logarithms' mean measures.
    by_logs = certain * np.minimum(np.exp(new_logs.pooled) - np.exp(old_logs.pooled), difference)
    both = (old.total > 0) & (new.total > 0)
    return np.where(both, np.maximum(by_mean, by_logs), 0.0)


def _difference(old: Moments, new: Moments, scale: Floats | float) -> tuple[Floats, Floats, Floats]:
    """New less old mean, its standard error, and how many of these it must be to be no accident (Welch)."""
    parts = [
        (variance / np.maximum(count, 1), freedom)
        for (variance, freedom), count in (
            (old.variance(PRIOR_SCATTER * np.asarray(scale)), old.total),
            (new.variance(PRIOR_SCATTER * np.asarray(scale)), new.total),
        )
    ]
    parts.append(old.drift(PRIOR_DRIFT * np.asarray(scale)))
    error = np.sum([variance for variance, _ in parts], axis=0)
    spread = np.sum([np.square(variance) / freedom for variance, freedom in parts], axis=0)
    freedom = np.maximum(np.square(error) / np.maximum(spread, 1e-30), 1)
    return new.pooled - old.pooled, np.sqrt(error), _quantile(freedom)


# One-sided: of 200 groups that did not change, one may seem to have grown.
CONFIDENCE = 0.995


def _quantile(freedom: Floats) -> Floats:
    """Of Student's t, by the first terms of the expansion of Cornish and Fisher."""
    z = NormalDist().inv_cdf(CONFIDENCE)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    quantile: Floats = z + first / freedom + second / freedom**2
    return quantile
