"""The data of an objective's two charts, read from its ledger: what is left of the budget, and how fast it burns."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from alerts.watches import slice_of
from dashboards import objective_charts
from dashboards.templatetags.fireline import span_of
from slo import ledger, maintenance
from slo.definitions import tier_of, window_of
from slo.models import AlertRule, Ledger

POINTS = 240
BURNS_OVER = timedelta(hours=24)
MOST_LINES = 4


def budget(book: Ledger, until: datetime) -> dict[str, Any]:
    """How the objective's window came to what is left of it."""
    objective = book.objective
    now, start = ledger.budget(book, until), window_of(objective).start(until)
    # Not finer than slices: between the ends of two there is nothing to draw.
    points = max(1, min(POINTS, (until - start) // slice_of(objective)))
    buckets = ledger.series(book, start, until, points)
    stretches = [(one.end, one.totals.bad, bool(one.totals.measured)) for one in buckets]
    line = objective_charts.burn_down(stretches, now.allowed)
    # The stretches end on round instants; the line ends with the number that stands on the page.
    line = [point for point in line if start < point[0] < until] + [(until, now.left)]
    return objective_charts.budget(line, until) | _shaded(book, start, until)


def burn(book: Ledger, until: datetime) -> dict[str, Any]:
    """The tiers' long windows over the last day, the shortest first."""
    objective = book.objective
    rows = list(objective.tiers.active().order_by("long"))
    lengths = list(dict.fromkeys(row.long for row in rows))[:MOST_LINES] or [timedelta(hours=1)]
    first = until - min(BURNS_OVER, objective.window)
    lines = [(length, span_of(length), ledger.burn_series(book, length, first, until, POINTS)) for length in lengths]
    pages = [tier_of(row).factor(objective.window) for row in rows if row.severity == AlertRule.Severity.PAGE]
    return objective_charts.burns(lines, until, min(pages, default=Decimal(0))) | _shaded(book, first, until)


CHARTS: dict[str, Callable[[Ledger, datetime], dict[str, Any]]] = {"budget": budget, "burn": burn}


def _shaded(book: Ledger, start: datetime, end: datetime) -> dict[str, Any]:
    """Maintenance within the picture, as grounds that say so."""
    intervals = maintenance.intervals(book.objective, start, end)
    return {"grounds": [objective_charts.ground(max(start, left), min(end, right)) for left, right in intervals]}
