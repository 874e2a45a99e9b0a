"""Everything an incident's page shows, from our own database, in as many queries for many rows as for few."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts import incidents
from alerts.incidents import Impact
from alerts.models import Alert, Example, Incident, Transition
from dashboards import incident_evidence, incident_explanation, incident_story, meters
from dashboards.changes import ICONS
from dashboards.incident_evidence import Reading
from dashboards.incident_explanation import Account
from dashboards.meters import Meter
from slo import ledger
from slo.models import AlertRule, Objective
from telemetry.models import Change

# Changes that are listed: this long before the onset, and this long after.
BEFORE, AFTER = timedelta(hours=1), timedelta(minutes=5)
MOST_CHANGES = 8
MOST_ENTRIES = 200
# Of an incident that spans many groups the worst are enough to see.
MOST_METERS = 12


@dataclass(frozen=True, slots=True)
class NearChange:
    """A change near the onset, and in how many bad examples its version ran."""

    change: Change
    icon: str
    # Positive: before the onset.
    before: timedelta
    carried: tuple[int, int] | None

    @property
    def apart(self) -> timedelta:
        return incident_story.whole_seconds(abs(self.before))


@dataclass(frozen=True, slots=True)
class KeptExample:
    """A row of the examples: what tells it from the others, and how many lines it said."""

    row: Example
    part: str
    lines: int


@dataclass(frozen=True, slots=True)
class Gist:
    """An incident in a sentence and a few numbers: the same at the top of its page and in a banner elsewhere."""

    incident: Incident
    as_of: datetime
    since: datetime
    impact: Impact | None
    clauses: Sequence[incident_story.Clause]

    @property
    def resolved(self) -> bool:
        return self.incident.resolved_at is not None

    @property
    def pill(self) -> str:
        if self.resolved:
            return "resolved"
        return "paging" if self.incident.severity == AlertRule.Severity.PAGE else "burning"

    @property
    def budget_left(self) -> float | None:
        return self.impact.budget.left if self.impact else None

    @property
    def overspent(self) -> bool:
        return self.budget_left is not None and self.budget_left <= 0

    @property
    def gone_in(self) -> timedelta | None:
        """Until the budget is gone at this rate; `None` when it is not burning, or not known."""
        return None if self.resolved or self.impact is None else self.impact.gone_in(self.as_of)


@dataclass(frozen=True, slots=True)
class Facts(Gist):
    """What the page's live sections are made of."""

    objective: Objective | None
    # The text of the group of it that the incident is about; empty without grouping.
    group: str
    meters: Sequence[Meter]
    changes: Sequence[NearChange]
    examples: Sequence[KeptExample]
    readings: Sequence[Reading]
    entries: Sequence[Any]
    said: incident_evidence.Lines
    account: Account | None

    @property
    def told(self) -> bool:
        """Whether an explanation says more than that something fails."""
        return self.account is not None and len(self.account.clauses) > 1 and bool(self.account.told)

    @property
    def most(self) -> float | None:
        """The burn rate of a complete outage."""
        return float(1 / self.objective.allowed_ratio) if self.objective else None

    @property
    def detection(self) -> timedelta | None:
        """From the onset to the alert."""
        return self.incident.opened_at - self.incident.onset_at if self.incident.onset_at else None

    @property
    def bad_examples(self) -> int:
        return sum(one.bad for one in self.readings)


def gist(incident: Incident, now: datetime) -> Gist:
    """A handful of queries; the examples are read once and remembered."""
    impact = incidents.impact(incident, now)
    readings = incident_evidence.readings(incident.pk, _kept(incident))
    changes = _changes(incident.since, readings)
    return Gist(incident, now, incident.since, impact, _clauses(incident, impact, changes, readings))


