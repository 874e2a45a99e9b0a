"""The ledgers: what was measured of each group of an objective, and any window of it from the totals of two rows.

What maintenance takes out is taken out of every answer here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.conf import settings

from slo import lookups, maintenance, periods
from slo.budget import Budget, burn
from slo.definitions import budgeting_of, window_of
from slo.entries import Batch, Unordered, append, prepend
from slo.history import History
from slo.instants import grid
from slo.lookups import Marks, marks_of
from slo.models import Ledger, Objective, Slice
from slo.periods import Interval
from slo.windows import Mark, Totals

BY_TIME = ("gauge", "freshness", "bool")
__all__ = ["Batch", "Bucket", "Unordered", "append", "marks_of", "prepend"]


@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened in one stretch of a chart."""

    start: datetime
    end: datetime
    totals: Totals


def books(objective: Objective) -> list[Ledger]:
    """The ledgers of the objective as it counts now: one, or one for each group."""
    found = list(Ledger.objects.filter(objective=objective, generation=objective.generation))
    for one in found:
        one.objective = objective
    return found


def book(objective: Objective, group: str = "") -> Ledger | None:
    """The ledger of one group, named by its text; `None` while nothing of it was measured."""
    found = Ledger.objects.filter(objective=objective, generation=objective.generation, group=group).first()
    if found:
        found.objective = objective
    return found


def has_measured(book: Ledger) -> bool:
    """Whether any slice was measured yet."""
    return Slice.objects.filter(ledger=book, total__isnull=False).exists()


def marks(book: Ledger, instants: Iterable[datetime]) -> Marks:
    """The running totals at each instant; see `marks_of`."""
    return marks_of([book], instants)[book.pk]


def histories(books: Sequence[Ledger], instants: Iterable[datetime]) -> dict[int, History]:
    """By the ledgers' keys, what each says about windows that begin and end at these instants.

    A handful of queries for hundreds of ledgers. Their objectives must be loaded.
    """
    wanted = sorted(set(instants))
    if not wanted or not books:
        return {}
    objectives = {book.objective_id: book.objective for book in books}
    excluded = maintenance.intervals_of(list(objectives.values()), wanted[0], wanted[-1])
    found = dict[int, History]()
    for intervals, those in _by_intervals(books, excluded).items():
        snapped = lookups.snapped(those, intervals)
        edges = {edge for some in snapped.values() for interval in some for edge in interval}
        known = marks_of(those, {*wanted, *edges})
        found |= {book.pk: _history(book, known[book.pk], snapped[book.pk]) for book in those}
    return found


def history(book: Ledger, start: datetime, end: datetime) -> History:
    """Everything that a ledger says about windows within `start` to `end`: a mark for every slice."""
    excluded = maintenance.intervals(book.objective, start, end)
    snapped = lookups.snapped([book], excluded)[book.pk]
    edges = [edge for interval in snapped for edge in interval]
    ends = Slice.objects.filter(ledger=book, end__gt=start, end__lte=end).order_by("end")
    known = {mark.at: mark for mark in lookups.read(ends)}
    return _history(book, marks(book, [start, *edges]) | known, snapped)


def totals(book: Ledger, start: datetime, end: datetime) -> Totals:
    """What happened from `start` to `end`. A start within a slice takes that whole slice."""
    return totals_many(book, [(start, end)])[0]


def totals_many(book: Ledger, windows: Sequence[Interval]) -> list[Totals]:
    """`totals` of several windows, in the same few queries as one."""
    if not windows:
        return []
    known = histories([book], (instant for window in windows for instant in window))[book.pk]
    return [known.between(start, end) for start, end in windows]


def budget(book: Ledger, at: datetime) -> Budget:
    """The error budget of the objective's window that ends at `at`."""
    return budget_of(book, totals(book, window_of(book.objective).start(at), at), at)


def budget_of(book: Ledger, found: Totals, at: datetime) -> Budget:
    """The error budget whose window's totals at `at` were read already."""
    objective = book.objective
    window = window_of(objective)
    return Budget(found, objective.target, window.length, _expected(objective, found, at))


def burns(book: Ledger, at: datetime, windows: Sequence[timedelta]) -> dict[timedelta, float | None]:
    """The burn rate over each of the windows that end at `at`; `None` where nothing was measured."""
    found = totals_many(book, [(periods.beginning(at, window), at) for window in windows])
    return {window: burn(one, book.objective.target) for window, one in zip(windows, found, strict=True)}


def series(book: Ledger, start: datetime, end: datetime, points: int) -> list[Bucket]:
    """`start` to `end` in about `points` stretches of equal length, for a chart; at least a slice each."""
    return _buckets(book, list(pairwise(grid(start, end, points))))


def window_series(book: Ledger, window: timedelta, start: datetime, end: datetime, points: int) -> list[Bucket]:
    """The window of this length as it stood at about `points` round instants from `start`, and at `end` itself."""
    return _buckets(book, [(periods.beginning(edge, window), edge) for edge in _edges(start, end, points)])


def burn_series(
    book: Ledger, window: timedelta, start: datetime, end: datetime, points: int
) -> list[tuple[datetime, float | None]]:
    """The burn rate over `window` at about `points` instants from `start`, the last one at `end`."""
    found = window_series(book, window, start, end, points)
    return [(bucket.end, burn(bucket.totals, book.objective.target)) for bucket in found]


def budget_series(book: Ledger, start: datetime, end: datetime, points: int) -> list[tuple[datetime, float | None]]:
    """The share of the budget that was left at about `points` instants from `start`, the last one at `end`."""
    window = window_of(book.objective)
    found = _buckets(book, [(window.start(edge), edge) for edge in _edges(start, end, points)])
    return [(bucket.end, budget_of(book, bucket.totals, bucket.end).left) for bucket in found]


def _buckets(book: Ledger, windows: Sequence[Interval]) -> list[Bucket]:
    found = totals_many(book, windows)
    return [Bucket(start, end, one) for (start, end), one in zip(windows, found, strict=True)]


def _edges(start: datetime, end: datetime, points: int) -> list[datetime]:
    edges = grid(start, end, points)
    # What is drawn last is what stands in figures beside it.
    return edges + ([end] if edges[-1] < end else [])


def _expected(objective: Objective, found: Totals, at: datetime) -> float | None:
    """How many time slices the whole calendar period of the budget at `at` has; `None` where events are counted."""
    window, by_time = window_of(objective), objective.kind in BY_TIME
    slices = budgeting_of(objective)
    if not window.calendar or not (by_time or slices.method == "timeslices"):
        return None
    length = settings.SLICE if by_time else slices.length or settings.SLICE
    return (window.span(at) - found.excluded) / length


def _by_intervals(
    books: Sequence[Ledger], excluded: Mapping[int, Sequence[Interval]]
) -> dict[tuple[Interval, ...], list[Ledger]]:
    """The ledgers by what is excluded of them: most share it."""
    found: dict[tuple[Interval, ...], list[Ledger]] = {}
    for one in books:
        found.setdefault(tuple(excluded.get(one.objective_id, ())), []).append(one)
    return found


def _history(book: Ledger, known: Mapping[datetime, Mark | None], excluded: Sequence[Interval]) -> History:
    marks = {mark.at: mark for mark in (lookups.origin(book), *known.values()) if mark}
    return History([marks[at] for at in sorted(marks)], excluded, book.begins)
