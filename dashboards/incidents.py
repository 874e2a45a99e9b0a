"""Incidents: the list, and the page that explains one; it keeps itself up to date section by section."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from alerts import explanations, incidents
from alerts.models import Alert, Incident
from dashboards import burn_chart, incident_facts, objective_charts
from dashboards.burn_chart import Mark
from slo import ledger, maintenance
from slo.definitions import tier_of
from slo.models import AlertRule, Flow, Ledger
from telemetry.models import Change

PER_PAGE = 30
# The sections of the page that change by themselves; each is a partial of the template.
SECTIONS = ("summary", "tiers", "explanation", "changes", "examples", "said", "timeline", "about")
# What htmx takes as: the answer, and ask no more.
STOP_POLLING = 286
# Notifications and the last examples arrive after the end.
KEEP_POLLING = timedelta(minutes=2)
LONGEST_NOTE = 10_000


# -- The list
@require_GET
def list_page(request: HttpRequest) -> HttpResponse:
    state, flow = request.GET.get("state", ""), request.GET.get("flow", "")
    rows = Incident.objects.select_related("flow", "acknowledged_by")
    if state == "unresolved":
        rows = rows.unresolved()
    elif state in Incident.State.values:
        rows = rows.filter(state=state)
    if flow:
        rows = rows.filter(flow__slug=flow)
    context = {
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "state": state,
        "states": [("", "Any"), ("unresolved", "Not resolved"), *Incident.State.choices],
        "flow": flow,
        "flows": Flow.objects.order_by("name").values_list("slug", "name"),
        "now": timezone.now(),
    }
    return render(request, "incidents.html", context)


# -- The page
@dataclass(frozen=True, slots=True)
class Section:
    """A rendered part of the page; the digest tells whether the reader has seen it."""

    name: str
    html: SafeString
    digest: str


@require_GET
def page(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, _incident(pk))


def _page(request: HttpRequest, incident: Incident, note: str = "", error: str = "", status: int = 200) -> HttpResponse:
    facts = incident_facts.facts(incident, timezone.now(), _person(request).pk)
    context: dict[str, Any] = {
        "incident": incident,
        "facts": facts,
        "as_of": facts.as_of,
        "sections": {section.name: section for section in _sections(request, facts)},
        "polls": _polls(incident),
        "note": note,
        "note_error": error,
    }
    return render(request, "incident.html", context, status=status)


@require_GET
@never_cache
def live(request: HttpRequest, pk: int) -> HttpResponse:
    """Only the sections that differ from what the reader has: what somebody reads, selects or opened stays."""
    incident = _incident(pk)
    facts = incident_facts.facts(incident, timezone.now(), _person(request).pk)
    changed = [one for one in _sections(request, facts) if request.GET.get(one.name) != one.digest]
    context = {"incident": incident, "facts": facts, "as_of": facts.as_of, "changed": changed}
    status = 200 if _polls(incident) else STOP_POLLING
    return render(request, "incident.html#live", context, status=status)


def _incident(pk: int) -> Incident:
    return get_object_or_404(Incident.objects.select_related("flow", "acknowledged_by"), pk=pk)


def _polls(incident: Incident) -> bool:
    return incident.resolved_at is None or timezone.now() - incident.resolved_at < KEEP_POLLING


def _sections(request: HttpRequest, facts: incident_facts.Facts) -> list[Section]:
    return [_section(request, name, facts) for name in SECTIONS]


def _section(request: HttpRequest, name: str, facts: incident_facts.Facts) -> Section:
    html = render_to_string(f"incident.html#{name}", {"facts": facts, "incident": facts.incident}, request)
    return Section(name, html, hashlib.blake2b(html.encode(), digest_size=8).hexdigest())


# -- What people do
@require_POST
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    incident = get_object_or_404(Incident, pk=pk)
    if incidents.acknowledge(incident, _person(request)):
        messages.success(request, f"{incident} acknowledged.")
    else:
        messages.info(request, f"{incident} was not open any more: somebody acknowledged it, or it is resolved.")
    return redirect("incident", pk=pk)


@require_POST
def note(request: HttpRequest, pk: int) -> HttpResponse:
    incident = _incident(pk)
    text = request.POST.get("text", "").replace("\0", "")
    try:
        if len(text) > LONGEST_NOTE:
            raise ValueError(f"The note has {len(text):,} characters, {LONGEST_NOTE:,} fit. Shorten it, or add two.")
        incidents.add_note(incident, _person(request), text)
    except ValueError as error:
        return _page(request, incident, note=text, error=str(error), status=422)
    return redirect(reverse("incident", args=[pk]) + "#timeline")


@require_POST
def verdict(request: HttpRequest, pk: int) -> HttpResponse:
    """A finding is right, wrong, or (again) not judged."""
    incident = _incident(pk)
    right = {"yes": True, "no": False}.get(request.POST.get("right", ""))
    try:
        explanations.judge(incident, request.POST.get("finding", "")[:64], _person(request), right)
    except ValueError as error:
        messages.error(request, str(error))
    return redirect(reverse("incident", args=[pk]) + "#live-explanation")


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 (every page asks for a login)
    return request.user


# -- The chart
@require_GET
@never_cache
def chart(request: HttpRequest, pk: int) -> JsonResponse:
    incident = _incident(pk)
    found = worst_alert(incident)
    tier, book = found or (None, None)
    measured = incidents.measured_until(book) if book else None
    if tier is None or book is None or measured is None:
        return JsonResponse({"error": "Nothing is measured for this incident."}, status=404)
    since = incident.onset_at or incident.opened_at
    start, end = burn_chart.frame(since, incident.resolved_at, measured, tier.short)
    drawn = burn_chart.data(
        ledger.burn_series(book, tier.long, start, end, burn_chart.POINTS),
        ledger.burn_series(book, tier.short, start, end, burn_chart.POINTS),
        (tier.long, tier.short),
        float(tier_of(tier).factor(book.objective.window)),
        tier.severity,
        _marks(incident, start, end),
        (start, end),
        timezone.now(),
    )
    taken = maintenance.intervals(book.objective, start, end)
    drawn["grounds"] = [objective_charts.ground(left, right) for left, right in taken]
    return JsonResponse(drawn, json_dumps_params={"allow_nan": False})


def worst_alert(incident: Incident) -> tuple[AlertRule, Ledger | None] | None:
    """The tier whose windows are drawn, and their ledger: of a firing one, pages first; else of what opened it."""
    firing = Alert.objects.firing().burning().filter(incident=incident)
    # Alphabetically, page comes before ticket.
    alert = firing.select_related("tier__objective").order_by("tier__severity", "tier__long", "group").first()
    if alert:
        return alert.tier, ledger.book(alert.tier.objective, alert.group)
    main = incidents.main_transition(incident)
    return (main.alert.tier, incidents.book_of(main)) if main else None


def _marks(incident: Incident, start: datetime, end: datetime) -> list[Mark]:
    marks = [Mark(change.at, change.title) for change in Change.objects.filter(at__range=(start, end))[:4]]
    if incident.onset_at:
        marks.append(Mark(incident.onset_at, "onset"))
    paged = incident.severity == AlertRule.Severity.PAGE
    marks.append(Mark(incident.opened_at, "paged" if paged else "ticket", "page" if paged else ""))
    if incident.resolved_at:
        marks.append(Mark(incident.resolved_at, "resolved"))
    return marks
