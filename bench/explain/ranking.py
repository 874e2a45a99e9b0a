"""Strict ranks, and how sure a share of right answers is."""

import math
from collections.abc import Hashable, Iterable, Set
from dataclasses import dataclass
from typing import Self


def strict_rank[K: Hashable](scored: Iterable[tuple[K, float]], right: Set[K]) -> int | None:
    """The place of the best right answer, 1 being the first; `None` when there is none.

    An answer counts once, with its best score; ties take the worst place; other right answers are not in the way.
    """
    best: dict[K, float] = {}
    for answer, score in scored:
        best[answer] = max(score, best.get(answer, -math.inf))
    found = [score for answer, score in best.items() if answer in right]
    if not found:
        return None
    return 1 + sum(score >= max(found) for answer, score in best.items() if answer not in right)


def wilson(right: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Within what a share of `right` in `of` lies with 95 % confidence.

    Wilson's score interval (1927), which holds for few answers and for shares near 0 and 1.
    """
    if of == 0:
        return 0.0, 1.0
    share, weight = right / of, z * z / of
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / of + weight / (4 * of)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Share:
    """How many answers were right, of how many that were asked for."""

    right: int = 0
    of: int = 0

    @classmethod
    def count(cls, answers: Iterable[bool | None]) -> Self:
        """`None` was not asked."""
        asked = [answer for answer in answers if answer is not None]
        return cls(sum(asked), len(asked))

    def __str__(self) -> str:
        if self.of == 0:
            return "–"
        low, high = wilson(self.right, self.of)
        return f"{self.right / self.of:.0%} ({low:.0%}–{high:.0%})"
