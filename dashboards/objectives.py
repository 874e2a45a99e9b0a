"""Objectives: the page of one, its charts, and the forms that create, edit and archive one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError, models, transaction
from django.db.models.functions import NullIf
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from alerts.models import Incident
from alerts.tasks import measure, queue
from dashboards import objective_charts, objective_preview, objective_standing
from dashboards.objective_form import ObjectiveForm
from slo.archive import bring_back
from slo.counting import promql
from slo.definitions import restarts_ledger, save_objective, sli_of
from slo.models import Flow, Objective, Slice
from telemetry.models import Source

SLICES_A_PAGE = 20


# -- The form
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, slug: str) -> HttpResponse:
    return _form(request, get_object_or_404(Flow.objects.active(), slug=slug), None)


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    objective = get_object_or_404(Objective.objects.active().select_related("flow", "source"), pk=pk)
    return _form(request, objective.flow, objective)


def _form(request: HttpRequest, flow: Flow, objective: Objective | None) -> HttpResponse:
    if request.method == "GET":
        return _show(request, ObjectiveForm(flow, objective))
    form, now = ObjectiveForm(flow, objective, request.POST), timezone.now()
    valid = form.is_valid()
    if form.rows.act(request.POST.dict(), form.known_window, form.known_target):
        response = _show(request, form.as_typed())
        # The preview's own request listens for this: the form it read from has been replaced.
        response["HX-Trigger-After-Settle"] = "rows-changed"
        return response
    if "look" in request.POST:
        # Without JavaScript: what the fragments would have fetched, within the page.
        found = objective_preview.suggestions(request.POST, now) | objective_preview.context(form, now)
        return _show(request, form, more=found)
    if not valid:
        return _show(request, form, status=422)
    return _save(request, form, now)


def _show(
    request: HttpRequest, form: ObjectiveForm, status: int = 200, more: Mapping[str, Any] | None = None
) -> HttpResponse:
    has_source = Source.objects.filter(kind=Source.Kind.PROMETHEUS).exists()
    context = {
        "form": form,
        "flow": form.flow,
        "objective": form.objective,
        "has_source": has_source,
        "threshold": form["threshold"].value() or "",
    }
    return render(request, "objective_form.html", context | dict(more or {}), status=status)


def _save(request: HttpRequest, form: ObjectiveForm, now: datetime) -> HttpResponse:
    draft = form.draft()
    refused, untried = objective_preview.objections(draft, now) if draft else ({}, "")
    for field, sentence in refused.items():
        form.add_error(field, sentence)
    if refused:
        return _show(request, form, status=422)
    objective = form.filled()
    anew = form.objective is not None and restarts_ledger(form.objective, objective)
    try:
        save_objective(objective, form.tiers())
    except IntegrityError:
        form.add_error("name", "Another objective of this flow has just taken this name. Choose another.")
        return _show(request, form, status=422)
    measure_soon(objective, now)
    messages.success(request, _saved(objective, form.objective is None, anew))
    if untried:
        messages.warning(request, untried)
    return redirect("objective", pk=objective.pk)


def _saved(objective: Objective, is_new: bool, anew: bool) -> str:
    if is_new:
        return f"{objective.name} is saved. Its past is being measured now."
    if anew:
        return f"{objective.name} is saved. It counts differently now, so its past is being measured anew."
    return f"{objective.name} is saved."


def measure_soon(objective: Objective, now: datetime) -> None:
    """Have it measured without waiting for the next tick; should Redis be away, the next tick does."""
    transaction.on_commit(lambda: queue(measure, objective.pk, now.isoformat()))


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
    unmeasured = request.GET.get("only") == "unmeasured"
    # Only for slices with traffic: the others have no share.
    bad_share = models.F("bad") / NullIf("total", models.Value(0.0))
    slices = Slice.objects.filter(objective=objective).annotate(ratio=bad_share).order_by("-end")
    if unmeasured:
        slices = slices.filter(total=None)
    context = {
        "page": Paginator(slices, SLICES_A_PAGE).get_page(request.GET.get("page")),
        "only_unmeasured": unmeasured,
        "promql": promql(sli_of(objective), settings.SLICE),
        "slice": settings.SLICE,
        "incidents": Incident.objects.filter(transitions__alert__tier__objective=objective).distinct()[:5],
    }
    return render(request, "objective.html", _live_context(objective) | context)


@require_GET
@never_cache
def live(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "objective.html#live", _live_context(_objective(pk)) | {"fragment": True})


def _live_context(objective: Objective) -> dict[str, Any]:
    found = objective_standing.standing(objective, timezone.now())
    return {"objective": objective, "flow": objective.flow, "now": found, "as_of": objective.measured_until}


@require_GET
@never_cache
def chart(request: HttpRequest, pk: int, kind: str) -> JsonResponse:
    objective = _objective(pk)
    drawer = objective_standing.CHARTS.get(kind)
    if drawer is None:
        return JsonResponse({"error": "There is no such chart."}, status=404)
    until = objective.measured_until
    drawn = drawer(objective, until) if until else objective_charts.NOTHING
    return JsonResponse(drawn, json_dumps_params={"allow_nan": False})
