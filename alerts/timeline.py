"""Writes an incident's history as it happens. What Fireline writes has a cause, and each cause is written once."""

from datetime import datetime, timedelta

from alerts.headline import clock
from alerts.models import Alert, Delivery, Explanation, Incident, TimelineEntry, Transition
from evidence.onset import Onset
from slo import wording
from slo.models import AlertRule

Kind = TimelineEntry.Kind


def write(
    incident: Incident,
    at: datetime,
    title: str,
    *,
    cause: str,
    icon: str = "wave",
    kind: TimelineEntry.Kind = Kind.FIRELINE,
    text: str = "",
    detail: str = "",
) -> None:
    """Write one entry, unless one with this cause is there already."""
    entry = TimelineEntry(
        incident=incident, at=at, kind=kind, icon=icon, title=title[:200], text=text, detail=detail[:300], cause=cause
    )
    TimelineEntry.objects.bulk_create([entry], ignore_conflicts=True)


def began(incident: Incident, onset: Onset) -> None:
    before, after = wording.percent(onset.before, 2), wording.percent(onset.after, 2)
    write(
        incident,
        onset.at,
        "Onset.",
        text=f"Bad requests rise from {before} to {after}.",
        cause="onset",
        detail="Change point in the ledger, accurate to one slice.",
    )


def fired(incident: Incident, transition: Transition, *, opened: bool, held_back: bool) -> None:
    tier = transition.alert.tier
    does = "pages" if tier.severity == AlertRule.Severity.PAGE else "asks for a ticket"
    then = f"{incident} opened." if opened else "Same incident, nobody is told again." if held_back else ""
    if transition.alert.silenced_since:
        then = "Silent, because the same objective pages."
    write(
        incident,
        transition.at,
        f"{_which(transition.alert)} {does}.",
        text=" ".join(filter(None, (f"{windows(tier)}.", then))),
        cause=f"transition-{transition.pk}",
        kind=Kind.PAGE,
        icon="bell-off" if held_back else "bell",
        detail=transition.reason,
    )


def calmed(incident: Incident, transition: Transition) -> None:
    tier = transition.alert.tier
    write(
        incident,
        transition.at,
        f"{_which(transition.alert)} burns slower.",
        text=f"The {tier_words(tier)} no longer fires.",
        cause=f"transition-{transition.pk}",
        kind=Kind.PAGE,
        icon="ok",
        detail=transition.reason,
    )


def resolved(incident: Incident, at: datetime) -> None:
    text = f"No alert of {incident.flow.name} fires any more."
    write(incident, at, f"{incident} resolved.", text=text, cause="resolved", icon="check")


def froze(incident: Incident, alert: Alert, since: datetime, why: str) -> None:
    write(
        incident,
        since,
        f"Not measured since {clock(since)}.",
        text=f"The {tier_words(alert.tier)} keeps firing until it can be measured.",
        cause=f"frozen-{alert.pk}-{since:%Y%m%dT%H%M%S}",
        icon="nodata",
        detail=why,
    )


def kept_examples(incident: Incident, at: datetime, bad: int) -> None:
    requests = "1 bad request as an example" if bad == 1 else f"{bad} bad requests as examples"
    text = "With their spans and log lines."
    write(incident, at, f"Kept {requests}.", text=text, cause="examples", icon="trace")


def explained(incident: Incident, explanation: Explanation) -> None:
    """The first version, each that says something else, and how long it took."""
    took = (
        wording.duration(timedelta(seconds=max(1, round(explanation.took.total_seconds())))) if explanation.took else ""
    )
    write(
        incident,
        explanation.made_at,
        "Explained." if explanation.version == 1 else f"Explained anew, version {explanation.version}.",
        text=explanation.headline or "Not enough evidence for a cause.",
        cause=f"explanation-{explanation.version}",
        icon="bulb",
        detail=f"Took {took}." if took else "",
    )


def delivered(delivery: Delivery, at: datetime) -> None:
    if delivery.incident is None:
        return
    title, text = f"Told {delivery.channel.name}.", _event(delivery.incident, delivery)
    attempts = f"At attempt {delivery.attempts}." if delivery.attempts > 1 else ""
    write(delivery.incident, at, title, text=text, cause=f"delivery-{delivery.pk}", icon="send", detail=attempts)


def undelivered(delivery: Delivery, error: Exception, at: datetime) -> None:
    if delivery.incident is None:
        return
    title, text = f"Could not tell {delivery.channel.name}.", f"Undelivered: {_event(delivery.incident, delivery)}"
    cause = f"undelivered-{delivery.pk}"
    write(delivery.incident, at, title, text=text, cause=cause, icon="warn", detail=str(error))


def _event(incident: Incident, delivery: Delivery) -> str:
    return f"{incident} {delivery.get_event_display().lower()}."


def _which(alert: Alert) -> str:
    """`Orders succeed`, `Orders succeed {region="eu"}`."""
    return f"{alert.tier.objective.name} {alert.group}".rstrip()


def tier_words(tier: AlertRule) -> str:
    """`page over 1 h / 5 min`."""
    return f"{tier.severity} over {windows(tier)}"


def windows(tier: AlertRule) -> str:
    """`1 h / 5 min`."""
    return f"{wording.duration(tier.long)} / {wording.duration(tier.short)}"
