"""The form that defines an objective or changes one: shown, checked, saved."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from alerts.tasks import measure, queue
from dashboards import objective_preview
from dashboards.objective_draft import Draft
from dashboards.objective_form import ObjectiveForm
from slo.definitions import definition_of, restarts, save_definition
from slo.models import Flow, Objective
from telemetry.models import Source


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
    suggested = request.POST.get("use_target", "")[:40]
    if suggested or form.rows.act(request.POST.dict(), form.known_window, form.known_target):
        response = _show(request, form.as_typed(**{"target": suggested} if suggested else {}))
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
    if draft is None:
        return _show(request, form, status=422)
    refused, untried = objective_preview.objections(draft, now)
    for field, sentence in refused.items():
        form.add_error(field, sentence)
    if refused:
        return _show(request, form, status=422)
    anew = form.objective is not None and _counts_anew(form.objective, draft)
    target = Objective.objects.get(pk=form.objective.pk) if form.objective else None
    try:
        objective = save_definition(form.flow, draft.source, draft.definition, target)
    except IntegrityError:
        form.add_error("name", "Another objective of this flow has just taken this name. Choose another.")
        return _show(request, form, status=422)
    measure_soon(objective, now)
    messages.success(request, _saved(objective, form.objective is None, anew))
    if untried:
        messages.warning(request, untried)
    return redirect("objective", pk=objective.pk)


def _counts_anew(before: Objective, draft: Draft) -> bool:
    return before.source_id != draft.source.pk or restarts(definition_of(before, ()), draft.definition)


def _saved(objective: Objective, is_new: bool, anew: bool) -> str:
    if is_new:
        return f"{objective.name} is saved. Its past is being measured now."
    if anew:
        return f"{objective.name} is saved. It counts differently now, so its past is being measured anew."
    return f"{objective.name} is saved."


def measure_soon(objective: Objective, now: datetime) -> None:
    """Have it measured without waiting for the next tick; should Redis be away, the next tick does."""
    transaction.on_commit(lambda: queue(measure, [objective.pk], now.isoformat()))
