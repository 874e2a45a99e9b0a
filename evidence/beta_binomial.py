"""How likely counts are when the rate behind them is itself uncertain: the beta-binomial distribution, in arrays."""

import math

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]

# Where Stirling's series, cut after four terms, is as exact as a float.
_LARGE = 10.0


def log_gamma(x: Floats) -> Floats:
    """ln Γ(x) for x > 0: Stirling's series (Abramowitz and Stegun 6.1.41), small x moved up by Γ(x + 1) = x Γ(x)."""
    small = x < _LARGE
    moved = np.where(small, x + _LARGE, x)
    inverse = 1 / moved
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    result: Floats = (moved - 0.5) * np.log(moved) - moved + 0.5 * math.log(2 * math.pi) + series
    if small.any():
        low = x[small]
        steps = np.ones_like(low)
        for step in range(int(_LARGE)):
            steps *= low + step
        result[small] -= np.log(steps)
    return result


def log_likelihood(bad: Floats, total: Floats, rate: Floats, weight: Floats) -> Floats:
    """Of `bad` among `total` (may be fractions), for a rate known as well as from `weight` events with mean `rate`.

    Without the binomial coefficient, which is the same whatever the rate.
    """
    alpha, beta = rate * weight, (1 - rate) * weight
    good = total - bad
    seen = log_gamma(bad + alpha) + log_gamma(good + beta) - log_gamma(total + weight)
    prior: Floats = log_gamma(weight) - log_gamma(alpha) - log_gamma(beta)
    return seen + prior


def log_sum(terms: Floats, axis: int) -> Floats:
    """ln Σ exp(terms) along an axis, without overflow."""
    top = terms.max(axis=axis, keepdims=True)
    summed: Floats = np.squeeze(top + np.log(np.exp(terms - top).sum(axis=axis, keepdims=True)), axis=axis)
    return summed
