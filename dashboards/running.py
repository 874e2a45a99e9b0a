"""Reads the ledgers of many objectives at once: a few queries however many there are.

`slo.ledger` answers for one of them at a time; a page that shows all must not ask once a row.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from slo import ledger, periods
from slo.budget import Budget
from slo.definitions import window_of
from slo.history import History
from slo.instants import floor
from slo.models import Ledger, Slice
from slo.windows import NOTHING, Totals

DAY = timedelta(hours=24)
# Slices of every length that Fireline makes end on the half hour.
STEP = timedelta(minutes=30)
# A burn over a longer time than this hardly changes within a day; the line would cost more than it shows.
LONGEST = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Whole:
    """The budget of the objective's own window in one ledger, and how its newest slice was."""

    # `None` before anything is measured.
    budget: Budget | None = None
    # Why the newest slice was not measured; empty when it was.
    reason: str = ""
    # Whether the newest slice is taken out by maintenance.
    maintenance: bool = False

    @property
    def left(self) -> float | None:
        return self.budget.left if self.budget else None


@dataclass(frozen=True, slots=True)
class Course:
    """How one ledger burned lately: over a tier's long window, and along the last day.

    `None` along the day is a time for which the ledger has no row.
    """

    long: Totals = NOTHING
    day: tuple[Totals | None, ...] = ()


def wholes(books: Sequence[Ledger]) -> dict[int, Whole]:
    """By the ledgers' keys. Their objectives must be loaded."""
    reasons = _newest_reasons(books)
    found = dict[int, Whole]()
    for until, together in _by_end(books).items():
        starts = {book.pk: window_of(book.objective).start(until) for book in together}
        histories = ledger.histories(together, [until, *starts.values()])
        for book in together:
            history = histories[book.pk]
            budget = ledger.budget_of(book, history.between(starts[book.pk], until), until)
            found[book.pk] = Whole(budget, reasons.get(book.pk, ""), history.in_maintenance(until))
    return found


def courses(books: Sequence[Ledger], longs: Mapping[int, timedelta], now: datetime) -> dict[int, Course]:
    """By the ledgers' keys. `longs` is how far back each looks for its burn rate."""
    found = dict[int, Course]()
    for until, together in _by_end(books).items():
        grid = _grid(now, [longs[book.pk] for book in together])
        starts = {book.pk: periods.beginning(until, longs[book.pk]) for book in together}
        for pk, history in ledger.histories(together, [until, *starts.values(), *grid]).items():
            long = history.between(starts[pk], until)
            found[pk] = Course(long, _ending(_along(history, grid, longs[pk], until), long, grid, until))
    return found


def _by_end(books: Sequence[Ledger]) -> dict[datetime, list[Ledger]]:
    """The ledgers by where they end: most do at the same instant, and then share every question."""
    found = defaultdict[datetime, list[Ledger]](list)
    for book in books:
        if book.objective.measured_until:
            found[book.objective.measured_until].append(book)
    return found


def _newest_reasons(books: Sequence[Ledger]) -> dict[int, str]:
    newest = Slice.objects.filter(ledger__in=books, end=F("ledger__objective__measured_until"), total=None)
    return dict(newest.values_list("ledger_id", "reason"))


def _steps(long: timedelta) -> int:
    return max(1, round(min(long, LONGEST) / STEP))


def _grid(now: datetime, longs: Sequence[timedelta]) -> list[datetime]:
    """Half hours, oldest first: the last day, and before it as much as the longest burn there looks back."""
    last = floor(now, STEP)
    before = max(map(_steps, longs), default=1)
    return [last - place * STEP for place in reversed(range(DAY // STEP + before))]


def _along(history: History, grid: Sequence[datetime], long: timedelta, until: datetime) -> list[Totals | None]:
    """The burn at the half hours of the last day, each over the time before it."""
    back = _steps(long) * STEP
    begins = history.begins
    return [
        history.between(at - back, at) if begins and begins <= at - back and at <= until else None
        for at in grid[-(DAY // STEP) :]
    ]


def _ending(
    along: list[Totals | None], long: Totals, grid: Sequence[datetime], until: datetime
) -> tuple[Totals | None, ...]:
    """The line up to the newest slice; a gap at its end if that is older than the half hour before the last."""
    if until <= grid[-2]:
        return (*along, None)
    # Just after a half hour the ledger has not reached it: the newest slice stands in its place.
    return (*along, long) if until >= grid[-1] else (*along[:-1], long)
