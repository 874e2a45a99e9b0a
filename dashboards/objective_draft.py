"""Between an objective's form and its definition: what is stored as texts to edit, what was typed as a definition."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from dashboards import objective_rows
from dashboards.objective_rows import BudgetRow, MatcherRow, Rows, TierRow
from dashboards.typed import plain, written
from slo.counting import Sli
from slo.definition import USUAL_NO_DATA, Budgeting, Definition, NoDataAlert
from slo.definitions import definition_of
from slo.models import Objective
from slo.periods import Window
from slo.states import STANDARD, Policy
from telemetry.models import Source
from telemetry.sources import default_prometheus

USUAL_WINDOW = timedelta(days=30)
USUAL_TARGET = Decimal("0.999")
USUAL_TIME_SLICE = timedelta(minutes=5)
USUAL_TIME_SLICE_TARGET = Decimal("0.95")
BY_TIME = ("gauge", "freshness", "bool")


@dataclass(frozen=True, slots=True)
class Draft:
    """An objective as far as it has to be known to try it out, or to save it."""

    source: Source
    definition: Definition


# -- From a form
def definition(given: Mapping[str, Any], rows: Rows, objective: Objective | None) -> Definition:
    """What the checked values of a form and its rows say; tiers with an error are left out."""
    alerts = dict.fromkeys(row.alert for row in rows.budgets if row.alert and not row.error)
    return Definition(
        name=given.get("name", ""),
        sli=_sli(given, rows),
        target=given["target"],
        window=given["window"],
        budgeting=_budgeting(given),
        tiers=tuple(row.tier for row in rows.tiers if row.tier and not row.error),
        policy=_policy(given),
        budget_alerts=tuple(alerts),
        no_data=NoDataAlert(given["no_data"], given["no_data_after"]) if given["no_data"] else None,
        description=given.get("description", ""),
        labels=dict(objective.labels) if objective else {},
    )


def _sli(given: Mapping[str, Any], rows: Rows) -> Sli:
    chosen = tuple(row.matcher for row in rows.matchers if row.matcher)
    marked = tuple(row.matcher for row in rows.bad if row.matcher)
    groups, marks = given["grouping"], given["marks"]
    match given["counting"]:
        case "expression":
            queries = {"bad_expression": given["bad_expression"], "total_expression": given["total_expression"]}
            return Sli("events", marks=marks, group_by=groups, **queries)
        case "latency":
            return Sli("latency", given["metric"], chosen, threshold=given["threshold"], group_by=groups)
        case "gauge":
            compared = {"threshold": given["level"], "comparison": given["comparison"]}
            return Sli("gauge", expression=given["expression"], group_by=groups, **compared)
        case "freshness":
            age = Decimal(given["age"] // timedelta(milliseconds=1)) / 1000
            return Sli("freshness", expression=given["expression"], threshold=age, group_by=groups)
        case "bool":
            return Sli("bool", expression=given["expression"], group_by=groups)
    other = given["bad_metric"] if given["bad_metric"] != given["metric"] else ""
    return Sli("events", given["metric"], chosen, marked, marks=marks, bad_metric=other, group_by=groups)


def _budgeting(given: Mapping[str, Any]) -> Budgeting:
    if given["method"] != "timeslices" or given["counting"] in BY_TIME:
        return Budgeting()
    return Budgeting("timeslices", given["time_slice"], given["time_slice_target"])


def _policy(given: Mapping[str, Any]) -> Policy:
    sure = given["certainty"] == "sure"
    return replace(STANDARD, min_bad=given["min_bad"], confidence=float(given["confidence"]) if sure else None)


# -- To a form
def proposed() -> dict[str, Any]:
    """The texts of a form for a new objective."""
    return {
        "source": default_prometheus(),
        "counting": "events",
        "target": plain(USUAL_TARGET * 100),
        **_window(Window(USUAL_WINDOW)),
        **_budget_texts(Budgeting()),
        **_policy_texts(STANDARD),
        **_no_data(USUAL_NO_DATA),
        **_sli_texts(Sli("events")),
    }


def stored(objective: Objective) -> dict[str, Any]:
    """The texts of a form for an objective as it is saved."""
    saved = definition_of(objective)
    return {
        "name": saved.name,
        "description": saved.description,
        "source": objective.source_id,
        "counting": "expression" if saved.sli.by_expression else saved.sli.kind,
        "target": plain(saved.target * 100),
        **_window(saved.window),
        **_budget_texts(saved.budgeting),
        **_policy_texts(saved.policy),
        **_no_data(saved.no_data),
        **_sli_texts(saved.sli),
    }


def rows_of(objective: Objective | None) -> Rows:
    if objective is None:
        workbook, usual = objective_rows.workbook_rows(USUAL_WINDOW), objective_rows.usual_budget_rows()
        return Rows([MatcherRow()], [MatcherRow(op="=~")], workbook, usual)
    saved = definition_of(objective)
    return Rows(
        objective_rows.stored_matchers(objective.matchers),
        objective_rows.stored_matchers(objective.bad_matchers),
        [TierRow.of(tier) for tier in saved.tiers],
        [BudgetRow.of(alert) for alert in saved.budget_alerts],
    )


def _sli_texts(sli: Sli) -> dict[str, str]:
    threshold = "" if sli.threshold is None else plain(sli.threshold)
    age = "" if sli.kind != "freshness" or sli.threshold is None else written(timedelta(seconds=float(sli.threshold)))
    return {
        "metric": sli.metric,
        "marks": sli.marks,
        "bad_metric": sli.bad_metric,
        "threshold": threshold if sli.kind == "latency" else "",
        "level": threshold if sli.kind == "gauge" else "",
        "age": age,
        "comparison": sli.comparison,
        "expression": sli.expression,
        "total_expression": sli.total_expression,
        "bad_expression": sli.bad_expression,
        "grouping": ", ".join(sli.group_by),
    }


def _window(window: Window) -> dict[str, str]:
    length = USUAL_WINDOW if window.calendar else window.length
    return {"calendar": window.calendar, "window": written(length), "time_zone": window.zone}


def _budget_texts(budgeting: Budgeting) -> dict[str, str]:
    return {
        "method": budgeting.method,
        "time_slice": written(budgeting.length or USUAL_TIME_SLICE),
        "time_slice_target": plain((budgeting.target or USUAL_TIME_SLICE_TARGET) * 100),
    }


def _policy_texts(policy: Policy) -> dict[str, str]:
    confidence = policy.confidence if policy.confidence is not None else STANDARD.confidence
    return {
        "certainty": "plain" if policy.confidence is None else "sure",
        "confidence": plain(Decimal(str(confidence)) * 100),
        "min_bad": str(policy.min_bad),
    }


def _no_data(alert: NoDataAlert | None) -> dict[str, str]:
    return {"no_data": alert.severity if alert else "", "no_data_after": written((alert or USUAL_NO_DATA).after)}


# -- Compared
def differences(draft: Draft, objective: Objective) -> int:
    """In how many places a draft differs from what is saved."""
    return sum(
        ours != theirs
        for ours, theirs in zip(
            _places(draft.definition, draft.source.pk),
            _places(definition_of(objective), objective.source_id),
            strict=True,
        )
    )


def _places(one: Definition, source: int) -> list[object]:
    sli = one.sli
    counted = [sli.kind, sli.metric, sli.matchers, (sli.marks, sli.bad_metric, sli.bad_matchers), sli.threshold]
    queries = [sli.bad_expression, sli.total_expression, sli.expression]
    compared = sli.comparison if sli.kind == "gauge" else ""
    around = [one.name, one.description, source, frozenset(sli.group_by), one.target, one.window, one.budgeting]
    rules = [frozenset(one.tiers), frozenset(one.budget_alerts), one.no_data, one.policy]
    return [*counted, *queries, compared, *around, *rules]
