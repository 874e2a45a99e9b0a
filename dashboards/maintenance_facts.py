"""What maintenance pages show: when each takes place, whom it concerns, and what taking it out does to budgets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Q, QuerySet
from django.urls import reverse

from slo import ledger, lookups, maintenance
from slo.budget import Budget
from slo.definitions import window_of
from slo.models import Ledger, Maintenance, Objective
from slo.periods import Interval
from slo.windows import NOTHING, Totals

# Times ahead that are listed of each.
AHEAD = 3
# Ledgers whose budget is computed for a preview; of more these are as telling.
MOST_EFFECTS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One declared maintenance as of `now`."""

    row: Maintenance
    # What takes place now; `None` when nothing does.
    running: Interval | None
    # What begins later, in order.
    coming: Sequence[Interval]

    @property
    def status(self) -> str:
        if self.row.cancelled_at:
            return "cancelled"
        if self.running:
            return "maintenance"
        return "planned" if self.coming else "past"

    @property
    def scope(self) -> str:
        if self.row.objective:
            return f"{self.row.objective} of {self.row.objective.flow}"
        return str(self.row.flow) if self.row.flow else "Everything"

    @property
    def scope_url(self) -> str:
        if self.row.objective:
            return reverse("objective", args=[self.row.objective.pk])
        return reverse("flow", args=[self.row.flow.slug]) if self.row.flow else ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one maintenance takes out of the present window of one ledger."""

    book: Ledger
    taken: Totals
    before: Budget
    after: Budget

    @property
    def change(self) -> float:
        """By how much of the whole budget what is left changes."""
        return abs((self.after.left or 0.0) - (self.before.left or 0.0))


def entry(row: Maintenance, now: datetime) -> Entry:
    if row.cancelled_at:
        return Entry(row, None, ())
    times = maintenance.coming(row, now, AHEAD + 1)
    running = next((one for one in times if one[0] <= now), None)
    return Entry(row, running, [one for one in times if one[0] > now][:AHEAD])


def open_ones(now: datetime) -> list[Entry]:
    """What takes place now or will: running first, then by when it begins."""
    known = (entry(row, now) for row in _rows().filter(cancelled_at=None).filter(_not_over(now)))
    found = [one for one in known if one.status in ("maintenance", "planned")]
    return sorted(found, key=lambda one: one.running or one.coming[0])


def over(now: datetime) -> QuerySet[Maintenance]:
    """What is over or was taken back, newest first; ended rules are among `open_ones`' rows and left out there."""
    ended = [
        row.pk for row in _rows().filter(cancelled_at=None).exclude(rule="") if not maintenance.coming(row, now, 1)
    ]
    return _rows().filter(~Q(cancelled_at=None) | Q(pk__in=ended) | (Q(rule="") & ~_not_over(now)))


def of_objective(objective: Objective, now: datetime, ahead: datetime) -> list[Entry]:
    """What concerns an objective now, or will until `ahead`."""
    found = [one for one in open_ones(now) if maintenance.concerns(one.row, objective)]
    return [one for one in found if one.running or one.coming[0][0] <= ahead]


def effects(draft: Maintenance) -> list[Effect]:
    """What `draft`, not stored yet, takes out of the present windows of the objectives that it concerns.

    Those whose budgets change most come first. What other maintenance takes out already is not counted again.
    """
    books = Ledger.objects.filter(
        generation=F("objective__generation"),
        objective__in=Objective.objects.active(),
        objective__measured_until__isnull=False,
    ).select_related("objective__flow")
    if draft.flow_id:
        books = books.filter(objective__flow=draft.flow_id)
    if draft.objective_id:
        books = books.filter(objective=draft.objective_id)
    found = (_effect(draft, book) for book in books.order_by("objective__flow", "objective", "group")[:MOST_EFFECTS])
    return sorted((one for one in found if one.taken.span), key=lambda one: one.change, reverse=True)


def _effect(draft: Maintenance, book: Ledger) -> Effect:
    objective = book.objective
    at = objective.measured_until
    assert at is not None  # noqa: S101 (only such are asked for)
    start = window_of(objective).start(at)
    parts = maintenance.merged(maintenance.occurrences(draft, start, at), start, at)
    snapped = [(max(start, left), min(at, right)) for left, right in lookups.snapped([book], parts)[book.pk]]
    whole, *taken = ledger.totals_many(book, [(start, at), *snapped])
    total, rest = NOTHING, whole
    for part in taken:
        total, rest = total + part, rest.without(part)
    return Effect(book, total, ledger.budget_of(book, whole, at), ledger.budget_of(book, rest, at))


def _rows() -> QuerySet[Maintenance]:
    return Maintenance.objects.select_related("flow", "objective__flow", "created_by").order_by("-start", "-pk")


def _not_over(now: datetime) -> Q:
    return ~Q(rule="") | Q(start__gt=now - F("length"))
