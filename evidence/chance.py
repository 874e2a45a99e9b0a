"""How likely counts like these are by accident: Fisher's exact test, and which of many such results to believe."""

import math
from collections.abc import Iterable, Sequence

import numpy as np


def fewer(bad: int, bad_total: int, normal: int, normal_total: int) -> float:
    """The probability that the bad ones have so few (or fewer) if nothing changed (Fisher 1934), one-sided."""
    return _at_most(bad, bad_total, normal + bad, normal_total + bad_total)


def more(bad: int, bad_total: int, normal: int, normal_total: int) -> float:
    """The probability that the bad ones have so many (or more) if nothing changed, one-sided."""
    return fewer(bad_total - bad, bad_total, normal_total - normal, normal_total)


def fewer_in_strata(tables: Iterable[tuple[int, int, int, int]]) -> float:
    """The same for several kinds of requests at once, each compared only with its like: exact, one-sided.

    The tables are (bad, bad_total, normal, normal_total). The sum of independent hypergeometric counts, as in the
    exact form of the test of Cochran, Mantel and Haenszel.
    """
    distribution, seen = np.ones(1), 0
    for bad, bad_total, normal, normal_total in tables:
        marked, total = bad + normal, bad_total + normal_total
        least, most = max(0, bad_total - (total - marked)), min(bad_total, marked)
        whole = _choose(total, bad_total)
        terms = [
            math.exp(_choose(marked, k) + _choose(total - marked, bad_total - k) - whole)
            for k in range(least, most + 1)
        ]
        distribution = np.convolve(distribution, terms)
        seen += bad - least
    return min(1.0, float(distribution[: seen + 1].sum()))


def more_in_strata(tables: Iterable[tuple[int, int, int, int]]) -> float:
    """As `fewer_in_strata`, for so many or more."""
    return fewer_in_strata(
        (total - bad, total, all_normal - normal, all_normal) for bad, total, normal, all_normal in tables
    )


def _at_most(most: int, drawn: int, marked: int, total: int) -> float:
    """Of the hypergeometric distribution: at most so many marked ones among those drawn."""
    least = max(0, drawn - (total - marked))
    whole = _choose(total, drawn)
    terms = range(least, min(most, drawn, marked) + 1)
    return min(1.0, sum(math.exp(_choose(marked, k) + _choose(total - marked, drawn - k) - whole) for k in terms))


def _choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def believable(chances: Sequence[float]) -> list[float]:
    """Each result's adjusted probability (Benjamini and Hochberg 1995): of those below it, so many are accidents.

    Results that could not have been believed whatever they were should be left out before (Tarone 1990).
    """
    ordered = sorted(range(len(chances)), key=lambda number: -chances[number])
    adjusted = [1.0] * len(chances)
    least = 1.0
    for after, number in enumerate(ordered):
        least = min(least, chances[number] * len(chances) / (len(chances) - after))
        adjusted[number] = least
    return adjusted
