"""The charts of a flow's page: each has a URL of its own, asks Prometheus with little patience, and may fail alone."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from alerts.models import Incident
from connectors.errors import StoreError
from connectors.prometheus import Prometheus
from dashboards import traffic
from dashboards.templatetags.fireline import burn, duration, target
from dashboards.traffic import Frame, Line
from slo.counting import Sli
from slo.definitions import sli_of
from slo.models import Flow, Objective
from telemetry import sources
from telemetry.models import Change, Source

# Nobody waits longer than this for a picture; the engine's own questions have the source's whole time limit.
PATIENCE = timedelta(seconds=5)
MOST_MARKS = 12

KINDS: dict[str, Callable[[Sli, timedelta], list[Line]]] = {
    "requests": traffic.requests,
    "errors": traffic.errors,
    "latency": traffic.latency,
}


def objective_for(kind: str, objectives: Sequence[Objective]) -> Objective | None:
    """Whose metric is drawn: percentiles need a histogram, failures are told by an objective on events.

    One that judges time slices counts no requests.
    """
    objectives = [one for one in objectives if not sli_of(one).by_time]
    if kind == "latency":
        fit = [one for one in objectives if traffic.histogram_of(sli_of(one))]
        return next((one for one in fit if one.kind == Objective.Kind.LATENCY), fit[0] if fit else None)
    events = (one for one in objectives if one.kind == Objective.Kind.EVENTS)
    return next(events, objectives[0] if objectives else None)


@require_GET
@never_cache
def chart(request: HttpRequest, slug: str, kind: str) -> JsonResponse:
    flow = get_object_or_404(Flow, slug=slug)
    objective = objective_for(kind, list(flow.objectives.filter(archived_at=None).select_related("source")))
    if kind not in KINDS or objective is None:
        return JsonResponse({"error": "No objective of this flow has a metric for this chart."}, status=404)
    now = timezone.now()
    shape = traffic.frame(now, traffic.RANGES.get(request.GET.get("range", ""), traffic.RANGES["1h"]))
    lines = KINDS[kind](sli_of(objective), shape.step)
    try:
        answers = _ask(objective.source, lines, shape)
    except StoreError as error:
        return JsonResponse({"error": str(error)}, status=502)
    limit, label = _limit(kind, objective)
    marked = marks(flow, shape.start, shape.times[-1])
    drawn = traffic.chart(shape, lines, answers, as_of=now, marks=marked, limit=limit, limit_label=label)
    return JsonResponse(drawn, json_dumps_params={"allow_nan": False})


def _ask(source: Source, lines: Sequence[Line], shape: Frame) -> list[Sequence[tuple[datetime, float]]]:
    """The points of each line; none where the store has no such series. Raises `StoreError`."""
    source.timeout = min(source.timeout, PATIENCE)
    with sources.client(source) as prometheus:
        return [_points(prometheus, line, shape) for line in lines]


def _points(prometheus: Prometheus, line: Line, shape: Frame) -> list[tuple[datetime, float]]:
    series = prometheus.range(line.query, shape.start, shape.end, shape.step)
    points = list(series[0].points) if series else []
    newest = prometheus.instant(line.query, shape.newest) if shape.newest else []
    return points + [(sample.at, sample.value) for sample in newest[:1]]


def _limit(kind: str, objective: Objective) -> tuple[float | None, str]:
    if kind == "latency" and objective.threshold is not None:
        return float(objective.threshold), f"limit {duration(float(objective.threshold))}"
    if kind == "errors":
        return float(objective.allowed_ratio), f"{burn(1.0)}, target {target(objective.target)}"
    return None, ""


def marks(flow: Flow, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Incidents of the flow and changes in this time, oldest first; not more than can be read."""
    opened = Incident.objects.filter(flow=flow, opened_at__range=(start, end))[:MOST_MARKS]
    changed = Change.objects.filter(at__range=(start, end))[: MOST_MARKS - len(opened)]
    found = [_mark(one.opened_at, str(one), "page" if one.severity == "page" else "") for one in opened]
    found += [_mark(one.at, one.title, "") for one in changed]
    return sorted(found, key=lambda mark: mark["at"])


def _mark(at: datetime, label: str, tone: str) -> dict[str, Any]:
    return {"at": round(at.timestamp()), "label": label[:40], "tone": tone}
