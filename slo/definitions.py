"""From stored objectives to what the engine computes with, and back: the one place that writes definitions."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, cast

from django.db import transaction
from django.utils import timezone

from slo import instants
from slo.counting import Comparison, Kind, Marks, Matcher, Sli, matchers_of
from slo.definition import BudgetAlert, Budgeting, Definition, Method, NoDataAlert
from slo.models import AlertRule, Flow, Objective
from slo.periods import HOUR, Calendar, Window
from slo.states import Policy
from slo.tiers import Severity, Tier
from telemetry.models import Source

type Rule = Tier | BudgetAlert | NoDataAlert

# What says which events count; when it changes, earlier slices counted something else.
_COUNTED = (
    "source",
    "kind",
    "metric",
    "matchers",
    "marks",
    "bad_metric",
    "bad_matchers",
    "threshold",
    "bad_expression",
    "total_expression",
    "expression",
    "comparison",
    "grouping",
    "method",
    "time_slice",
    "time_slice_target",
)
# What people edit; every other field moves by itself, perhaps since an instance was loaded.
_EDITED = (
    "flow",
    "name",
    "description",
    "labels",
    *_COUNTED,
    "target",
    "window",
    "calendar",
    "time_zone",
    "confidence",
    "min_bad",
    "archived_at",
)


# -- From rows to data
def definition_of(objective: Objective, rules: Iterable[AlertRule] | None = None) -> Definition:
    """The objective as plain data; `flow` is empty unless the row's flow is loaded.

    With its active `rules` at hand no query is made. Raises `ValueError` for matchers that no form lets through.
    """
    known = [rule_of(row) for row in (objective.rules.active() if rules is None else rules)]
    return Definition(
        name=objective.name,
        sli=sli_of(objective),
        target=objective.target,
        window=window_of(objective),
        budgeting=budgeting_of(objective),
        tiers=tuple(rule for rule in known if isinstance(rule, Tier)),
        policy=policy_of(objective),
        budget_alerts=tuple(rule for rule in known if isinstance(rule, BudgetAlert)),
        no_data=next((rule for rule in known if isinstance(rule, NoDataAlert)), None),
        flow=objective.flow.name if Objective.flow.is_cached(objective) else "",
        description=objective.description,
        labels=dict(objective.labels),
    )


def sli_of(objective: Objective) -> Sli:
    """How the objective counts. Raises `ValueError` for matchers that no form lets through."""
    return Sli(
        kind=cast(Kind, str(objective.kind)),
        metric=objective.metric,
        matchers=matchers_of(objective.matchers),
        bad_matchers=matchers_of(objective.bad_matchers),
        threshold=objective.threshold,
        bad_expression=objective.bad_expression,
        total_expression=objective.total_expression,
        marks=cast(Marks, str(objective.marks)),
        bad_metric=objective.bad_metric,
        expression=objective.expression,
        comparison=cast(Comparison, str(objective.comparison)),
        group_by=tuple(objective.grouping),
    )


def window_of(objective: Objective) -> Window:
    return Window(objective.window, cast(Calendar, str(objective.calendar)), objective.time_zone)


def budgeting_of(objective: Objective) -> Budgeting:
    return Budgeting(cast(Method, str(objective.method)), objective.time_slice, objective.time_slice_target)


def policy_of(objective: Objective) -> Policy:
    confidence = None if objective.confidence is None else float(objective.confidence)
    return Policy(min_bad=objective.min_bad, confidence=confidence)


def rule_of(row: AlertRule) -> Rule:
    """What one stored rule says, equal to what the objective's definition holds."""
    severity = cast(Severity, str(row.severity))
    match row.kind:
        case AlertRule.Kind.BUDGET:
            return BudgetAlert(severity, row.budget_share)
        case AlertRule.Kind.NO_DATA:
            return NoDataAlert(severity, row.long)
    return tier_of(row)


def tier_of(row: AlertRule) -> Tier:
    return Tier(cast(Severity, str(row.severity)), row.long, row.short, row.budget_share)


def tiers_of(objective: Objective) -> list[Tier]:
    """The tiers in use, pages first, the fastest first."""
    return [tier_of(row) for row in objective.tiers.active()]


# -- From data to rows
def save_definition(
    flow: Flow, source: Source, definition: Definition, objective: Objective | None = None
) -> Objective:
    """Create an objective of `flow`, or change `objective`, into what the definition says, its alert rules included."""
    objective = objective or Objective()
    objective.flow, objective.source = flow, source
    for name, value in _fields(definition).items():
        setattr(objective, name, value)
    return save_objective(objective, rules_of(definition))


@transaction.atomic
def save_objective(objective: Objective, rules: Iterable[Rule]) -> Objective:
    """Create or change an objective together with all its alert rules.

    Rules that are no longer among `rules` are archived with their history. When other events count than before, a
    new generation of ledgers is measured, from the store's history; the old ones stay. When only the window grew,
    the present ledgers are continued into the past.
    """
    if objective._state.adding:
        objective.save()
    else:
        _change(objective)
    _replace_rules(objective, tuple(dict.fromkeys(rules)))
    return objective


