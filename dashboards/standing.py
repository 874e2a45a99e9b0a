"""How every flow stands right now, read from our own database in a number of queries that does not grow with the rows.

A flow is as bad as its worst objective, an objective as bad as what its alerts say; one that could not be measured
lately is *no data*, whatever its last numbers were.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched

from django.conf import settings
from django.db.models import F

from alerts.models import Alert, Incident
from alerts.watches import slice_of
from dashboards import incident_facts, running, spark
from dashboards.incident_facts import Gist
from dashboards.running import Course, Whole
from slo.budget import burn
from slo.definitions import tier_of
from slo.models import AlertRule, Flow, Ledger, Objective

# Worst first: also the order of the flows on a page.
STATUSES = ("paging", "burning", "no-data", "maintenance", "ok")
# An objective that is this many slices late has no data.
LATE = 3
# What the burn is shown for when an objective has no tier.
USUAL = timedelta(hours=1)
_BATCH = 500


@dataclass(frozen=True, slots=True)
class ObjectiveStanding:
    """One objective: budget left and burn as ratios and factors, `None` where nothing was measured.

    Of one with groups these are the numbers of the group that is worst off.
    """

    objective: Objective
    status: str
    tier: AlertRule | None
    budget_left: float | None
    burn: float | None
    coverage: float | None
    spark: spark.Spark | None
    # Why there is no data, in a sentence; empty while it is measured.
    stale: str
    # The text of the group that is shown, and how many there are; empty and 0 without grouping.
    group: str = ""
    groups: int = 0
    maintenance: bool = False

    @property
    def as_of(self) -> datetime | None:
        return self.objective.measured_until

    @property
    def firing(self) -> bool:
        return self.status in ("paging", "burning")

    @property
    def long(self) -> timedelta:
        return self.tier.long if self.tier else USUAL


@dataclass(frozen=True, slots=True)
class FlowStanding:
    flow: Flow
    objectives: tuple[ObjectiveStanding, ...]
    incident: Incident | None

    @property
    def status(self) -> str:
        """The worst of its objectives; a flow without any is neither good nor bad."""
        return min((one.status for one in self.objectives), key=STATUSES.index, default="unset")

    @property
    def status_word(self) -> str:
        return "" if self.objectives else "No objective"

    @property
    def least_budget(self) -> float | None:
        return min((one.budget_left for one in self.objectives if one.budget_left is not None), default=None)


def banner_of(flow: FlowStanding, now: datetime) -> Gist | None:
    """The flow's open incident in a sentence: some queries for each, of which a flow has one at most."""
    return incident_facts.gist(flow.incident, now) if flow.incident else None


def of_all(now: datetime) -> list[FlowStanding]:
    """Every active flow, worst first; among equals the least budget first."""
    return _standings(list(Flow.objects.active()), now)


def of_flow(flow: Flow, now: datetime) -> FlowStanding:
    return _standings([flow], now)[0]


def _standings(flows: Sequence[Flow], now: datetime) -> list[FlowStanding]:
    objectives = list(Objective.objects.filter(archived_at=None, flow__in=flows).select_related("source", "flow"))
    unresolved = Incident.objects.unresolved().filter(flow__in=flows).select_related("flow", "acknowledged_by")
    incidents = {incident.flow_id: incident for incident in unresolved}
    by_flow: dict[int, list[ObjectiveStanding]] = {flow.pk: [] for flow in flows}
    for one in _of_objectives(objectives, now):
        by_flow[one.objective.flow_id].append(one)
    found = [FlowStanding(flow, tuple(_worst_first(by_flow[flow.pk])), incidents.get(flow.pk)) for flow in flows]
    return sorted(found, key=_rank)


def _rank(one: FlowStanding) -> tuple[int, float, int, str]:
    place = STATUSES.index(one.status) if one.status in STATUSES else len(STATUSES)
    least = one.least_budget
    return place, 2.0 if least is None else least, one.flow.importance, one.flow.name


def _worst_first(objectives: Iterable[ObjectiveStanding]) -> list[ObjectiveStanding]:
    return sorted(objectives, key=lambda one: (STATUSES.index(one.status), one.objective.name))


def _of_objectives(objectives: Sequence[Objective], now: datetime) -> list[ObjectiveStanding]:
    tiers, alerts, books = _tiers(objectives), _firing(objectives), _books(objectives)
    wholes = running.wholes([book for of_one in books.values() for book in of_one])
    shown = {one.pk: _worst(books[one.pk], alerts[one.pk], wholes) for one in objectives}
    chosen = {one.pk: _tier_shown(tiers[one.pk], alerts[one.pk], shown[one.pk]) for one in objectives}
    longs = {book.pk: _long(chosen[book.objective_id]) for book in shown.values() if book}
    courses = running.courses([book for book in shown.values() if book], longs, now)
    return [
        _standing(one, books[one.pk], shown[one.pk], alerts[one.pk], chosen[one.pk], wholes, courses, now)
        for one in objectives
    ]


