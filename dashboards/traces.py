"""Traces: the search, and the page of one request with its waterfall, its selected span and its log lines."""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from alerts import frozen
from alerts.models import Example, Incident
from connectors.entry import summary_of
from connectors.errors import StoreError
from connectors.telemetry import TraceQuery, TraceSummary, from_ns
from dashboards import paging, span_facts, waterfall
from dashboards.recall import Recalled, recall
from dashboards.telemetry_filters import TraceFilter
from evidence.spans import Node, Tree, tree
from telemetry import links, stores
from telemetry.models import Role
from telemetry.store import full_trace_id

PER_PAGE = 50
USUAL_RANGE = "1h"
# The time that a link into a store asks for: the request's own, and so much on both sides.
AROUND_LINK = timedelta(minutes=5)


# -- The search
@require_GET
def search_page(request: HttpRequest) -> HttpResponse:
    asked = {name: str(value).replace("\0", "") for name, value in request.GET.items()}
    form = TraceFilter({"range": USUAL_RANGE} | asked)
    if not form.is_valid():
        return render(request, "traces.html", {"form": form}, status=422)
    cursor = None if form.cleaned_data["sort"] else paging.parse(request.GET.get("older", ""))
    query = form.query(timezone.now(), cursor.until if cursor else None, paging.asked(cursor, PER_PAGE))
    names = ("flow", "service", "status", "longer")
    context: dict[str, Any] = {"form": form, "cursor": cursor, "long_range": form.long_range}
    context["filtered"] = any(form.cleaned_data[name] for name in names)
    found, errors = search(query)
    context["errors"] = errors
    if errors and not found:
        return render(request, "traces.html", context | {"error": " ".join(errors)}, status=503)
    if query.slowest_first:
        return render(request, "traces.html", context | {"page": paging.Page(found[:PER_PAGE], None)})
    shown = paging.cut(found, lambda trace: trace.start_ns, cursor, PER_PAGE)
    return render(request, "traces.html", context | {"page": shown})


def search(query: TraceQuery) -> tuple[list[TraceSummary], list[str]]:
    """The hits of all stores together, and what the stores said that could not answer."""
    found: dict[str, TraceSummary] = {}
    # Each sentence once: two sources may be one server.
    errors: dict[str, None] = {}
    for store in stores.trace_stores(stores.PAGE_PATIENCE):
        try:
            # The embedded store, which is first, knows best how a request went.
            found = {hit.trace_id: hit for hit in store.search(query)} | found
        except StoreError as error:
            errors[str(error)] = None
    key = (lambda hit: -hit.duration_ns) if query.slowest_first else (lambda hit: -hit.start_ns)
    return sorted(found.values(), key=key)[: query.limit], list(errors)


# -- One request
@require_GET
def page(request: HttpRequest, trace_id: str) -> HttpResponse:
    known = recall(trace_id)
    incident = _incident(request, known)
    if not known.spans:
        return _unknown(request, known, incident)
    if request.GET.get("format") == "json":
        return JsonResponse(_as_json(known), json_dumps_params={"indent": 2})
    context = _context(request, known, incident)
    # A click on a span brings the new split only, so that the page stays where it was scrolled to.
    asks_part = request.headers.get("HX-Request") and not request.headers.get("HX-History-Restore-Request")
    return render(request, "trace.html#split" if asks_part else "trace.html", context)


def _incident(request: HttpRequest, known: Recalled) -> Incident | None:
    """The incident that somebody comes from, else the newest one that kept this request."""
    asked = request.GET.get("incident", "")
    for example in known.examples:
        if str(example.incident_id) == asked:
            return example.incident
    if asked.isdecimal() and len(asked) < 12 and (found := Incident.objects.filter(pk=int(asked)).first()):
        return found
    return known.examples[0].incident if known.examples else None


def _unknown(request: HttpRequest, known: Recalled, incident: Incident | None) -> HttpResponse:
    context = {
        "trace_id": known.trace_id,
        "malformed": not full_trace_id(known.trace_id),
        "incident": incident,
        "errors": known.errors,
        "lines": known.lines,
    }
    return render(request, "trace_unknown.html", context, status=503 if known.errors else 404)


