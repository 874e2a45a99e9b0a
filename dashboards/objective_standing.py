"""How one objective stands, read from its ledger: budget, coverage, each tier's burn, and how fresh all of it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from alerts.models import Alert
from dashboards import objective_charts
from dashboards.objective_charts import Meter
from dashboards.templatetags.fireline import span_of
from slo import ledger
from slo.budget import Budget, burn
from slo.definitions import tier_of
from slo.models import AlertRule, Objective
from slo.windows import Totals

# An objective that is this many slices late is stale.
LATE = 3
POINTS = 240
BURNS_OVER = timedelta(hours=24)
MOST_LINES = 4


@dataclass(frozen=True, slots=True)
class TierStanding:
    """A tier, its alert's state, and what its two windows hold."""

    tier: AlertRule
    status: str
    # The sentence behind the state; empty while never evaluated.
    reason: str
    since: datetime | None
    frozen_since: datetime | None
    meter: Meter
    long: Totals


@dataclass(frozen=True, slots=True)
class Standing:
    """One objective at `as_of`, the end of its last slice; `None` while nothing is measured."""

    as_of: datetime | None
    budget: Budget
    tiers: tuple[TierStanding, ...]
    # How much of the past is measured, 0…1, while it is caught up with; `None` when it is.
    progress: float | None
    # Why it is not up to date, in a sentence; empty when it is.
    stale: str

    @property
    def status(self) -> str:
        """The worst of its tiers; `no-data` while stale and nothing fires."""
        firing = {one.tier.severity for one in self.tiers if one.status == "firing"}
        if AlertRule.Severity.PAGE in firing:
            return "paging"
        if firing:
            return "burning"
        return "no-data" if self.stale or self.as_of is None else "ok"

    @property
    def achieved(self) -> float | None:
        ratio = self.budget.totals.ratio
        return None if ratio is None else 1 - ratio

    @property
    def unmeasured(self) -> timedelta:
        return max(timedelta(0), self.budget.totals.span - self.budget.totals.measured)


def standing(objective: Objective, now: datetime) -> Standing:
    """A handful of queries, however many slices and tiers there are."""
    at = objective.measured_until or now
    rows = list(objective.tiers.filter(archived_at=None).select_related("alert"))
    windows = [(at - length, at) for row in rows for length in (row.long, row.short)]
    whole, *parts = ledger.totals_many(objective, [(at - objective.window, at), *windows])
    tiers = tuple(_tier(row, objective, parts[2 * place], parts[2 * place + 1]) for place, row in enumerate(rows))
    progress = _progress(objective, now)
    stale = "" if progress is not None and not objective.last_error else _why_stale(objective, now)
    budget = Budget(whole, objective.target, objective.window)
    return Standing(objective.measured_until, budget, tiers, progress, stale)


def _tier(row: AlertRule, objective: Objective, long: Totals, short: Totals) -> TierStanding:
    # The reverse of a one-to-one raises when the other row is not there yet.
    alert: Alert | None = getattr(row, "alert", None)
    meter = Meter(
        burn(long, objective.target),
        burn(short, objective.target),
        tier_of(row).factor(objective.window),
        1 / objective.allowed_ratio,
    )
    if alert is None:
        return TierStanding(row, "inactive", "", None, None, meter, long)
    return TierStanding(row, alert.state, alert.reason, alert.since, alert.frozen_since, meter, long)


def _late(now: datetime) -> datetime:
    return now - LATE * settings.SLICE - settings.SETTLE


def _progress(objective: Objective, now: datetime) -> float | None:
    """How far the first measurement of the past has come; `None` once it has reached the present."""
    if objective.archived_at or objective.flow.archived_at:
        return None
    if objective.measured_until is None:
        return 0.0
    behind = now - objective.measured_until
    # Later gaps are caught up with as well, but a few minutes are nothing to show a bar for.
    if behind <= max(10 * LATE * settings.SLICE, timedelta(minutes=10)):
        return None
    return max(0.0, 1 - behind / objective.window)


def _why_stale(objective: Objective, now: datetime) -> str:
    if objective.archived_at or objective.flow.archived_at:
        return ""
    if objective.last_error:
        return objective.last_error
    if objective.measured_until is None or objective.measured_until < _late(now):
        return "Nothing has measured it since. Is a Celery worker running?"
    return ""


# -- Charts
def _budget_chart(objective: Objective, until: datetime) -> dict[str, Any]:
    budget = ledger.budget(objective, until)
    # Not finer than slices: between the ends of two there is nothing to draw.
    points = min(POINTS, objective.window // settings.SLICE)
    buckets = ledger.series(objective, until - objective.window, until, points)
    stretches = [(one.end, one.totals.bad, bool(one.totals.measured)) for one in buckets]
    line = objective_charts.burn_down(stretches, budget.allowed)
    # The stretches end on round instants; the line ends with the number that stands on the page.
    line = [point for point in line if point[0] < until] + [(until, budget.left)]
    return objective_charts.budget(line, until)


def _burn_chart(objective: Objective, until: datetime) -> dict[str, Any]:
    """The tiers' long windows over the last day, the shortest first."""
    rows = list(objective.tiers.filter(archived_at=None).order_by("long"))
    lengths = list(dict.fromkeys(row.long for row in rows))[:MOST_LINES] or [timedelta(hours=1)]
    first = until - min(BURNS_OVER, objective.window)
    lines = [
        (length, span_of(length), ledger.burn_series(objective, length, first, until, POINTS)) for length in lengths
    ]
    pages = [tier_of(row).factor(objective.window) for row in rows if row.severity == AlertRule.Severity.PAGE]
    return objective_charts.burns(lines, until, min(pages, default=Decimal(0)))


CHARTS: dict[str, Callable[[Objective, datetime], dict[str, Any]]] = {"budget": _budget_chart, "burn": _burn_chart}
