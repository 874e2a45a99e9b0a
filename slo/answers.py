"""From a store's answer to the counting query to slices: counts, or the reason why there are none."""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from slo import wording
from slo.chunks import Chunk
from slo.counting import ANSWER, Sli, total_choice
from slo.slices import Measured


class Series(Protocol):
    """One series of a range query's answer: what `connectors.prometheus` gives."""

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def points(self) -> Sequence[tuple[datetime, float]]: ...


def slices_of(sli: Sli, chunk: Chunk, answer: Iterable[Series]) -> list[Measured]:
    """One slice for each of the chunk, in order; without a total it is unmeasured, and says why."""
    values = {series.labels.get(ANSWER, ""): dict(series.points) for series in answer}
    bad, good, total = (values.get(name, {}) for name in ("bad", "good", "total"))
    return [
        _slice(sli, start, end, total.get(end), good.get(end) if sli.counts_good else bad.get(end))
        for start, end in chunk.slices()
    ]


def joined_lead(slices: Sequence[Measured]) -> list[Measured]:
    """The same with the unmeasured slices at the front made one: the time before a store's memory begins."""
    lead = next((n for n, one in enumerate(slices) if one.total is not None), len(slices))
    if lead < 2:
        return list(slices)
    first, last = slices[0], slices[lead - 1]
    return [Measured(first.start, last.end, None, None, first.reason), *slices[lead:]]


def _slice(sli: Sli, start: datetime, end: datetime, total: float | None, marked: float | None) -> Measured:
    if total is None:
        return Measured(start, end, None, None, nothing_counted(sli))
    if not _is_count(total) or (marked is not None and not _is_count(marked)):
        return Measured(
            start, end, None, None, "The answer is negative or not a number; events can only be counted up."
        )
    if not sli.counts_good:
        return Measured(start, end, min(marked or 0.0, total), total)
    if marked is None and sli.kind == "latency":
        return Measured(start, end, None, None, no_bucket(sli))
    return Measured(start, end, max(0.0, total - (marked or 0.0)), total)


def nothing_counted(sli: Sli) -> str:
    """Why there is no total."""
    if sli.by_time:
        return "The expression answered nothing."
    if sli.by_expression:
        return "The expression for all events answered nothing."
    return f"No series matches {total_choice(sli).selector}."


def no_bucket(sli: Sli) -> str:
    """Why there are no good events of a latency."""
    limit = f"{wording.plain(sli.threshold or 0, 12)}{wording.NBSP}s"
    return f"{sli.metric} has no bucket that ends at {limit}. Choose one of its boundaries as the threshold."


def _is_count(value: float) -> bool:
    return math.isfinite(value) and value >= 0