# -- What is asked, for all objectives at once
def _tiers(objectives: Sequence[Objective]) -> dict[int, list[AlertRule]]:
    found: dict[int, list[AlertRule]] = {one.pk: [] for one in objectives}
    for tier in AlertRule.objects.active().filter(objective__in=objectives, kind=AlertRule.Kind.BURN):
        found[tier.objective_id].append(tier)
    return found


def _firing(objectives: Sequence[Objective]) -> dict[int, list[Alert]]:
    """What fires of each objective, the worst first."""
    found: dict[int, list[Alert]] = {one.pk: [] for one in objectives}
    rows = Alert.objects.firing().burning().filter(tier__objective__in=objectives, tier__archived_at=None)
    for alert in rows.select_related("tier").order_by("tier__severity", "tier__long", "group"):
        found[alert.tier.objective_id].append(alert)
    return found


def _books(objectives: Sequence[Objective]) -> dict[int, list[Ledger]]:
    """The ledgers of each objective as it counts now."""
    by_key = {one.pk: one for one in objectives}
    found: dict[int, list[Ledger]] = defaultdict(list)
    for some in batched(by_key, _BATCH, strict=False):
        for book in Ledger.objects.filter(objective__in=some, generation=F("objective__generation")):
            book.objective = by_key[book.objective_id]
            found[book.objective_id].append(book)
    return found


# -- What is shown
def _worst(books: Sequence[Ledger], alerts: Sequence[Alert], wholes: dict[int, Whole]) -> Ledger | None:
    """The ledger to show: of the group whose alert is worst, else of the one with the least budget left."""
    firing = {alert.group: place for place, alert in reversed(list(enumerate(alerts)))}

    def rank(book: Ledger) -> tuple[float, bool, float, str]:
        whole = wholes.get(book.pk, Whole())
        left = 2.0 if whole.left is None else whole.left
        # A group that has gone stays in the list, but does not stand for those that are there.
        return firing.get(book.group, len(alerts)), bool(whole.reason), left, book.group

    return min(books, key=rank, default=None)


def _tier_shown(tiers: Sequence[AlertRule], alerts: Sequence[Alert], book: Ledger | None) -> AlertRule | None:
    """The tier whose burn is shown: the worst that fires, else the one that would fire first."""
    firing = [alert.tier for alert in alerts if book and alert.group == book.group]
    return firing[0] if firing else min(tiers, key=lambda tier: (tier.severity != "page", tier.long), default=None)


def _long(tier: AlertRule | None) -> timedelta:
    return tier.long if tier else USUAL


def _standing(
    objective: Objective,
    books: Sequence[Ledger],
    book: Ledger | None,
    alerts: Sequence[Alert],
    tier: AlertRule | None,
    wholes: dict[int, Whole],
    courses: dict[int, Course],
    now: datetime,
) -> ObjectiveStanding:
    whole = wholes.get(book.pk, Whole()) if book else Whole()
    course = courses.get(book.pk, Course()) if book else Course()
    stale = _why_stale(objective, "" if whole.maintenance else whole.reason, now)
    return ObjectiveStanding(
        objective=objective,
        status=_status(alerts, stale, whole.maintenance),
        tier=tier,
        budget_left=whole.left,
        burn=burn(course.long, objective.target),
        coverage=whole.budget.totals.coverage if whole.budget and whole.budget.totals.measured else None,
        spark=_spark(objective, tier, course),
        stale=stale,
        group=book.group if book else "",
        groups=len(books) if objective.grouping else 0,
        maintenance=whole.maintenance,
    )


def _status(alerts: Sequence[Alert], stale: str, maintenance: bool) -> str:
    severities = {alert.tier.severity for alert in alerts}
    if AlertRule.Severity.PAGE in severities:
        return "paging"
    if severities:
        return "burning"
    if stale:
        return "no-data"
    return "maintenance" if maintenance else "ok"


def _why_stale(objective: Objective, reason: str, now: datetime) -> str:
    if objective.last_error:
        return objective.last_error
    if objective.measured_until is None:
        return "not measured yet: the first measurement is under way"
    if now - objective.measured_until > LATE * slice_of(objective) + settings.SETTLE:
        return "nothing has measured since: is a Celery worker running?"
    return reason


def _spark(objective: Objective, tier: AlertRule | None, course: Course) -> spark.Spark | None:
    burns = [burn(totals, objective.target) if totals else None for totals in course.day]
    factor = float(tier_of(tier).factor(objective.window)) if tier else None
    return spark.spark(burns, factor)
