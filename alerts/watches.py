"""What evaluation knows of objectives before it looks at their slices: loaded for hundreds in a few queries."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from alerts import retirement
from alerts.models import Alert, Cursor
from slo import instants
from slo.definition import Definition
from slo.definitions import definition_of, rule_of
from slo.judgement import Rule
from slo.models import AlertRule, Ledger, Objective

log = logging.getLogger(__name__)

NEW_COUNT = "Taken off: what the objective counts was changed"


@dataclass(slots=True)
class Watch:
    """One objective on its way through the slices that its alerts have not seen."""

    objective: Objective
    definition: Definition
    rows: dict[Rule, AlertRule]
    # The end of the last slice that was evaluated; moving it asks for this value.
    seen_until: datetime
    # The ledgers of its groups; one without grouping.
    books: list[Ledger]
    # Those that fire, by rule and group.
    firing: dict[tuple[Rule, str], Alert]
    # Another worker moved the cursor: what is known here is old, and the next round will know better.
    overtaken: bool = False

    @property
    def behind(self) -> bool:
        """Whether there are slices to look at."""
        until = self.objective.measured_until
        return until is not None and until > self.seen_until

    @property
    def without_ledger(self) -> set[str]:
        """Groups with an alert that fires and no ledger any more; `""` before any group was known is one."""
        return {group for _rule, group in self.firing} - {book.group for book in self.books} if self.books else set()


def load(objective_ids: Sequence[int], now: datetime) -> list[Watch]:
    """The active ones of these objectives. An objective that was never evaluated begins at its newest slice."""
    objectives = list(Objective.objects.active().select_related("flow").filter(pk__in=objective_ids))
    # Before the alerts: with older alerts than the cursor says, a slice would be shown to the wrong state.
    cursors = _cursors(objectives, now)
    current = [one for one in objectives if cursors[one.pk].generation == one.generation]
    rules = _by_objective(AlertRule.objects.active().filter(objective__in=current))
    generations = {one.pk: one.generation for one in current}
    ledgers = Ledger.objects.filter(objective__in=current, generation=F("objective__generation"))
    # Not those of a generation that began since the objectives were read.
    books = _by_objective(book for book in ledgers if book.generation == generations[book.objective_id])
    alerts = Alert.objects.firing().filter(tier__objective__in=current, tier__archived_at=None)
    firing = defaultdict[int, list[Alert]](list)
    for alert in alerts.select_related("tier"):
        firing[alert.tier.objective_id].append(alert)
    found = (_watch(one, rules[one.pk], cursors[one.pk], books[one.pk], firing[one.pk]) for one in current)
    return [watch for watch in found if watch]


def _watch(
    objective: Objective, rules: list[AlertRule], cursor: Cursor, books: list[Ledger], firing: list[Alert]
) -> Watch | None:
    try:
        definition = definition_of(objective, rules)
    except ValueError as error:
        # Measuring it says so on its page; it must not stop the others.
        log.warning("Objective %s cannot be evaluated: %s", objective.pk, error)
        return None
    by_pk = {row.pk: rule_of(row) for row in rules}
    rows = {by_pk[row.pk]: row for row in rules}
    for row in rules:
        row.objective = objective
    for book in books:
        book.objective = objective
    states = dict[tuple[Rule, str], Alert]()
    for alert in firing:
        # A rule that was added since the rules were read is evaluated next time.
        if rule := by_pk.get(alert.tier_id):
            alert.tier = rows[rule]
            states[rule, alert.group] = alert
    return Watch(objective, definition, rows, cursor.evaluated_until, books, states)


def _by_objective[Row: (AlertRule, Ledger)](rows: Iterable[Row]) -> dict[int, list[Row]]:
    found = defaultdict[int, list[Row]](list)
    for row in rows:
        found[row.objective_id].append(row)
    return found


# -- Where evaluation stands
def _cursors(objectives: Sequence[Objective], now: datetime) -> dict[int, Cursor]:
    """How far each objective was evaluated. Nobody is woken for history: a new one begins at its newest slice."""
    known = _read_cursors(objectives)
    if new := [one for one in objectives if one.pk not in known]:
        rows = [
            Cursor(objective=one, generation=one.generation, evaluated_until=_before_newest(one, now)) for one in new
        ]
        Cursor.objects.bulk_create(rows, ignore_conflicts=True)
        known |= _read_cursors(new)
    for one in objectives:
        if known[one.pk].generation < one.generation:
            _begin_anew(one, known[one.pk], now)
    return known


def _read_cursors(objectives: Sequence[Objective]) -> dict[int, Cursor]:
    return {cursor.objective_id: cursor for cursor in Cursor.objects.filter(objective__in=objectives)}


def _before_newest(objective: Objective, now: datetime) -> datetime:
    length = slice_of(objective)
    return instants.floor(now - settings.SETTLE - length, length)


def slice_of(objective: Objective) -> timedelta:
    """How long the newest slices of its ledgers are."""
    return objective.time_slice or settings.SLICE


@transaction.atomic
def _begin_anew(objective: Objective, cursor: Cursor, now: datetime) -> None:
    """Other events count now: what fired for the old ones is over, and the first new slice ends after that."""
    start = max(cursor.evaluated_until, instants.floor(now, settings.SLICE))
    mine = Cursor.objects.filter(pk=cursor.pk, generation=cursor.generation)
    if not mine.update(generation=objective.generation, evaluated_until=start):
        return
    cursor.generation, cursor.evaluated_until = objective.generation, start
    for alert in Alert.objects.firing().filter(tier__objective=objective).select_related("tier__objective__flow"):
        retirement.resolve(alert, NEW_COUNT, now)
