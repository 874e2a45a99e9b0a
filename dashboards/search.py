"""The search box: a trace id, an incident's number, or a part of a name."""

import re

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from alerts.models import Incident
from slo.models import Flow, Objective
from telemetry.models import Change

TRACE_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{16}", re.IGNORECASE)
INCIDENT = re.compile(r"inc[-\s]?(\d{1,12})", re.IGNORECASE)
# A trace id is also pasted as it stands in a `traceparent` header: version, trace id, span id, flags.
TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.IGNORECASE)
MOST = 20


def destination(query: str) -> str:
    """The one page that `query` names, or nothing when it has to be searched for."""
    parent = TRACEPARENT.fullmatch(query)
    if parent:
        return reverse("trace", args=[parent[1].lower()])
    if TRACE_ID.fullmatch(query):
        return reverse("trace", args=[query.lower()])
    number = INCIDENT.fullmatch(query)
    if number and Incident.objects.filter(pk=int(number[1])).exists():
        return reverse("incident", args=[int(number[1])])
    return ""


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    query = request.GET.get("q", "").replace("\0", "").strip()[:200]
    there = destination(query)
    if there:
        return redirect(there)
    hits = _hits(query) if query else {}
    only = [*hits.get("flows", ()), *hits.get("objectives", ())]
    # Exactly one name fits and nothing else does: go there.
    if len(only) == 1 and not hits.get("incidents") and not hits.get("changes"):
        return redirect(_address(only[0]))
    return render(request, "search.html", {"query": query, "found": any(hits.values()), **hits})


def _address(hit: Flow | Objective) -> str:
    return reverse("flow", args=[hit.slug]) if isinstance(hit, Flow) else reverse("objective", args=[hit.pk])


def _hits(query: str) -> dict[str, list[Flow] | list[Objective] | list[Incident] | list[Change]]:
    named = Q(name__icontains=query)
    return {
        "flows": list(Flow.objects.filter(named | Q(team__icontains=query) | Q(slug=query.lower()))[:MOST]),
        "objectives": list(Objective.objects.filter(named).select_related("flow")[:MOST]),
        "incidents": list(Incident.objects.filter(title__icontains=query).select_related("flow")[:MOST]),
        "changes": list(
            Change.objects.filter(Q(title__icontains=query) | Q(service__icontains=query) | Q(version=query))[:MOST]
        ),
    }
