"""Where bad requests first do something else than normal ones: places in the code after which what follows has changed.

What happens later in the same request (callers that stop, error pages, skipped calls) is taken for a consequence.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.samples import Sample
from evidence.sequences import Pairs

# Of all places that seem to have changed, so many may be accidents (Benjamini and Hochberg 1995).
FALSE_DISCOVERIES = 0.05
# What follows must have become so much more likely to count as a departure.
DEPARTURE = 3.0


@dataclass(frozen=True)
class Place:
    """After `first`, within spans of one service's operation, `expected` used to follow, and now `instead` does.

    Counts are of requests that came to this place: normal and bad ones, and how many of each went on as expected.
    `bad` requests are those that first depart here; `rows` are pairs (see `Pairs`) in which they do.
    """

    service: int
    operation: int
    first: int
    expected: int
    instead: int
    normal: int
    normal_expected: int
    seen: int
    seen_expected: int
    p: float
    bad: int = 0
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Counts:
    """By distinct pair (place, second event): in how many normal and bad requests; and the same of whole places."""

    place: NDArray[np.int64]
    second: NDArray[np.int64]
    normal: NDArray[np.int64]
    bad: NDArray[np.int64]
    place_normal: NDArray[np.int64]
    place_bad: NDArray[np.int64]


def places(chosen: Sample, found: Pairs) -> list[Place]:
    """Where bad requests first depart, the place with most of them first; nothing that may be an accident."""
    spans = chosen.spans
    trace = spans.trace[found.owner]
    bad = chosen.bad[trace]
    context = spans.service[found.owner].astype(np.int64) * len(spans.operations) + spans.operation[found.owner]
    keys, place = np.unique(np.stack((context, found.first)), axis=1, return_inverse=True)
    kinds, kind = np.unique(np.stack((place, found.second)), axis=1, return_inverse=True)
    counts = _counts(kinds, place, kind, trace, bad)
    changed = _significant(_changes(counts))
    departing = _departing(counts, {one[0] for one in changed})
    first = _first_departures(found, trace, bad, kind, departing)
    result = []
    for number, second, p in changed:
        rows = tuple(row for row in first if place[row] == number)
        result.append(_place(keys[:, number], second, p, counts, number, rows, found, spans.operations.__len__()))
    return sorted(result, key=lambda one: (-one.bad, one.p))


def _counts(
    kinds: NDArray[np.int64],
    place: NDArray[np.int64],
    kind: NDArray[np.int64],
    trace: NDArray[np.int32],
    bad: NDArray[np.bool_],
) -> _Counts:
    """A request counts once, however often it passes: loops would make accidents look certain."""
    by_kind = np.unique(np.stack((kind, trace, bad)), axis=1)
    by_place = np.unique(np.stack((place, trace, bad)), axis=1)
    return _Counts(
        kinds[0],
        kinds[1],
        *(np.bincount(by_kind[0][by_kind[2] == is_bad], minlength=kinds.shape[1]) for is_bad in (0, 1)),
        *(np.bincount(by_place[0][by_place[2] == is_bad], minlength=int(place.max()) + 1) for is_bad in (0, 1)),
    )


def _changes(counts: _Counts) -> Iterator[tuple[int, int, float]]:
    """For each place that both normal and bad requests come to: the follower that changed most, and how likely by chance."""
    both = (counts.place_normal[counts.place] > 0) & (counts.place_bad[counts.place] > 0)
    best: dict[int, tuple[float, int]] = {}
    tried: dict[int, int] = defaultdict(int)
    for row in np.flatnonzero(both).tolist():
        number = int(counts.place[row])
        tried[number] += 1
        p = _chance(
            int(counts.normal[row]),
            int(counts.place_normal[number]),
            int(counts.bad[row]),
            int(counts.place_bad[number]),
        )
        if number not in best or p < best[number][0]:
            best[number] = p, row
    for number, (p, row) in best.items():
        yield number, int(counts.second[row]), min(p * tried[number], 1.0)


def _chance(normal: int, normal_total: int, bad: int, bad_total: int) -> float:
    """Fisher's exact test, two-sided by doubling."""
    if bad * normal_total <= normal * bad_total:
        one_sided = _hypergeometric(bad, bad_total, normal + bad, normal_total + bad_total)
    else:
        one_sided = _hypergeometric(
            bad_total - bad, bad_total, normal_total + bad_total - normal - bad, normal_total + bad_total
        )
    return min(1.0, 2 * one_sided)


def _hypergeometric(most: int, drawn: int, marked: int, total: int) -> float:
    """The probability of at most so many marked ones among those drawn."""
    least = max(0, drawn - (total - marked))
    whole = _choose(total, drawn)
    return sum(
        math.exp(_choose(marked, k) + _choose(total - marked, drawn - k) - whole)
        for k in range(least, min(most, drawn, marked) + 1)
    )


def _choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _significant(changes: Iterator[tuple[int, int, float]]) -> list[tuple[int, int, float]]:
    ordered = sorted(changes, key=lambda change: change[2])
    kept = 0
    for rank, (_, _, p) in enumerate(ordered, 1):
        if p <= FALSE_DISCOVERIES * rank / len(ordered):
            kept = rank
    return ordered[:kept]


def _departing(counts: _Counts, changed: set[int]) -> NDArray[np.bool_]:
    """The pairs that have become far more likely at a place that has changed."""
    normal = (counts.normal + 0.5) / (counts.place_normal[counts.place] + 1)
    bad = (counts.bad + 0.5) / (counts.place_bad[counts.place] + 1)
    return np.isin(counts.place, list(changed)) & (bad > DEPARTURE * normal)


def _first_departures(
    found: Pairs,
    trace: NDArray[np.int32],
    bad: NDArray[np.bool_],
    kind: NDArray[np.int64],
    departing: NDArray[np.bool_],
) -> list[int]:
    """Of each bad request the first departure; of several at once the innermost."""
    rows = np.flatnonzero(bad & departing[kind])
    order = rows[np.lexsort((-found.spans.depth[found.owner[rows]], found.at_ns[rows], trace[rows]))]
    first = np.unique(trace[order], return_index=True)[1]
    return order[first].tolist()


def _place(
    key: NDArray[np.int64],
    second: int,
    p: float,
    counts: _Counts,
    number: int,
    rows: Sequence[int],
    found: Pairs,
    operations: int,
) -> Place:
    here = np.flatnonzero(counts.place == number)
    share = counts.bad[here] / max(counts.place_bad[number], 1) - counts.normal[here] / max(counts.place_normal[number], 1)
    lost, won = here[np.argmin(share)], here[np.argmax(share)]
    return Place(
        service=int(key[0]) // operations,
        operation=int(key[0]) % operations,
        first=int(key[1]),
        expected=int(counts.second[lost]),
        instead=int(counts.second[won]),
        normal=int(counts.place_normal[number]),
        normal_expected=int(counts.normal[lost]),
        seen=int(counts.place_bad[number]),
        seen_expected=int(counts.bad[lost]),
        p=p,
        bad=len(rows),
        rows=tuple(rows),
    )
