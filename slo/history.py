"""What a ledger says about any window that ended in the past, with what maintenance takes out of it. Plain data."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from operator import attrgetter, itemgetter

from slo import periods
from slo.columns import Columns
from slo.periods import Interval
from slo.slices import Measured, sound
from slo.windows import ZERO, Mark, Totals, difference, last_before

_AT = attrgetter("at")
_START = itemgetter(0)


@dataclass(frozen=True)
class History:
    """One ledger as a sequence of running totals, and the time that does not count.

    `marks`, in order, may be all of a ledger's or only some: those at or just before the instants that are asked
    for, and at the edges of `excluded`. `excluded` is in order, without overlaps, and begins and ends where slices
    do (see `snapped`). `begins` is the start of the first slice. A first mark at `begins` says from where the totals
    run; without one they run from zero.
    """

    marks: Sequence[Mark]
    excluded: Sequence[Interval] = ()
    begins: datetime | None = None

    @classmethod
    def of(cls, slices: Sequence[Measured], excluded: Iterable[Interval] = ()) -> "History":
        """The history of `slices`, which follow each other without a gap; `excluded` may lie anywhere."""
        if not slices:
            return cls(())
        marks = running(slices)
        return cls(marks, snapped(excluded, [mark.at for mark in marks]), slices[0].start)

    @property
    def ends(self) -> datetime | None:
        return self.marks[-1].at if self.marks else None

    def window(self, at: datetime, length: timedelta) -> Totals:
        """The rolling window of `length` that ends at `at`."""
        return self.between(periods.beginning(at, length), at)

    def between(self, start: datetime, end: datetime) -> Totals:
        """What happened from `start` to `end`, without what is excluded. A start within a slice takes all of it."""
        found = self._difference(start, end)
        for left, right in self._excluded(start, end):
            found = found.without(self._difference(max(start, left), min(end, right)))
        return found

    def in_maintenance(self, at: datetime) -> bool:
        """Whether the slice that ends at `at` is excluded."""
        position = bisect_left(self.excluded, at, key=_START)
        return position > 0 and at <= self.excluded[position - 1][1]

    @cached_property
    def columns(self) -> Columns:
        """The same as arrays, for many windows at once."""
        return Columns(self)

    def _excluded(self, start: datetime, end: datetime) -> Sequence[Interval]:
        first = bisect_right(self.excluded, start, key=itemgetter(1))
        return self.excluded[first : bisect_left(self.excluded, end, key=_START)]

    def _difference(self, start: datetime, end: datetime) -> Totals:
        return difference(self._mark(start), self._mark(end), end - start)

    def _mark(self, at: datetime) -> Mark | None:
        return last_before(self.marks, at) or self.origin

    @cached_property
    def origin(self) -> Mark | None:
        """The totals before the first slice; `None` for zero."""
        return self.marks[0] if self.marks and self.marks[0].at == self.begins else None


def running(slices: Iterable[Measured]) -> list[Mark]:
    """A mark at the start of the first slice and one at the end of each, with totals that run from zero."""
    marks: list[Mark] = []
    bad, total, measured = 0.0, 0.0, ZERO
    for one in map(sound, slices):
        if not marks:
            marks.append(Mark(one.start, bad, total, measured))
        if one.total is not None:
            bad, total, measured = bad + (one.bad or 0.0), total + one.total, measured + (one.end - one.start)
        marks.append(Mark(one.end, bad, total, measured))
    return marks


def snapped(excluded: Iterable[Interval], edges: Sequence[datetime]) -> tuple[Interval, ...]:
    """`excluded` moved outward to the slices' `edges` (in order): of a slice that it touches, nothing counts.

    What overlaps is merged; what lies outside of all slices stays as it is.
    """
    merged: list[Interval] = []
    for left, right in sorted(_outward(one, edges) for one in excluded):
        if merged and left <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], right))
        else:
            merged.append((left, right))
    return tuple(merged)


def _outward(interval: Interval, edges: Sequence[datetime]) -> Interval:
    left, right = interval
    before, after = bisect_right(edges, left), bisect_left(edges, right)
    return edges[before - 1] if 0 < before < len(edges) else left, edges[after] if 0 < after < len(edges) else right
