"""How sure an error ratio is: the exact one-sided lower bound for a binomial proportion."""

import math
from functools import lru_cache

_TINY = 1e-300
_CLOSE = 1e-12


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