def facts(incident: Incident, now: datetime, reader_id: int | None = None) -> Facts:
    main = incidents.main_transition(incident)
    objective = main.alert.tier.objective if main else None
    impact = incidents.impact(incident, now)
    examples = _kept(incident)
    readings = incident_evidence.readings(incident.pk, examples)
    changes = _changes(incident.since, readings)
    return Facts(
        incident=incident,
        as_of=now,
        since=incident.since,
        impact=impact,
        clauses=_clauses(incident, impact, changes, readings),
        objective=objective,
        group=main.alert.group if main else "",
        meters=_meters(incident, main),
        changes=changes,
        examples=_examples(examples, readings),
        readings=readings,
        entries=list(incident.timeline.select_related("author")[:MOST_ENTRIES]),
        said=incident_evidence.said(readings),
        account=incident_explanation.account(incident, reader_id),
    )


def _kept(incident: Incident) -> list[Example]:
    return list(incident.examples.defer("spans", "lines"))


def _clauses(
    incident: Incident, impact: Impact | None, changes: Sequence[NearChange], readings: Sequence[Reading]
) -> list[incident_story.Clause]:
    return incident_story.clauses(
        incident.flow.name,
        impact.share if impact else None,
        _threshold(impact.objective) if impact else None,
        incident.since,
        incident.resolved_at,
        _nearest(changes),
        incident_evidence.culprit(readings),
    )


def _examples(examples: Sequence[Example], readings: Sequence[Reading]) -> list[KeptExample]:
    parts, lines = incident_evidence.parts(examples), {one.trace_id: len(one.lines) for one in readings}
    return [
        KeptExample(row, parts.get(row.trace_id, ""), lines.get(row.trace_id, 0))
        for row in sorted(examples, key=_example_rank)
    ]


def _example_rank(example: Example) -> tuple[bool, bool, float]:
    """Bad ones first, those with a span to look at before those without, the newest first."""
    return example.role == Example.Role.NORMAL, not example.span_id, -example.started_at.timestamp()


def _threshold(objective: Objective) -> float | None:
    if objective.kind != Objective.Kind.LATENCY or objective.threshold is None:
        return None
    return float(objective.threshold)


def _meters(incident: Incident, main: Transition | None) -> list[Meter]:
    """The tiers of what the incident is about, then those that fire for other objectives and groups."""
    if main is None:
        return []
    firing = Alert.objects.firing().burning().filter(incident=incident).select_related("tier__objective__flow")
    own = main.alert.tier.objective, main.alert.group
    others = {(alert.tier.objective, alert.group) for alert in firing} - {own}
    found = _meters_of(*own, None, "")
    for objective, group in sorted(others, key=lambda one: (one[0].name, one[1])):
        tiers = {alert.tier_id for alert in firing if (alert.tier.objective, alert.group) == (objective, group)}
        found += _meters_of(objective, group, tiers, f"{objective.name} {group}".strip())
    return found[:MOST_METERS]


def _meters_of(objective: Objective, group: str, only: set[int] | None, name: str) -> list[Meter]:
    """The tiers of one group, or `only` some of them; none when its ledger is not kept any more."""
    book = ledger.book(objective, group)
    if book is None or objective.measured_until is None:
        return []
    rows = [row for row in objective.tiers.active().order_by("severity", "long") if only is None or row.pk in only]
    for row in rows:
        row.objective = objective
    alerts = Alert.objects.filter(tier__in=rows, group=group)
    return meters.meters(meters.standings(book, rows, alerts, objective.measured_until), objective=name)


def _changes(onset: datetime, readings: Sequence[Reading]) -> list[NearChange]:
    """Those before the onset first, the nearest on top."""
    rows = Change.objects.filter(at__gte=onset - BEFORE, at__lte=onset + AFTER).order_by("-at")[:50]
    found = [
        NearChange(
            change,
            ICONS.get(Change.Kind(change.kind), "change"),
            onset - change.at,
            incident_evidence.carrying(readings, change.service, change.version),
        )
        for change in rows
    ]
    return sorted(found, key=lambda one: (one.before < timedelta(0), one.apart))[:MOST_CHANGES]


def _nearest(changes: Sequence[NearChange]) -> tuple[str, timedelta] | None:
    """The last change before the onset, unless the bad requests ran without it."""
    for one in changes:
        if timedelta(0) <= one.before <= incident_story.NEAR and (one.carried is None or one.carried[0]):
            return one.change.title, one.before
    return None
