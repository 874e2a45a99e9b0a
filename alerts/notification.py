"""What a notification says. Composed when it is sent, so that it says what is known by then."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from alerts import explanations, headline, incidents, links, notices, payload
from alerts.headline import clock
from alerts.incidents import Impact
from alerts.message import Fact, Link, Notification, budget_left, exactly, facts_of, links_of
from alerts.models import Channel, Delivery, Example, Explanation, Incident, Transition
from slo import wording
from slo.models import AlertRule

TEST = "test"
# What the subject begins with.
_WORDS = {
    Delivery.Event.OPENED: {"page": "Page", "ticket": "Ticket"},
    Delivery.Event.RAISED: {"page": "Now a page", "ticket": "Ticket"},
    Delivery.Event.RESOLVED: {"page": "Resolved", "ticket": "Resolved"},
}


def compose(delivery: Delivery, now: datetime) -> Notification:
    """The message for a delivery, from what the database knows at `now`."""
    if delivery.incident_id is None:
        return notices.compose(delivery, now)
    incident = Incident.objects.select_related("flow", "acknowledged_by").get(pk=delivery.incident_id)
    main = incidents.main_transition(incident) or _of(delivery)
    impact = incidents.impact(incident, now)
    example, explanation = best_example(incident), explanations.latest(incident)
    event = Delivery.Event(delivery.event)
    return Notification(
        event=event.value,
        event_id=f"fireline-transition-{delivery.transition_id}-{event.value}",
        dedup_key=dedup_key(incident.pk),
        word=_WORDS[event][incident.severity],
        title=_title(incident, event),
        summary=_summary(incident, main, impact, now),
        facts=tuple(_facts(incident, main, impact, example, explanation)),
        links=tuple(_links(incident, main, example)),
        details=payload.details(incident, main, impact, example, explanation, now),
    )


def invented(channel: Channel, now: datetime) -> Notification:
    """A message that only shows that the channel works."""
    return Notification(
        event=TEST,
        event_id=f"fireline-test-{channel.pk}-{now:%Y%m%dT%H%M%S%f}",
        dedup_key=f"fireline-test-{channel.pk}",
        word="Test",
        title=f"Fireline can reach {channel.name}",
        summary="Somebody pressed the test button. Nothing is wrong.",
        links=(Link("Fireline", settings.BASE_URL),),
        details={"sent_at": now.isoformat(), "links": {"fireline": settings.BASE_URL}},
    )


def dedup_key(incident_id: int) -> str:
    return f"fireline-incident-{incident_id}"


def best_example(incident: Incident) -> Example | None:
    """The example to look at first: a failed one if there is one, one with spans to look at, the newest."""
    bad = incident.examples.exclude(role=Example.Role.NORMAL)
    # Alphabetically, bad comes before slow; without a span there is nothing to select.
    return bad.exclude(span_id="").order_by("role", "-started_at").first() or bad.order_by("role").first()


def _of(delivery: Delivery) -> Transition:
    return Transition.objects.select_related("alert__tier__objective__flow").get(pk=delivery.transition_id)


def _title(incident: Incident, event: Delivery.Event) -> str:
    if event == Delivery.Event.RESOLVED:
        return f"{incident.flow.name} is back: {incident} lasted {_lasted(incident)}"
    return incident.title


def _lasted(incident: Incident) -> str:
    end = incident.resolved_at or incident.opened_at
    return wording.duration(max(end - incident.since, timedelta(0)))


def _summary(incident: Incident, main: Transition, impact: Impact | None, now: datetime) -> str:
    objective = main.alert.tier.objective
    parts = []
    if impact and impact.totals.total:
        parts.append(f"{_requests(impact)} since {clock(impact.since)}")
    if impact and (left := impact.budget.left) is not None:
        parts.append(f"{budget_left(left)} of {objective.name}")
    if incident.resolved_at:
        parts.append(f"resolved at {clock(incident.resolved_at)}")
    elif impact and (left_for := impact.gone_in(now)):
        parts.append(f"all of it is gone in {wording.duration(left_for)} at this rate")
    return f"{', '.join(part for part in parts if part)}." if any(parts) else main.reason


def _requests(impact: Impact) -> str:
    bad, total = wording.plain(impact.totals.bad, 12), wording.plain(impact.totals.total, 12)
    share = f" ({wording.percent(impact.share, 2)})" if impact.share else ""
    return f"{bad} of {total} {headline.events(impact.objective)} bad{share}"


def _facts(
    incident: Incident,
    main: Transition,
    impact: Impact | None,
    example: Example | None,
    explanation: Explanation | None,
) -> list[Fact]:
    tier, numbers = main.alert.tier, main.numbers
    labels = impact.labels if impact else {}
    facts = [*facts_of(tier.objective, labels), Fact("Since", exactly(incident.since))]
    if impact and impact.totals.total:
        facts.append(Fact(f"Bad {headline.events(impact.objective)}", _requests(impact)))
    if numbers.get("burn_long") is not None and numbers.get("burn_short") is not None:
        facts.append(Fact("Burn rate", _burn(tier, numbers)))
    if impact and impact.budget.left is not None:
        facts.append(Fact("Budget left", wording.percent(max(impact.budget.left, 0.0))))
    if incident.resolved_at:
        facts.append(Fact("Resolved", exactly(incident.resolved_at)))
    facts += [Fact("Found", statement) for statement in _found(explanation)]
    if example and example.what:
        facts.append(Fact("For example", example.what))
    return facts


def _found(explanation: Explanation | None) -> list[str]:
    """The story's sentences that stand on a finding."""
    clauses = explanation.content.get("clauses", ()) if explanation else ()
    return [clause["text"] for clause in clauses if clause["key"]]


def _burn(tier: AlertRule, numbers: dict[str, Any]) -> str:
    return (
        f"{wording.burn(numbers['burn_long'])} over {wording.duration(tier.long)} and "
        f"{wording.burn(numbers['burn_short'])} over {wording.duration(tier.short)} when it fired, "
        f"above {wording.burn(numbers['factor'])}"
    )


def _links(incident: Incident, main: Transition, example: Example | None) -> list[Link]:
    found = [Link(f"Incident {incident}", links.incident(incident))]
    if example:
        found.append(
            Link("A request that failed" if example.role == "bad" else "A slow request", links.example(example))
        )
    return [*found, *links_of(incident.flow, main.alert.tier.objective)]
