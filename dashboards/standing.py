"""How every flow stands right now, read from our own database in a number of queries that does not grow with the rows.

A flow is as bad as its worst objective, an objective as bad as what its alerts say; one that could not be measured
lately is *no data*, whatever its last numbers were.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from alerts.models import Alert, Incident
from dashboards import incident_facts, spark
from dashboards.incident_facts import Gist
from dashboards.running import Reading, readings
from slo.budget import Budget, burn
from slo.models import AlertRule, Flow, Objective

# Worst first: also the order of the flows on a page.
STATUSES = ("paging", "burning", "no-data", "ok")
# An objective that is this many slices late has no data.
LATE = 3
# What the burn is shown for when an objective has no tier.
USUAL = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ObjectiveStanding:
    """One objective: budget left and burn as ratios and factors, `None` where nothing was measured."""

    objective: Objective
    status: str
    tier: AlertRule | None
    budget_left: float | None
    burn: float | None
    coverage: float | None
    spark: spark.Spark | None
    # Why there is no data, in a sentence; empty while it is measured.
    stale: str

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
    tiers: dict[int, list[AlertRule]] = {one.pk: [] for one in objectives}
    for tier in AlertRule.objects.filter(objective__in=objectives, archived_at=None).select_related("alert"):
        tiers[tier.objective_id].append(tier)
    shown = {pk: _shown(of_one) for pk, of_one in tiers.items()}
    found = readings(objectives, {pk: tier.long if tier else USUAL for pk, tier in shown.items()}, now)
    return [_standing(one, tiers[one.pk], shown[one.pk], found[one.pk], now) for one in objectives]


def _standing(
    objective: Objective, tiers: Sequence[AlertRule], tier: AlertRule | None, reading: Reading, now: datetime
) -> ObjectiveStanding:
    stale = _why_stale(objective, reading.reason, now)
    budget = Budget(reading.window, objective.target, objective.window)
    return ObjectiveStanding(
        objective=objective,
        status=_status(tiers, stale),
        tier=tier,
        budget_left=budget.left,
        burn=burn(reading.long, objective.target),
        coverage=reading.window.coverage if reading.window.measured else None,
        spark=_spark(objective, tier, reading),
        stale=stale,
    )


def _alert_of(tier: AlertRule) -> Alert | None:
    # The reverse of a one-to-one raises when the other row is not there yet.
    return getattr(tier, "alert", None)


def _fires(tier: AlertRule) -> bool:
    alert = _alert_of(tier)
    return alert is not None and alert.state == Alert.State.FIRING


def _shown(tiers: Sequence[AlertRule]) -> AlertRule | None:
    """The tier whose burn is shown: the worst that fires, else the one that would fire first."""
    return min(tiers, key=_urgency, default=None)


def _urgency(tier: AlertRule) -> tuple[bool, bool, timedelta]:
    return not _fires(tier), tier.severity != AlertRule.Severity.PAGE, tier.long


def _status(tiers: Sequence[AlertRule], stale: str) -> str:
    firing = {tier.severity for tier in tiers if _fires(tier)}
    if AlertRule.Severity.PAGE in firing:
        return "paging"
    if firing:
        return "burning"
    return "no-data" if stale else "ok"


def _why_stale(objective: Objective, reason: str, now: datetime) -> str:
    if objective.last_error:
        return objective.last_error
    if objective.measured_until is None:
        return "not measured yet: the first measurement is under way"
    if now - objective.measured_until > LATE * settings.SLICE + settings.SETTLE:
        return "nothing has measured since: is a Celery worker running?"
    return reason


def _spark(objective: Objective, tier: AlertRule | None, reading: Reading) -> spark.Spark | None:
    burns = [burn(totals, objective.target) if totals else None for totals in reading.day]
    factor = float(_factor(tier, objective.window)) if tier else None
    return spark.spark(burns, factor)


def _factor(tier: AlertRule, window: timedelta) -> Decimal:
    return tier.budget_share * Decimal(str(window / tier.long))
