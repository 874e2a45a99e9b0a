"""The live parts of the objective's form: each asks Prometheus, has a URL of its own, and may fail alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from alerts.models import Incident
from connectors.errors import Refused, StoreError
from connectors.prometheus import Prometheus
from dashboards import metric_facts, objective_charts
from dashboards.metric_facts import Suggestions
from dashboards.objective_charts import Picture
from dashboards.objective_form import Draft, ObjectiveForm
from dashboards.objective_rows import Unreadable, limit, matcher_rows
from slo import preview
from slo.counting import WINDOW, Sli, promql, selector
from slo.models import Flow
from slo.preview import Preview
from slo.tiers import Tier
from slo.windows import ZERO
from telemetry import sources
from telemetry.models import Source

# Nobody waits longer than this while typing.
PATIENCE = timedelta(seconds=10)
MOST_EPISODES = 12
MOST_VALUES = 100


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that would have fired, and what happened then as far as Fireline knows."""

    tier: Tier
    since: datetime
    until: datetime | None
    reason: str
    incident: Incident | None


def client_for(source: Source) -> Prometheus:
    """A client for somebody who waits for the answer."""
    source.timeout = min(source.timeout, PATIENCE)
    return sources.client(source)


# -- The preview
@require_POST
@never_cache
def fragment(request: HttpRequest, slug: str) -> HttpResponse:
    flow = get_object_or_404(Flow, slug=slug)
    objective = flow.objectives.filter(pk=_key(request.POST.get("objective", ""))).first()
    form = ObjectiveForm(flow, objective, request.POST)
    form.is_valid()
    return render(request, "objective_form.html#answer", context(form, timezone.now()) | {"fragment": True})


def context(form: ObjectiveForm, now: datetime) -> dict[str, Any]:
    """What the preview of a checked form shows. Never raises for a store's fault: that is `preview_error`."""
    found: dict[str, Any] = {
        "form": form,
        "flow": form.flow,
        "preview_of": now,
        "differences": form.differences(),
    }
    draft = form.draft()
    if draft is None:
        return found | {"preview_missing": form.missing}
    try:
        with client_for(draft.source) as client:
            tried = preview.preview(draft.sli, draft.target, draft.window, draft.tiers, client, now)
            unknown = [] if tried.budget.totals.bad else _unknown_labels(draft.sli, client, now)
    except StoreError as error:
        return found | {"preview_error": _sentence(error, draft)}
    for row in form.rows.tiers:
        row.bad = float(row.tier.budget_share) * tried.budget.allowed if row.tier else None
    return found | _shown(tried, form.flow) | {"unknown_labels": unknown}


def _unknown_labels(sli: Sli, client: Prometheus, now: datetime) -> list[str]:
    """Labels by which a bad event should be known, but which no series has: a misspelt one finds nothing bad, ever."""
    asked = [matcher.label for matcher in sli.bad_matchers if not sli.by_expression]
    if not asked:
        return []
    try:
        known = client.label_names([selector(sli.metric, sli.matchers)], now - metric_facts.RECENT, now)
    except StoreError:
        # Only a hint: the preview itself is there.
        return []
    return [label for label in dict.fromkeys(asked) if known and label not in known]


def _sentence(error: StoreError, draft: Draft) -> str:
    if isinstance(error, Refused) and draft.sli.by_expression:
        return f"{error} The position is counted within the query that Fireline builds around yours."
    return str(error)


def _shown(tried: Preview, flow: Flow) -> dict[str, Any]:
    totals = tried.budget.totals
    fired = _fired(tried, flow)
    pages = sum(one.tier.severity == "page" for one in fired)
    return {
        "tried": tried,
        "achieved": None if totals.ratio is None else 1 - totals.ratio,
        "unmeasured": max(ZERO, totals.span - totals.measured),
        "picture": _picture(tried),
        "fired": fired[:MOST_EPISODES],
        "fired_count": len(fired),
        "fired_pages": pages,
        "fired_tickets": len(fired) - pages,
        # Every event bad means, more often than an outage, that the matchers or the limit miss.
        "all_bad": bool(totals.total) and totals.bad == totals.total,
    }


def _picture(tried: Preview) -> Picture | None:
    gaps = objective_charts.unmeasured((one.start, one.end, one.total is not None) for one in tried.slices)
    measured = {one.end for one in tried.slices if one.total is not None}
    points = [(at, left if at in measured else None) for at, left in tried.left]
    return objective_charts.picture(points, tried.step, gaps)


