"""Running totals of many ledgers at many instants, in a handful of queries however long the ledgers are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import batched
from typing import Any

from django.db.models import OuterRef, QuerySet, Subquery

from slo import history
from slo.models import Ledger, Slice
from slo.periods import Interval
from slo.windows import Mark, last_before

type Marks = dict[datetime, Mark | None]

# As many instants as one query looks up by subqueries of their own.
_FEW = 8
# As many of one ledger as are looked up so; for more, the rows that they span are read once.
_MOST = 48
_BATCH = 500
_FIELDS = ("end", "running_bad", "running_total", "running_measured")


def marks_of(books: Sequence[Ledger], instants: Iterable[datetime]) -> dict[int, Marks]:
    """For each ledger, by its key, the running totals at each instant: of the last slice that ended at or before it.

    Before its first slice that is where its totals begin, as of when the ledger was loaded; `None` while it is empty.
    """
    wanted = sorted(set(instants))
    found: dict[int, Marks] = {book.pk: {} for book in books}
    # Most instants are the end of a slice: one query for all of them.
    for book, mark in _exact(books, wanted):
        found[book][mark.at] = mark
    for missing, those in _missing(books, found, wanted).items():
        for pk, marks in _between(those, missing).items():
            found[pk] |= marks
    return found


def origin(book: Ledger) -> Mark | None:
    """Where the running totals of a ledger begin."""
    if book.begins is None:
        return None
    return Mark(book.begins, book.base_bad, book.base_total, timedelta(seconds=book.base_measured))


def _exact(books: Sequence[Ledger], wanted: Sequence[datetime]) -> Iterator[tuple[int, Mark]]:
    for some in batched(books, _BATCH, strict=False):
        for instants in batched(wanted, _BATCH, strict=False):
            rows = Slice.objects.filter(ledger__in=[book.pk for book in some], end__in=instants)
            for book, *values in rows.values_list("ledger_id", *_FIELDS):
                yield book, _mark(*values)


def _missing(
    books: Sequence[Ledger], found: Mapping[int, Marks], wanted: Sequence[datetime]
) -> dict[tuple[datetime, ...], list[Ledger]]:
    """Instants that are not the end of a slice, and the ledgers to ask. Those before a ledger begins need no asking."""
    together = defaultdict[tuple[datetime, ...], list[Ledger]](list)
    for book in books:
        marks, first = found[book.pk], origin(book)
        for at in wanted:
            if at not in marks and (first is None or at <= first.at):
                marks[at] = first
        if missing := tuple(at for at in wanted if at not in marks):
            together[missing].append(book)
    return together


def _between(books: Sequence[Ledger], wanted: Sequence[datetime]) -> dict[int, Marks]:
    """The marks at instants, in order, that may lie within slices or after the last one."""
    if len(wanted) > _MOST:
        return {book.pk: _spanned(book, wanted) for book in books}
    found: dict[int, Marks] = {book.pk: {} for book in books}
    # Within the first slice the totals are still those at its start.
    first = {book.pk: origin(book) for book in books}
    for some in batched(books, _BATCH, strict=False):
        for instants in batched(wanted, _FEW, strict=False):
            for pk, *values in _last_rows(some, instants):
                sums = batched(values, len(_FIELDS), strict=True)
                found[pk] |= {at: _mark(*one) if one[0] else first[pk] for at, one in zip(instants, sums, strict=True)}
    return found


def _last_rows(books: Sequence[Ledger], instants: Sequence[datetime]) -> Iterable[tuple[Any, ...]]:
    """Each ledger's key, and the fields of its last slice at or before each instant, all from one statement.

    In two, the slice might be thinned away in between.
    """
    fields = {
        f"{field}_{n}": Subquery(
            Slice.objects.filter(ledger=OuterRef("pk"), end__lte=at).order_by("-end").values(field)[:1]
        )
        for n, at in enumerate(instants)
        for field in _FIELDS
    }
    ledgers = Ledger.objects.filter(pk__in=[book.pk for book in books]).order_by()
    return ledgers.annotate(**fields).values_list("pk", *fields)


def _spanned(book: Ledger, wanted: Sequence[datetime]) -> Marks:
    """The marks of one ledger, by reading the rows that the instants span once."""
    first = _between([book], wanted[:1])[book.pk][wanted[0]]
    rows = Slice.objects.filter(ledger=book, end__gt=wanted[0], end__lte=wanted[-1]).order_by("end")
    known = [*([first] if first else []), *(_mark(*row) for row in rows.values_list(*_FIELDS).iterator())]
    return {at: last_before(known, at) for at in wanted}


def _mark(end: datetime, bad: float, total: float, measured: float) -> Mark:
    return Mark(end, bad, total, timedelta(seconds=measured))


def read(slices: QuerySet[Slice]) -> Iterator[Mark]:
    """The marks at the ends of these slices."""
    return (_mark(*row) for row in slices.values_list(*_FIELDS).iterator())


# -- Which slices an interval touches
def snapped(books: Sequence[Ledger], intervals: Sequence[Interval]) -> dict[int, tuple[Interval, ...]]:
    """For each ledger, the intervals moved outward to the edges of measured slices, of which nothing counts then."""
    found = dict.fromkeys((book.pk for book in books), tuple(intervals))
    edges = sorted({edge for interval in intervals for edge in interval})
    if not edges:
        return found
    known: dict[int, Marks] = {book.pk: {} for book in books}
    for pk, mark in _exact(books, edges):
        known[pk][mark.at] = mark
    for missing, those in _missing(books, known, edges).items():
        for pk, touched in _touched(those, missing).items():
            found[pk] = history.snapped(_outward(intervals, touched), ())
    return found


def _touched(books: Sequence[Ledger], edges: Sequence[datetime]) -> dict[int, dict[datetime, Interval]]:
    """Start and end of the measured slice that each edge lies in."""
    found: dict[int, dict[datetime, Interval]] = {book.pk: {} for book in books}
    for some in batched(books, _BATCH, strict=False):
        for instants in batched(edges, _FEW, strict=False):
            for pk, *values in _around(some, instants):
                for at, (start, end, total) in zip(instants, batched(values, 3, strict=True), strict=True):
                    if start and start < at and total is not None:
                        found[pk][at] = (start, end)
    return found


def _around(books: Sequence[Ledger], instants: Sequence[datetime]) -> Iterable[tuple[Any, ...]]:
    """Each ledger's key, and start, end and total of the first slice that ends after each instant."""
    fields = {
        f"{field}_{n}": Subquery(
            Slice.objects.filter(ledger=OuterRef("pk"), end__gt=at).order_by("end").values(field)[:1]
        )
        for n, at in enumerate(instants)
        for field in ("start", "end", "total")
    }
    ledgers = Ledger.objects.filter(pk__in=[book.pk for book in books]).order_by()
    return ledgers.annotate(**fields).values_list("pk", *fields)


def _outward(intervals: Iterable[Interval], touched: Mapping[datetime, Interval]) -> list[Interval]:
    return [(touched.get(left, (left, left))[0], touched.get(right, (right, right))[1]) for left, right in intervals]