def rules_of(definition: Definition) -> list[Rule]:
    """All its alert rules: tiers, budget alerts, then the no-data alert."""
    last = [definition.no_data] if definition.no_data else []
    return [*definition.tiers, *definition.budget_alerts, *last]


def restarts_ledger(before: Objective, after: Objective) -> bool:
    """Whether saving `after` over `before` means to measure anew, because other events count."""
    return before.source_id != after.source_id or restarts(definition_of(before, ()), definition_of(after, ()))


def restarts(before: Definition, after: Definition) -> bool:
    """Whether `after` counts other events than `before`; the order of matchers makes none."""
    return _counted(before) != _counted(after)


def restart_ledger(objective: Objective) -> None:
    """Begin a new generation of ledgers, which is measured anew; the old generation's stay as they are."""
    objective.generation += 1
    objective.measured_until = objective.measured_from = objective.history_goal = None
    objective.last_error, objective.last_error_at, objective.overflow = "", None, ""
    objective.save(
        update_fields=[
            "generation",
            "measured_until",
            "measured_from",
            "history_goal",
            "last_error",
            "last_error_at",
            "overflow",
        ]
    )


def history_goal(window: Window, at: datetime) -> datetime:
    """Where the ledgers of an objective over `window` have to begin, for someone who looks at `at`; a full hour."""
    return instants.floor(window.start(at), HOUR)


def _change(objective: Objective) -> None:
    # Locks the row, where the database can: a worker that appends meanwhile waits, then finds another generation.
    before = Objective.objects.select_for_update().get(pk=objective.pk)
    objective.save(update_fields=_EDITED)
    # What the worker moved since this instance was loaded.
    objective.refresh_from_db(fields=["generation", "measured_until", "measured_from", "history_goal"])
    if restarts_ledger(before, objective):
        restart_ledger(objective)
    elif before.history_goal and (goal := history_goal(window_of(objective), timezone.now())) < before.history_goal:
        objective.history_goal = goal
        objective.save(update_fields=["history_goal"])


def _counted(definition: Definition) -> tuple[object, ...]:
    sli = _essence(definition.sli)
    sets = (frozenset(sli.matchers), frozenset(sli.bad_matchers), frozenset(definition.sli.group_by))
    return *sets, replace(sli, matchers=(), bad_matchers=()), definition.budgeting


def _essence(sli: Sli) -> Sli:
    """Without what another kind of SLI left in it."""
    if sli.by_time:
        threshold = None if sli.kind == "bool" else sli.threshold
        comparison = sli.comparison if sli.kind == "gauge" else "lte"
        return Sli(sli.kind, expression=sli.expression, threshold=threshold, comparison=comparison)
    if sli.by_expression:
        return Sli("events", bad_expression=sli.bad_expression, total_expression=sli.total_expression, marks=sli.marks)
    if sli.kind == "latency":
        return Sli("latency", sli.metric, sli.matchers, threshold=sli.threshold)
    return Sli("events", sli.metric, sli.matchers, sli.bad_matchers, marks=sli.marks, bad_metric=sli.bad_metric)


def _fields(definition: Definition) -> dict[str, Any]:
    sli, window, budgeting, policy = definition.sli, definition.window, definition.budgeting, definition.policy
    return {
        "name": definition.name,
        "description": definition.description,
        "labels": dict(definition.labels),
        "kind": sli.kind,
        "metric": sli.metric,
        "matchers": _stored(sli.matchers),
        "marks": sli.marks,
        "bad_metric": sli.bad_metric,
        "bad_matchers": _stored(sli.bad_matchers),
        "threshold": sli.threshold,
        "bad_expression": sli.bad_expression,
        "total_expression": sli.total_expression,
        "expression": sli.expression,
        "comparison": sli.comparison,
        "grouping": list(sli.group_by),
        "method": budgeting.method,
        "time_slice": budgeting.length,
        "time_slice_target": budgeting.target,
        "target": definition.target,
        "window": window.length,
        "calendar": window.calendar,
        "time_zone": window.zone,
        "confidence": None if policy.confidence is None else Decimal(str(policy.confidence)),
        "min_bad": policy.min_bad,
    }


def _stored(matchers: Iterable[Matcher]) -> list[dict[str, str]]:
    return [asdict(matcher) for matcher in matchers]


def _replace_rules(objective: Objective, rules: tuple[Rule, ...]) -> None:
    present = {rule_of(row): row for row in objective.rules.active()}
    gone = [row.pk for rule, row in present.items() if rule not in rules]
    objective.rules.filter(pk__in=gone).update(archived_at=timezone.now())
    AlertRule.objects.bulk_create(_row(objective, rule) for rule in rules if rule not in present)


def _row(objective: Objective, rule: Rule) -> AlertRule:
    kind, long, short, share = AlertRule.Kind.BURN, timedelta(0), timedelta(0), Decimal(0)
    match rule:
        case Tier():
            long, short, share = rule.long, rule.short, rule.budget_share
        case BudgetAlert():
            kind, share = AlertRule.Kind.BUDGET, rule.spent
        case NoDataAlert():
            kind, long = AlertRule.Kind.NO_DATA, rule.after
    return AlertRule(objective=objective, kind=kind, severity=rule.severity, long=long, short=short, budget_share=share)
