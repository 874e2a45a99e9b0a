"""Windows over the ledger: a window of any length is the difference of two rows with running totals."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter

ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Totals:
    """What happened in a window: bad events of all events, and how much of its `span` was `measured`.

    `span` is what counts of the window: time that is `excluded` by maintenance is no part of it, nor of the rest.
    """

    bad: float
    total: float
    measured: timedelta
    span: timedelta
    excluded: timedelta = ZERO

    @property
    def ratio(self) -> float | None:
        """Bad events per event, 0…1. `None` when nothing was measured; 0 when there was no traffic."""
        if not self.measured:
            return None
        return self.bad / self.total if self.total else 0.0

    @property
    def coverage(self) -> float:
        """The measured share of the window, 0…1."""
        return min(1.0, self.measured / self.span) if self.span else 0.0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            self.bad + other.bad,
            self.total + other.total,
            self.measured + other.measured,
            self.span + other.span,
            self.excluded + other.excluded,
        )

    def without(self, excluded: "Totals") -> "Totals":
        """The same window after a part of it was taken out."""
        total = max(0.0, self.total - excluded.total)
        return Totals(
            min(total, max(0.0, self.bad - excluded.bad)),
            total,
            max(ZERO, self.measured - excluded.measured),
            max(ZERO, self.span - excluded.span),
            self.excluded + excluded.span,
        )


NOTHING = Totals(0.0, 0.0, ZERO, ZERO)


@dataclass(frozen=True, slots=True)
class Mark:
    """The running totals of a ledger at the end of one of its slices."""

    at: datetime
    bad: float
    total: float
    measured: timedelta


def difference(earlier: Mark | None, later: Mark | None, span: timedelta) -> Totals:
    """What happened between two marks of one ledger; no mark means *before its first slice*.

    `span` is the length of the window that was asked for: time without slices counts as unmeasured. A window that
    starts within a slice is given that whole slice, as `earlier` is the last mark at or before its start.
    """
    if later is None:
        return Totals(0.0, 0.0, ZERO, span)
    if earlier is None:
        return Totals(later.bad, later.total, later.measured, span)
    # Running sums of fractions may differ in their last bit; counts never do.
    total = max(0.0, later.total - earlier.total)
    bad = min(total, max(0.0, later.bad - earlier.bad))
    return Totals(bad, total, max(ZERO, later.measured - earlier.measured), span)


def last_before(marks: Sequence[Mark], at: datetime) -> Mark | None:
    """The last of `marks` (in order) at or before `at`."""
    position = bisect_right(marks, at, key=attrgetter("at"))
    return marks[position - 1] if position else None


def window(marks: Sequence[Mark], end: datetime, length: timedelta) -> Totals:
    """The window of `length` that ends at `end`, from all marks of a ledger, in order."""
    return difference(last_before(marks, end - length), last_before(marks, end), length)
