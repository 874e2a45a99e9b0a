"""Flows: the list, one flow with its traffic, and the forms that create, edit and archive one."""

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods

from alerts.models import Incident
from connectors.telemetry import TraceQuery, TraceSummary
from dashboards import flow_charts, standing, traces, traffic
from dashboards.forms import StyledModelForm
from slo.archive import bring_back
from slo.models import Flow

# `/flows/new/` is the form.
RESERVED_SLUGS = {"new"}
CHARTS = (("requests", "Requests per second", "/s"), ("errors", "Errors", "%"), ("latency", "Latency", "s"))


class FlowForm(StyledModelForm[Flow]):
    class Meta:
        model = Flow
        fields = ("name", "team", "importance", "selector", "runbook_url", "description")
        labels = {
            "team": "Owner team",
            "importance": "How much it matters",
            "selector": "Value of user.flow",
            "runbook_url": "Runbook",
        }
        help_texts = {
            "name": "What people call it: Checkout, Login, Search.",
            "importance": "Tier 1 is what the business stands still without.",
            "selector": "Its spans and log lines carry this value in the attribute user.flow.",
            "runbook_url": "Shown on its incidents.",
        }
        widgets = {
            "description": forms.Textarea(attrs={"rows": 3}),
            "selector": forms.TextInput(attrs={"class": "mono"}),
        }
        error_messages = {"name": {"required": "Give the flow a name."}}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Almost always the name in small letters: left empty, it is that.
        self.fields["selector"].required = False
        self.fields["runbook_url"].widget.attrs["placeholder"] = "https://"

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not cleaned.get("selector") and cleaned.get("name"):
            cleaned["selector"] = slugify(cleaned["name"]) or cleaned["name"]
        return cleaned

    def save(self, commit: bool = True) -> Flow:
        if not self.instance.slug:
            self.instance.slug = free_slug(self.cleaned_data["name"])
        return super().save(commit)


def free_slug(name: str) -> str:
    """The name as a path, with a number when another flow (also an archived one) has it."""
    stem = slugify(name)[:70] or "flow"
    taken = RESERVED_SLUGS | set(Flow.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    candidates = (stem if number == 1 else f"{stem}-{number}" for number in range(1, len(taken) + 2))
    return next(slug for slug in candidates if slug not in taken)


@require_GET
def list_page(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    archived = Flow.objects.exclude(archived_at=None).order_by("-archived_at")
    return render(request, "flows.html", {"flows": standing.of_all(now), "archived": archived})


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    return _form(request, FlowForm(request.POST or None), "flow-new")


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    flow = get_object_or_404(Flow, slug=slug)
    return _form(request, FlowForm(request.POST or None, instance=flow), "flow-edit", Flow.objects.get(pk=flow.pk))


def _form(request: HttpRequest, form: FlowForm, name: str, flow: Flow | None = None) -> HttpResponse:
    saved = _saved(form)
    if saved:
        messages.success(request, f"{saved.name} is saved.")
        return redirect("flow", slug=saved.slug)
    # `flow` as it is stored: a rejected form has already changed its own instance.
    return render(request, "flow_form.html", {"form": form, "flow": flow}, status=422 if form.is_bound else 200)


def _saved(form: FlowForm) -> Flow | None:
    """The stored flow; nothing when the form has to be corrected first.

    The database decides whether the name is free: the form cannot, as the constraint looks at a field it lacks.
    """
    if not form.is_bound or not form.is_valid():
        return None
    try:
        with transaction.atomic():
            return form.save()
    except IntegrityError:
        form.add_error("name", "Another flow has this name. Choose one that tells them apart.")
        return None


@require_http_methods(["GET", "POST"])
def archive(request: HttpRequest, slug: str) -> HttpResponse:
    """Asks first, then archives; for an archived flow the same, the other way round."""
    flow = get_object_or_404(Flow, slug=slug)
    problem = ""
    if request.method == "POST":
        problem = bring_back(flow) if flow.archived_at else _archive(flow)
        if not problem:
            messages.success(request, f"{flow.name} is {'back' if flow.archived_at else 'archived'}.")
            return redirect("flow", slug=flow.slug) if flow.archived_at else redirect("flows")
    open_incident = Incident.objects.unresolved().filter(flow=flow).first()
    context = {"flow": flow, "problem": problem, "open_incident": open_incident}
    return render(request, "flow_archive.html", context, status=422 if problem else 200)


def _archive(flow: Flow) -> str:
    incident = Incident.objects.unresolved().filter(flow=flow).first()
    if incident:
        return f"{incident} is still open. Archive the flow when it has resolved."
    Flow.objects.active().filter(pk=flow.pk).update(archived_at=timezone.now())
    return ""


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    flow = get_object_or_404(Flow, slug=slug)
    now = timezone.now()
    failed, failed_error = _failed(flow, now)
    context = {
        "incidents": Incident.objects.filter(flow=flow)[:10],
        "failed": failed,
        "failed_error": failed_error,
        "charts": _charts(flow),
        "ranges": traffic.RANGES,
        "range": request.GET.get("range") if request.GET.get("range") in traffic.RANGES else "1h",
    }
    return render(request, "flow.html", _live_context(flow, now) | context)


@require_GET
def live(request: HttpRequest, slug: str) -> HttpResponse:
    flow = get_object_or_404(Flow, slug=slug)
    return render(request, "flow.html#live", _live_context(flow, timezone.now()) | {"fragment": True})


def _live_context(flow: Flow, now: datetime) -> dict[str, Any]:
    found = standing.of_flow(flow, now)
    return {"flow": flow, "as_of": now, "standing": found, "banner": standing.banner_of(found, now)}


def _charts(flow: Flow) -> list[tuple[str, str, str]]:
    """Kind, title and unit of the charts that this flow's objectives have a metric for."""
    objectives = [] if flow.archived_at else list(flow.objectives.filter(archived_at=None))
    return [chart for chart in CHARTS if flow_charts.objective_for(chart[0], objectives)]


def _failed(flow: Flow, now: datetime) -> tuple[list[TraceSummary], str]:
    query = TraceQuery(flow=flow.selector, error=True, since=now - timedelta(hours=1), limit=6)
    found, errors = traces.search(query)
    return found, " ".join(errors)
