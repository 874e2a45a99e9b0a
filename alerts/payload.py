"""The fields of a webhook's JSON beyond its head: documented, field by field, in docs/notifications.md."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from alerts import links
from alerts.incidents import Impact
from alerts.models import Example, Explanation, Incident, Transition
from slo.budget import Budget
from slo.models import AlertRule, Flow, Objective

MOST_CULPRITS = 3


def details(
    incident: Incident,
    main: Transition,
    impact: Impact | None,
    example: Example | None,
    explanation: Explanation | None,
    now: datetime,
) -> dict[str, Any]:
    """What a message about an incident says."""
    objective = main.alert.tier.objective
    return {
        "sent_at": now.isoformat(),
        "severity": incident.severity,
        "incident": {
            "id": incident.pk,
            "name": str(incident),
            "state": incident.state,
            "title": incident.title,
            "since": _moment(incident.since),
            "opened_at": _moment(incident.opened_at),
            "acknowledged_at": _moment(incident.acknowledged_at),
            "resolved_at": _moment(incident.resolved_at),
        },
        "flow": _flow(incident.flow),
        "objective": _objective(objective, impact.labels if impact else {}),
        "alert": _alert(main),
        "requests": _request_numbers(impact),
        "budget": _budget_numbers(impact),
        "explanation": _explanation(explanation),
        "example": _example(example),
        "links": _links(incident.flow, objective)
        | {"incident": links.incident(incident), "example": links.example(example) if example else None},
    }


def details_of_notice(
    transition: Transition,
    labels: Mapping[str, str],
    budget: Budget | None,
    exhausted_at: datetime | None,
    now: datetime,
) -> dict[str, Any]:
    """What a message about a budget or no-data alert says: the same fields, those of an incident are `null`."""
    objective = transition.alert.tier.objective
    left = {"left": budget.left, "spent_by_incident": None, "exhausted_at": _moment(exhausted_at)} if budget else None
    return {
        "sent_at": now.isoformat(),
        "severity": transition.alert.tier.severity,
        "incident": None,
        "flow": _flow(objective.flow),
        "objective": _objective(objective, labels),
        "alert": _alert(transition),
        "requests": None,
        "budget": left,
        "explanation": None,
        "example": None,
        "links": _links(objective.flow, objective),
    }


def _flow(flow: Flow) -> dict[str, Any]:
    return {"name": flow.name, "slug": flow.slug, "team": flow.team, "tier": flow.importance}


def _objective(objective: Objective, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": objective.pk,
        "name": objective.name,
        "group": dict(labels),
        "target": float(objective.target),
        "window_seconds": objective.window.total_seconds(),
        "calendar": objective.calendar or None,
    }


def _alert(transition: Transition) -> dict[str, Any]:
    rule = transition.alert.tier
    kind = AlertRule.Kind(rule.kind)
    return {
        "kind": kind.value,
        "fired_at": _moment(transition.at),
        "reason": transition.reason,
        "burn": _burn_numbers(rule, transition.numbers) if kind == AlertRule.Kind.BURN else None,
        "budget_share": float(rule.budget_share) if kind == AlertRule.Kind.BUDGET else None,
        "after_seconds": rule.long.total_seconds() if kind == AlertRule.Kind.NO_DATA else None,
    }


def _burn_numbers(tier: AlertRule, numbers: dict[str, Any]) -> dict[str, Any]:
    return {
        "long_seconds": tier.long.total_seconds(),
        "short_seconds": tier.short.total_seconds(),
        "long": numbers.get("burn_long"),
        "short": numbers.get("burn_short"),
        "factor": numbers.get("factor"),
    }


def _request_numbers(impact: Impact | None) -> dict[str, Any] | None:
    if impact is None:
        return None
    totals = impact.totals
    return {
        "since": _moment(impact.since),
        "until": _moment(impact.until),
        "bad": totals.bad,
        "total": totals.total,
        "share": totals.ratio,
    }


def _budget_numbers(impact: Impact | None) -> dict[str, Any] | None:
    if impact is None:
        return None
    return {
        "left": impact.budget.left,
        "spent_by_incident": impact.budget_spent,
        "exhausted_at": _moment(impact.exhausted_at),
    }


def _explanation(row: Explanation | None) -> dict[str, Any] | None:
    """What the incident's page tells of it, without the numbers."""
    if row is None:
        return None
    told = {clause["key"] for clause in row.content.get("clauses", ())}
    return {
        "version": row.version,
        "headline": row.headline,
        "findings": [
            {"question": one["question"], "statement": one["statement"], "confidence": one["confidence"]}
            for one in row.content.get("findings", ())
            if one["key"] in told
        ],
        "culprits": [
            {"service": one["service"], "kind": one["kind"], "score": one["score"]}
            for one in row.content.get("culprits", ())[:MOST_CULPRITS]
        ],
    }


def _example(example: Example | None) -> dict[str, Any] | None:
    if example is None:
        return None
    return {
        "trace_id": example.trace_id,
        "span_id": example.span_id or None,
        "what": example.what,
        "started_at": _moment(example.started_at),
        "seconds": example.duration.total_seconds(),
        "part": example.part,
    }


def _links(flow: Flow, objective: Objective) -> dict[str, Any]:
    return {
        "incident": None,
        "example": None,
        "flow": links.flow(flow),
        "objective": links.objective(objective),
        "runbook": flow.runbook_url or None,
    }


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
