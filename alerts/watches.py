"""What evaluation knows of objectives before it looks at their slices: loaded for hundreds in a few queries."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from django.conf import settings
from django.db import transaction
from django.db.models import F

from alerts import retirement
from alerts.models import Alert, Cursor
from slo import instants
from slo.counting import Sli
from slo.definition import BudgetAlert, Definition, NoDataAlert
from slo.definitions import policy_of, rule_of, window_of
from slo.judgement import Rule
from slo.models import AlertRule, Ledger, Objective
from slo.periods import Window
from slo.states import Policy
from slo.tiers import Tier

NEW_COUNT = "Taken off: what the objective counts was changed"


@dataclass(slots=True)
class Watch:
    """One objective on its way through the slices that its alerts have not seen."""

    # With those fields only that evaluation needs.
    objective: Objective
    definition: Definition
    # The rules' keys.
    rows: dict[Rule, int]
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
    objectives = list(Objective.objects.active().only(*_NEEDED).filter(pk__in=objective_ids))
    # Before the alerts: with older alerts than the cursor says, a slice would be shown to the wrong state.
    cursors = _cursors(objectives, now)
    current = {one.pk: one for one in objectives if cursors[one.pk].generation == one.generation}
    rules, books, firing = _rules(current), _books(current), _firing(current)
    return [
        Watch(
            objective=one,
            definition=_definition_of(one, tuple(rules[pk])),
            rows=rules[pk],
            seen_until=cursors[pk].evaluated_until,
            books=books[pk],
            # A rule that was added since the rules were read is evaluated next time.
            firing={(rule, alert.group): alert for rule in rules[pk] for alert in firing[rules[pk][rule]]},
        )
        for pk, one in current.items()
    ]


_NEEDED = (
    "flow_id",
    "generation",
    "measured_until",
    "measured_from",
    "history_goal",
    "created_at",
    "last_error",
    "time_slice",
    "target",
    "window",
    "calendar",
    "time_zone",
    "min_bad",
    "confidence",
)


def _rules(objectives: Mapping[int, Objective]) -> dict[int, dict[Rule, int]]:
    """The active rules of each objective, with their keys."""
    found = defaultdict[int, dict[Rule, int]](dict)
    fields = ("objective_id", "pk", "kind", "severity", "long", "short", "budget_share")
    for objective, pk, *values in AlertRule.objects.active().filter(objective__in=objectives).values_list(*fields):
        found[objective][_rule(*values)] = pk
    return found


@lru_cache(maxsize=10_000)
def _rule(kind: str, severity: str, long: timedelta, short: timedelta, share: Decimal) -> Rule:
    return rule_of(AlertRule(kind=kind, severity=severity, long=long, short=short, budget_share=share))


def _books(objectives: Mapping[int, Objective]) -> dict[int, list[Ledger]]:
    found = defaultdict[int, list[Ledger]](list)
    for book in Ledger.objects.filter(objective__in=objectives, generation=F("objective__generation")):
        objective = objectives[book.objective_id]
        # Not those of a generation that began since the objectives were read.
        if book.generation == objective.generation:
            book.objective = objective
            found[book.objective_id].append(book)
    return found


def _firing(objectives: Mapping[int, Objective]) -> dict[int, list[Alert]]:
    """What fires, by the keys of its rules."""
    found = defaultdict[int, list[Alert]](list)
    firing = Alert.objects.firing().filter(tier__objective__in=objectives, tier__archived_at=None)
    for alert in firing.select_related("tier__objective__flow", "incident"):
        found[alert.tier_id].append(alert)
    return found


def _definition_of(objective: Objective, rules: tuple[Rule, ...]) -> Definition:
    return _definition(objective.target, window_of(objective), policy_of(objective), rules)


@lru_cache(maxsize=10_000)
def _definition(target: Decimal, window: Window, policy: Policy, rules: tuple[Rule, ...]) -> Definition:
    """What rules judge by: the same for all objectives that have it in common, whatever they count."""
    return Definition(
        name="",
        sli=Sli("events"),
        target=target,
        window=window,
        tiers=tuple(rule for rule in rules if isinstance(rule, Tier)),
        policy=policy,
        budget_alerts=tuple(rule for rule in rules if isinstance(rule, BudgetAlert)),
        no_data=next((rule for rule in rules if isinstance(rule, NoDataAlert)), None),
    )


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
