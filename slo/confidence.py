"""How sure an error ratio is: the exact one-sided lower bound for a binomial proportion."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]

_TINY = 1e-300
_CLOSE = 1e-12
# Relative to a probability: of a thousand million events, the factorials' logarithms cancel to so many digits.
_UNSURE = 1e-5
# How little a step may change a fraction that has converged.
_ENOUGH = 1e-10
# So many steps of many fractions before those that have converged are taken out.
_STEPS = 16


@lru_cache(maxsize=4096)
def lower_bound(bad: float, total: float, confidence: float = 0.95) -> float:
    """The lowest error ratio that `bad` of `total` events still allow with this confidence.

    Clopper and Pearson 1934: the ratio p at which `bad` or more of `total` have probability 1 − confidence, which
    is a quantile of the beta distribution B(bad, total − bad + 1). 0 without bad events. Counts may be fractions,
    as expressions that extrapolate yield them.
    """
    if not 0 < confidence < 1:
        raise ValueError("Confidence is a ratio between 0 and 1.")
    if bad <= 0 or total <= 0:
        return 0.0
    bad = min(bad, total)
    return _quantile(1 - confidence, bad, total - bad + 1)


def may_reach(bad: Floats, total: Floats, limit: float, confidence: float = 0.95) -> Flags:
    """For each of many counts, whether `lower_bound` is at least `limit`; also where that is too close to tell.

    Nothing is inverted: the bound is that high where so many bad events have, at that ratio, at most a probability
    of 1 − confidence. `limit` lies between 0 and 1.
    """
    doubt = (1 - confidence) * (1 + _UNSURE)
    found = (bad > 0) & (total > 0)
    a = np.minimum(bad, total)
    unsure = np.flatnonzero(found)
    unsure = unsure[_chernoff(a[unsure], total[unsure], limit) > doubt]
    found[unsure] = _beta_cdfs(limit, a[unsure], total[unsure] - a[unsure] + 1) <= doubt
    return found


def _quantile(probability: float, a: float, b: float) -> float:
    """Where the beta distribution reaches `probability`: Newton's steps, kept inside a shrinking bracket."""
    low, high = 0.0, a / (a + b - 1) if a + b > 1 else 1.0
    x = high * max(0.05, 1 - 1.65 / math.sqrt(a))
    for _ in range(200):
        error = _beta_cdf(x, a, b) - probability
        low, high = (low, x) if error > 0 else (x, high)
        step = x - error / max(_beta_density(x, a, b), _TINY)
        following = step if low < step < high else (low + high) / 2
        if abs(following - x) <= _CLOSE * x:
            return following
        x = following
    return x


def _beta_density(x: float, a: float, b: float) -> float:
    if x >= 1:
        return 0.0
    return math.exp(_log_weight(x, a, b) - math.log(x) - math.log1p(-x))


def _log_weight(x: float, a: float, b: float) -> float:
    """log of x^a (1−x)^b / B(a, b)."""
    return math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)


def _beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, NIST DLMF 8.17."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    weight = math.exp(_log_weight(x, a, b))
    # DLMF 8.17.22 converges fast on this side; 8.17.4 mirrors the other one.
    if x < (a + 1) / (a + b + 2):
        return weight * _continued_fraction(x, a, b) / a
    return 1 - weight * _continued_fraction(1 - x, b, a) / b


def _continued_fraction(x: float, a: float, b: float) -> float:
    """DLMF 8.17.22 by Lentz's method."""
    upper, lower = 1.0, _nonzero(1 - (a + b) * x / (a + 1))
    lower = 1 / lower
    value = lower
    for m in range(1, 100_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            lower = 1 / _nonzero(1 + term * lower)
            upper = _nonzero(1 + term / upper)
            value *= lower * upper
        if abs(lower * upper - 1) < 1e-15:
            break
    return value


def _nonzero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY


# -- Many at once
def _chernoff(bad: Floats, total: Floats, ratio: float) -> Floats:
    """What the probability of `bad` or more of `total` is at most: Hoeffding 1963, theorem 1; 1 below the mean."""
    good, share = total - bad, bad / total
    apart = bad * np.log(share / ratio) + good * np.log(np.maximum(1 - share, _TINY) / (1 - ratio))
    return np.where(share > ratio, np.exp(-np.maximum(apart, 0.0)), 1.0)


def _beta_cdfs(x: float, a: Floats, b: Floats) -> Floats:
    """As `_beta_cdf`, for many distributions."""
    mirrored = x >= (a + 1) / (a + b + 2)
    at, a, b = np.where(mirrored, 1 - x, x), np.where(mirrored, b, a), np.where(mirrored, a, b)
    weight = np.exp(_log_gamma(a + b) - _log_gamma(a) - _log_gamma(b) + a * np.log(at) + b * np.log1p(-at))
    tail = weight * _continued_fractions(at, a, b) / a
    return np.where(mirrored, 1 - tail, tail)


def _log_gamma(numbers: Floats) -> Floats:
    return np.array([math.lgamma(one) for one in numbers.tolist()])


def _continued_fractions(x: Floats, a: Floats, b: Floats) -> Floats:
    """As `_continued_fraction`; each is taken out soon after it has converged."""
    found, place = np.ones_like(x), np.arange(len(x))
    upper, lower = np.ones_like(x), 1 / _nonzeros(1 - (a + b) * x / (a + 1))
    value = lower
    for m in range(1, 100_000):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            lower = 1 / _nonzeros(1 + term * lower)
            upper = _nonzeros(1 + term / upper)
            value = value * lower * upper
        if m % _STEPS:
            continue
        found[place] = value
        going = np.abs(lower * upper - 1) >= _ENOUGH
        if not going.any():
            break
        place = place[going]
        x, a, b, upper, lower, value = (one[going] for one in (x, a, b, upper, lower, value))
    return found


def _nonzeros(numbers: Floats) -> Floats:
    return np.where(np.abs(numbers) > _TINY, numbers, _TINY)
