"""The fields of a webhook's JSON that tell of an incident: documented, field by field, in docs/notifications.md."""

from datetime import datetime
from typing import Any

from alerts import links
from alerts.incidents import Impact
from alerts.models import Example, Incident, Transition
from slo.models import AlertRule


def details(
    incident: Incident, main: Transition, impact: Impact | None, example: Example | None, now: datetime
) -> dict[str, Any]:
    tier, flow = main.alert.tier, incident.flow
    objective = tier.objective
    return {
        "sent_at": now.isoformat(),
        "severity": incident.severity,
        "incident": {
            "id": incident.pk,
            "name": str(incident),
            "state": incident.state,
            "title": incident.title,
            "since": _moment(incident.onset_at or incident.opened_at),
            "opened_at": _moment(incident.opened_at),
            "acknowledged_at": _moment(incident.acknowledged_at),
            "resolved_at": _moment(incident.resolved_at),
        },
        "flow": {"name": flow.name, "slug": flow.slug, "team": flow.team, "tier": flow.importance},
        "objective": {
            "id": objective.pk,
            "name": objective.name,
            "target": float(objective.target),
            "window_seconds": objective.window.total_seconds(),
        },
        "alert": {"fired_at": _moment(main.at), "reason": main.reason, "burn": _burn_numbers(tier, main.numbers)},
        "requests": _request_numbers(impact),
        "budget": _budget_numbers(impact),
        "example": _example(example),
        "links": {
            "incident": links.incident(incident),
            "example": links.example(example) if example else None,
            "flow": links.flow(flow),
            "objective": links.objective(objective),
            "runbook": flow.runbook_url or None,
        },
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


def _moment(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
