"""Old slices become hours, and older ones go: ledgers stay small, and no budget changes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q

from slo import maintenance
from slo.definitions import window_of
from slo.instants import floor
from slo.models import Ledger, Objective, Slice
from slo.periods import HOUR, Interval

# As much of a ledger, and as many ledgers, as one transaction holds in memory.
STRETCH = timedelta(days=1)
_LEDGERS = 50
# Hours are worth merging a few at a time, rather than each as it comes.
_PATIENCE = timedelta(hours=6)
# Past a window's length, for calendar windows longer than their nominal one and for charts of what was.
_SLACK = timedelta(days=7)
_BATCH = 500


# -- Thinning
def thin(now: datetime) -> bool:
    """Merge some slices that are older than `settings.KEEP_SLICES` to hours; whether there are more.

    Only slices of one hour that were all measured, or all not for the same reason, become one, and none that
    maintenance tells apart: every mark at a full hour stays what it was, and so does every window that begins and
    ends at such. Longer windows always do (`periods.beginning`).
    """
    until = floor(now - settings.KEEP_SLICES, HOUR)
    due = Ledger.objects.filter(begins__lt=until).filter(
        Q(thinned_until=None) | Q(thinned_until__lte=until - _PATIENCE)
    )
    books = list(due.select_related("objective").order_by(F("thinned_until").asc(nulls_last=True), "begins")[:_LEDGERS])
    together = defaultdict[datetime, list[Ledger]](list)
    for book in books:
        if start := book.thinned_until or book.begins:
            together[floor(start, HOUR)].append(book)
    for start, those in together.items():
        _thin(those, start, min(until, start + STRETCH))
    return len(books) == _LEDGERS or any(start + STRETCH < until for start in together)


@transaction.atomic
def _thin(books: Sequence[Ledger], start: datetime, end: datetime) -> None:
    """Merge the slices of these ledgers that end after `start` and by `end`."""
    # The slices of different workers' stretches are the same ones: one of them merges, the other finds it done.
    mine = Ledger.objects.select_for_update().order_by("pk").filter(pk__in=[book.pk for book in books])
    unmoved = {(book.pk, book.thinned_until) for book in mine}
    books = [book for book in books if (book.pk, book.thinned_until) in unmoved]
    taken = maintenance.intervals_of([book.objective for book in books], start, end)
    edges = {
        book.pk: [
            # A calendar period may begin at a half hour: that of the zone's midnight.
            window_of(book.objective).start(end),
            *(edge for interval in taken[book.objective_id] for edge in interval),
        ]
        for book in books
    }
    merged, gone = list[Slice](), defaultdict[Interval, list[int]](list)
    slices = Slice.objects.filter(ledger__in=edges, end__gt=start, end__lte=end).order_by("ledger_id", "end")
    for _book, rows in groupby(slices.iterator(), key=lambda row: row.ledger_id):
        for run in _runs(rows, edges):
            merged.append(_merged(run))
            gone[run[0].end, run[-1].end].append(run[0].ledger_id)
    for (first, last), ledgers in gone.items():
        Slice.objects.filter(ledger__in=ledgers, end__gte=first, end__lte=last).delete()
    Slice.objects.bulk_create(merged, batch_size=_BATCH)
    Ledger.objects.filter(pk__in=edges).update(thinned_until=end)


def _runs(rows: Iterable[Slice], edges: dict[int, list[datetime]]) -> Iterator[list[Slice]]:
    """Slices of one ledger that follow each other and may become one, where there are several."""

    def alike(row: Slice) -> tuple[object, ...]:
        hour = floor(row.start, HOUR)
        if row.end > hour + HOUR:
            # What reaches into the next hour stays as it is, or the mark of the full hour would move.
            return (row.end,)
        passed = sum(edge <= row.start for edge in edges[row.ledger_id])
        inside = any(row.start < edge < row.end for edge in edges[row.ledger_id])
        return (hour, row.total is None, row.reason, passed, inside)

    for _key, run in groupby(rows, key=alike):
        if len(found := list(run)) > 1:
            yield found


def _merged(run: Sequence[Slice]) -> Slice:
    last = run[-1]
    measured = last.total is not None
    return Slice(
        ledger_id=last.ledger_id,
        start=run[0].start,
        end=last.end,
        bad=sum(row.bad or 0.0 for row in run) if measured else None,
        total=sum(row.total or 0.0 for row in run) if measured else None,
        reason=last.reason,
        running_bad=last.running_bad,
        running_total=last.running_total,
        running_measured=last.running_measured,
    )


# -- Pruning
def prune(now: datetime) -> None:
    """Delete slices past the objective's window and `settings.KEEP_LEDGER`, and the ledgers of old generations by then.

    A ledger that goes on keeps its newest slice, whatever its age, and the totals that it has reached.
    """
    oldest = now - settings.KEEP_LEDGER - STRETCH
    for objective in Objective.objects.filter(ledgers__begins__lt=oldest).distinct():
        kept = max(settings.KEEP_LEDGER, objective.window + _SLACK)
        _prune(objective, floor(now - kept, HOUR))


@transaction.atomic
def _prune(objective: Objective, before: datetime) -> None:
    # History is put before ledgers under the same lock.
    objective = Objective.objects.select_for_update().get(pk=objective.pk)
    for book in Ledger.objects.filter(objective=objective, begins__lt=before):
        current = book.generation == objective.generation
        old = Slice.objects.filter(ledger=book, end__lte=before)
        if current and objective.measured_until:
            old = old.filter(end__lt=objective.measured_until)
        if last := old.order_by("-end").first():
            book.begins = last.end
            book.base_bad, book.base_total = last.running_bad, last.running_total
            book.base_measured = last.running_measured
            book.save(update_fields=["begins", "base_bad", "base_total", "base_measured"])
            old.filter(end__lte=last.end).delete()
        if not current and not Slice.objects.filter(ledger=book).exists():
            book.delete()
    first = _first(objective)
    if first and objective.measured_from and first > objective.measured_from:
        Objective.objects.filter(pk=objective.pk).update(measured_from=first)


def _first(objective: Objective) -> datetime | None:
    """Where the first of the objective's present ledgers begins."""
    begins = Ledger.objects.filter(objective=objective, generation=objective.generation).order_by("begins")
    return begins.values_list("begins", flat=True).first()