def _as_json(known: Recalled) -> dict[str, Any]:
    return {
        "trace_id": known.trace_id,
        "spans": [asdict(span) for span in known.spans],
        "log_lines": [asdict(line) for line in known.lines],
    }


def _context(request: HttpRequest, known: Recalled, incident: Incident | None) -> dict[str, Any]:
    whole = tree(known.spans)
    cause = _cause(whole)
    asked = whole.find(request.GET.get("span", ""))
    selected = asked or cause
    shown = waterfall.draw(whole, known.lines, selected, _page_number(request, whole, asked))
    party = waterfall.party(whole, selected) if selected else ""
    return {
        "trace_id": known.trace_id,
        "known": known,
        "incident": incident,
        "story": story(whole, cause, _normal(incident)),
        "links": _links(known, Role.TRACES),
        "log_links": _links(known, Role.LOGS),
        "tree": whole,
        "counts": _counts(whole, known),
        "waterfall": shown,
        "own_time": waterfall.own_time(whole),
        "slowest": sorted(whole, key=lambda node: -node.self_ns)[:15],
        "span": span_facts.facts(whole, selected, party, tuple(known.lines)) if selected else None,
        "selected_is_cause": selected is cause,
        "span_missing": bool(request.GET.get("span")) and asked is None,
        "from_click": bool(request.headers.get("HX-Request")),
    }


def _links(known: Recalled, role: Role) -> list[links.Link]:
    """Where the stores' own pages show this request."""
    entry = summary_of(known.spans)
    end = max(from_ns(span.end_ns) for span in known.spans)
    return links.of_trace(role, known.trace_id, entry.service, entry.start - AROUND_LINK, end + AROUND_LINK)


def _cause(whole: Tree) -> Node | None:
    return frozen.cause(whole, failed=any(node.failed for node in whole))


def _page_number(request: HttpRequest, whole: Tree, asked: Node | None) -> int:
    text = request.GET.get("page", "")
    if text.isdecimal() and len(text) < 6:
        return int(text)
    return waterfall.page_of(whole, asked) if asked else 1


def _normal(incident: Incident | None) -> timedelta | None:
    """How long a normal request of the incident's flow took: its examples for comparison."""
    if incident is None:
        return None
    normal = incident.examples.filter(role=Example.Role.NORMAL, duration__gt=timedelta(0))
    return normal.order_by("duration").values_list("duration", flat=True).first()


@dataclass(frozen=True, slots=True)
class Story:
    """The request in a sentence: what it was, how it ended, where, and how long a normal one takes."""

    name: str
    failed: bool
    duration_ns: int
    cause: Node | None
    cause_party: str
    # What the failed cause says about itself.
    failure: str
    # The cause's own time as a part of all own time, 0…1.
    share: float
    normal: timedelta | None


def story(whole: Tree, cause: Node | None, normal: timedelta | None) -> Story:
    """`whole` has at least one span."""
    # Of several roots the trace's own says what was asked for; orphans are parts of something unseen.
    root = min(whole.roots, key=lambda node: (node.orphan, node.start_ns))
    all_own = sum(node.self_ns for node in whole) or 1
    return Story(
        name=f"{root.span.name}" if root.span.name else root.span.service,
        failed=root.failed,
        duration_ns=whole.duration_ns if root.orphan else root.span.duration_ns,
        cause=cause,
        cause_party=waterfall.party(whole, cause) if cause else "",
        failure=span_facts.failure(cause) if cause else "",
        share=cause.self_ns / all_own if cause else 0.0,
        normal=normal,
    )


def _counts(whole: Tree, known: Recalled) -> dict[str, Any]:
    levels = Counter(line.level for line in known.lines)
    return {
        "spans": len(whole),
        "services": len({node.span.service for node in whole}),
        "failed": sum(node.failed for node in whole),
        "orphans": sum(node.orphan for node in whole),
        "lines": len(known.lines),
        "errors": levels["error"],
        "warnings": levels["warn"],
        "flow": next((str(flow) for node in whole if (flow := node.span.attributes.get("user.flow"))), ""),
        "start": known.spans and min(span.start for span in known.spans),
    }
