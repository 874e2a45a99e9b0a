"""The page of an objective, its charts, and how one is archived and brought back."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import models
from django.db.models.functions import NullIf
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from alerts.models import Incident, Transition
from alerts.watches import slice_of
from dashboards import maintenance_facts, objective_charts, objective_plots, objective_standing
from dashboards.maintenance_facts import Entry
from slo import ledger, maintenance
from slo.archive import bring_back
from slo.counting import promql
from slo.definitions import sli_of
from slo.models import Ledger, Objective, Slice

SLICES_A_PAGE = 20
MOST_CHANGES = 10
MOST_GROUPS = 20
# Maintenance that begins within this time is announced.
AHEAD = timedelta(days=1)


# -- Archive
@require_http_methods(["GET", "POST"])
def archive(request: HttpRequest, pk: int) -> HttpResponse:
    """Asks first, then archives; for an archived objective the same, the other way round."""
    objective = get_object_or_404(Objective.objects.select_related("flow"), pk=pk)
    problem = ""
    if request.method == "POST":
        archived = objective.archived_at is not None
        problem = bring_back(objective) if archived else _archive(objective)
        if not problem:
            messages.success(request, f"{objective.name} is {'back' if archived else 'archived'}.")
            return redirect("objective", pk=pk) if archived else redirect("flow", slug=objective.flow.slug)
    firing = Incident.objects.unresolved().filter(alerts__tier__objective=objective, alerts__state="firing").first()
    context = {"objective": objective, "flow": objective.flow, "problem": problem, "open_incident": firing}
    return render(request, "objective_archive.html", context, status=422 if problem else 200)


def _archive(objective: Objective) -> str:
    Objective.objects.filter(pk=objective.pk, archived_at=None).update(archived_at=timezone.now())
    return ""


# -- The page
def _objective(pk: int) -> Objective:
    return get_object_or_404(Objective.objects.select_related("flow", "source"), pk=pk)


@require_GET
def page(request: HttpRequest, pk: int) -> HttpResponse:
    objective = _objective(pk)
    live = _live_context(request, objective)
    book, unmeasured = live["now"].book, request.GET.get("only") == "unmeasured"
    page = Paginator(_slices(book, unmeasured), SLICES_A_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": _excluded(objective, list(page)),
        "only_unmeasured": unmeasured,
        "promql": _query(objective),
        "slice": slice_of(objective),
        "counts_since": _counts_since(objective),
        "incidents": Incident.objects.filter(transitions__alert__tier__objective=objective).distinct()[:5],
    }
    return render(request, "objective.html", live | context)


@require_GET
@never_cache
def live(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "objective.html#live", _live_context(request, _objective(pk)) | {"fragment": True})


def _live_context(request: HttpRequest, objective: Objective) -> dict[str, Any]:
    asked = request.GET.get("group", "").replace("\0", "")
    found = objective_standing.standing(objective, timezone.now(), asked)
    group = found.book.group if found.book else ""
    shown = found.groups if request.GET.get("groups") == "all" else found.groups[:MOST_GROUPS]
    changes = Transition.objects.filter(alert__tier__objective=objective, alert__group=group)
    return {
        "objective": objective,
        "flow": objective.flow,
        "now": found,
        "group": group,
        # A group that was asked for is kept while others become worse.
        "asked": asked if asked == group else "",
        "shown_groups": shown,
        "hidden_groups": len(found.groups) - len(shown),
        "maintenance": _maintenance(objective),
        "changes": changes.select_related("alert__tier", "incident").order_by("-at", "-pk")[:MOST_CHANGES],
        "as_of": objective.measured_until,
    }


def _maintenance(objective: Objective) -> list[Entry]:
    now = timezone.now()
    return maintenance_facts.of_objective(objective, now, now + AHEAD)


def _slices(book: Ledger | None, unmeasured: bool) -> models.QuerySet[Slice]:
    if book is None:
        return Slice.objects.none()
    # Only for slices with traffic: the others have no share.
    bad_share = models.F("bad") / NullIf("total", models.Value(0.0))
    slices = Slice.objects.filter(ledger=book).annotate(ratio=bad_share).order_by("-end")
    return slices.filter(total=None) if unmeasured else slices


def _excluded(objective: Objective, slices: Sequence[Slice]) -> list[tuple[Slice, bool]]:
    """Each slice, and whether maintenance takes it out: if it touches it at all."""
    if not slices:
        return []
    taken = maintenance.intervals(objective, slices[-1].start, slices[0].end)
    return [(one, any(left < one.end and right > one.start for left, right in taken)) for one in slices]


def _query(objective: Objective) -> str:
    """The PromQL of one slice, for whoever wants to try it; empty where none says it."""
    sli = sli_of(objective)
    if sli.by_time:
        return sli.expression
    try:
        return promql(sli, settings.SLICE)
    except ValueError:
        return ""


def _counts_since(objective: Objective) -> Any:
    """Since when events are counted as they are now; `None` for an objective that always counted so."""
    if objective.generation == 1:
        return None
    own = Ledger.objects.filter(objective=objective, generation=objective.generation)
    return own.aggregate(first=models.Min("created_at"))["first"]


@require_GET
@never_cache
def chart(request: HttpRequest, pk: int, kind: str) -> JsonResponse:
    objective = _objective(pk)
    drawer = objective_plots.CHARTS.get(kind)
    if drawer is None:
        return JsonResponse({"error": "There is no such chart."}, status=404)
    book = ledger.book(objective, request.GET.get("group", "").replace("\0", ""))
    until = objective.measured_until
    drawn = drawer(book, until) if book and until else objective_charts.NOTHING
    return JsonResponse(drawn, json_dumps_params={"allow_nan": False})