def _fired(tried: Preview, flow: Flow) -> list[Fired]:
    """Newest first; each with the incident that was open then."""
    since = tried.slices[0].start if tried.slices else timezone.now()
    incidents = [
        one for one in Incident.objects.filter(flow=flow) if one.resolved_at is None or one.resolved_at >= since
    ]
    episodes = [(row.tier, episode) for row in tried.tiers for episode in row.episodes]
    return [
        Fired(tier, one.since, one.until, one.reason, _open_then(incidents, one.since, one.until))
        for tier, one in sorted(episodes, key=lambda pair: pair[1].since, reverse=True)
    ]


def _open_then(incidents: Sequence[Incident], since: datetime, until: datetime | None) -> Incident | None:
    overlapping = (
        one
        for one in incidents
        if (until is None or one.opened_at <= until) and (one.resolved_at is None or one.resolved_at >= since)
    )
    return next(overlapping, None)


# -- Before it is saved
def objections(draft: Draft, now: datetime) -> tuple[dict[str, str], str]:
    """What Prometheus has against a draft, by field, and what it could not say; both empty when all is well."""
    try:
        with client_for(draft.source) as client:
            return _objections(draft, client, now)
    except StoreError as error:
        return {}, f"Saved, but not tried: {error}"


def _objections(draft: Draft, client: Prometheus, now: datetime) -> tuple[dict[str, str], str]:
    sli = draft.sli
    queries = (
        {
            field: expression.replace(WINDOW, f"{settings.SLICE // timedelta(milliseconds=1)}ms")
            for field, expression in (
                ("total_expression", sli.total_expression),
                ("bad_expression", sli.bad_expression),
            )
        }
        if sli.by_expression
        else {"metric": promql(sli, settings.SLICE)}
    )
    found = {}
    for field, query in queries.items():
        try:
            client.instant(query, now)
        except Refused as error:
            found[field] = str(error)
    if sli.threshold is not None and not found:
        found |= _no_such_bucket(draft, client, now)
    return found, ""


def _no_such_bucket(draft: Draft, client: Prometheus, now: datetime) -> dict[str, str]:
    """Without its bucket nothing would be good: every request would count as bad."""
    edges = metric_facts.buckets(client, draft.sli.metric, now)
    if not edges or draft.sli.threshold in edges:
        return {}
    known = ", ".join(f"{edge:f}" for edge in edges)
    return {"threshold": f"{draft.sli.metric} has no bucket that ends there. Its buckets end at {known} s."}


# -- Suggestions
@require_GET
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Names for the metric's list, and what is known of the one that is typed."""
    return render(
        request, "objective_form.html#metric-facts", suggestions(request.GET, timezone.now()) | {"fragment": True}
    )


def suggestions(data: QueryDict, now: datetime) -> dict[str, Any]:
    typed, latency = data.get("metric", "").strip()[:200], data.get("counting") == "latency"
    source = Source.objects.filter(kind=Source.Kind.PROMETHEUS, pk=_key(data.get("source", ""))).first()
    if source is None:
        found = Suggestions(error="Choose the Prometheus that is asked.")
    else:
        matchers = [row.matcher for row in matcher_rows(data, "match") if row.matcher]
        with client_for(source) as client:
            found = metric_facts.suggest(client, typed, latency, matchers, now)
    threshold = _limit(data.get("threshold", ""))
    return {
        "suggestions": found,
        "facts": found.facts,
        "facts_source": source,
        "typed": typed,
        "latency": latency,
        "threshold": data.get("threshold", ""),
        "threshold_listed": found.facts is not None and threshold in found.facts.boundaries,
        "threshold_value": threshold,
    }


def _limit(text: str) -> Decimal | None:
    try:
        return limit(text)
    except Unreadable:
        return None


@require_GET
@never_cache
def labels(request: HttpRequest) -> HttpResponse:
    """Options for a matcher: the metric's label names, or with `of` the values of that row's label."""
    return render(request, "objective_form.html#options", {"options": _options(request.GET, timezone.now())})


def _options(data: QueryDict, now: datetime) -> list[str]:
    source = Source.objects.filter(kind=Source.Kind.PROMETHEUS, pk=_key(data.get("source", ""))).first()
    metric = data.get("metric", "").strip()
    if source is None or not metric:
        return []
    label = (data.get("match_label") or data.get("bad_label") or "").strip() if "values" in data else ""
    chosen = [selector(f"{metric}_count" if data.get("counting") == "latency" else metric)]
    try:
        with client_for(source) as client:
            if "values" in data:
                return client.label_values(label, chosen, now - metric_facts.RECENT, now)[:MOST_VALUES] if label else []
            names = client.label_names(chosen, now - metric_facts.RECENT, now)
            return [name for name in names if name not in ("__name__", "le")]
    except StoreError:
        # Only suggestions: the preview beside them says what is wrong.
        return []


def _key(text: str) -> int:
    """A row's key; 0, which no row has, for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 18 else 0
