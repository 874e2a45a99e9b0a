"""How much longer something takes than before, for sure: from few values, widely scattered, of many kinds at once."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

# A group's scatter counts as if two more values had been seen with the usual one: a half, up or down.
PRIOR_VALUES = 2.0
PRIOR_SCATTER = 0.5
# Times shorter than this (ms) are not told apart.
RESOLUTION = 0.1


@dataclass(frozen=True)
class Moments:
    """By group: how many values, their mean, and the variance of a single one."""

    count: Floats
    mean: Floats
    variance: Floats


def moments(group: NDArray[np.int64], values: Floats, groups: int, scatter: Floats | float) -> Moments:
    """`scatter` is the usual standard deviation, which few values do not disprove."""
    count = np.bincount(group, minlength=groups).astype(np.float64)
    mean = np.bincount(group, values, minlength=groups) / np.maximum(count, 1)
    squares = np.bincount(group, (values - mean[group]) ** 2, minlength=groups)
    return Moments(count, mean, (squares + PRIOR_VALUES * np.square(scatter)) / (np.maximum(count - 1, 0) + PRIOR_VALUES))


@dataclass(frozen=True)
class Growth:
    """By group: mean values (ms) before and during, how many, and by how much (ms) the mean has grown at least."""

    before: Floats
    during: Floats
    count_before: Floats
    count_during: Floats
    surely: Floats


def growth(
    before: tuple[NDArray[np.int64], Floats], during: tuple[NDArray[np.int64], Floats], groups: int, confidence: float
) -> Growth:
    """Compares (groups, values in ms) before and during. `surely` is 0 where a group is missing on one side.

    The bound is the better of two one-sided Welch intervals (Welch 1947): of the means, which is right for a few
    very slow ones among many, and of the means of the logarithms, which needs few values where all are slower.
    """
    mean_before = moments(*before, groups, 0.0).mean
    mean_during = moments(*during, groups, 0.0).mean
    usual = PRIOR_SCATTER * (mean_before + mean_during) / 2
    plain_before, plain_during = moments(*before, groups, usual), moments(*during, groups, usual)
    logs_before = moments(before[0], np.log(before[1] + RESOLUTION), groups, PRIOR_SCATTER)
    logs_during = moments(during[0], np.log(during[1] + RESOLUTION), groups, PRIOR_SCATTER)
    ratio = np.exp(np.minimum(lower_bound(logs_before, logs_during, confidence), 30.0))
    by_ratio = np.minimum((ratio - 1) * np.exp(logs_before.mean), mean_during - mean_before)
    surely = np.maximum(lower_bound(plain_before, plain_during, confidence), by_ratio)
    both = (plain_before.count > 0) & (plain_during.count > 0)
    return Growth(mean_before, mean_during, plain_before.count, plain_during.count, np.where(both, surely, 0.0))


def lower_bound(before: Moments, during: Moments, confidence: float) -> Floats:
    """By how much the mean is larger during than before, at least."""
    part_before = before.variance / np.maximum(before.count, 1)
    part_during = during.variance / np.maximum(during.count, 1)
    error = part_before + part_during
    spread = part_before**2 / _freedom(before) + part_during**2 / _freedom(during)
    freedom = np.maximum(error**2 / np.maximum(spread, 1e-30), 1)
    return during.mean - before.mean - _quantile(confidence, freedom) * np.sqrt(error)


def _freedom(group: Moments) -> Floats:
    return np.maximum(group.count - 1, 0) + PRIOR_VALUES


def _quantile(confidence: float, freedom: Floats) -> Floats:
    """Of Student's t, by the first terms of the expansion of Cornish and Fisher."""
    z = NormalDist().inv_cdf(confidence)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    quantile: Floats = z + first / freedom + second / freedom**2
    return quantile


def tail(z: float) -> float:
    """The probability that a standard normal value exceeds z."""
    return math.erfc(z / math.sqrt(2)) / 2
