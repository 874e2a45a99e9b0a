"""The live parts of the objective's form: each asks Prometheus, has a URL of its own, and may fail alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from alerts.models import Incident
from connectors.errors import Refused, StoreError
from connectors.prometheus import Prometheus
from dashboards import metric_facts, objective_trial, typed
from dashboards.metric_facts import Suggestions
from dashboards.objective_draft import Draft
from dashboards.objective_form import ObjectiveForm
from dashboards.objective_rows import matcher_rows
from dashboards.objective_trial import Trial
from dashboards.templatetags.fireline import duration
from dashboards.templatetags.objectives import rule_in_words
from dashboards.typed import Unreadable, plain
from slo import catalogue, groups, recordings
from slo.counting import WINDOW, Sli, promql, selector
from slo.episodes import Compared, Episode
from slo.models import Flow, Objective
from slo.recordings import Recorded
from slo.windows import ZERO
from telemetry import sources
from telemetry.models import Source

# Nobody waits longer than this while typing.
PATIENCE = timedelta(seconds=10)
# Of what has to be read so much at a time; the page asks again until all of it is there.
AT_ONCE = timedelta(seconds=1)
MOST_EPISODES = 12
MOST_GROUPS_SHOWN = 12
MOST_VALUES = 100


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that would have fired, and what happened then as far as Fireline knows."""

    compared: Compared
    incident: Incident | None

    @property
    def episode(self) -> Episode:
        return self.compared.episode

    @property
    def rule(self) -> str:
        return rule_in_words(self.episode.rule)

    @property
    def later(self) -> str:
        """`40 min earlier`, beside the saved rules."""
        later = self.compared.later or ZERO
        return f"{duration(abs(later))} {'later' if later > ZERO else 'earlier'}"

    @property
    def group(self) -> str:
        return groups.text(self.episode.group)


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
    """What the preview of a checked form shows. Never raises for a store's fault: that is `preview_error`.

    What is missing is read for a short while and kept; `progress` below 1 says that there is more to read.
    """
    found: dict[str, Any] = {
        "form": form,
        "flow": form.flow,
        "preview_of": now,
        "differences": form.differences(),
    }
    draft = form.draft()
    if draft is None:
        return found | {"preview_missing": form.missing}
    recorded = recordings.load(recordings.question(draft.source, draft.definition, now))
    found |= _filled(recorded, draft, now)
    tried = objective_trial.trial(draft, form.flow, form.objective, recorded)
    if tried is None:
        return found
    for row in form.rows.tiers:
        row.bad = float(row.tier.budget_share) * tried.budget.allowed if row.tier else None
    found["unknown_labels"] = _unknown_labels(tried, draft, now)
    return found | _shown(tried, recorded, form.flow, form.objective)


def _filled(recorded: Recorded, draft: Draft, now: datetime) -> dict[str, Any]:
    """Reads a part of what is missing, and says what went wrong."""
    found: dict[str, Any] = {"preview_error": ""}
    try:
        with client_for(draft.source) as client:
            recordings.fill(recorded, client, now, AT_ONCE)
    except StoreError as error:
        found["preview_error"] = _sentence(error, draft)
    except ValueError as error:
        found["preview_error"] = str(error)
    return found | {"progress": recorded.progress, "unfinished": not recorded.complete and not found["preview_error"]}


def _unknown_labels(tried: Trial, draft: Draft, now: datetime) -> list[str]:
    """Labels that mark events or split them, but which no series has: a misspelt one finds nothing, ever."""
    sli = draft.definition.sli
    if sli.by_expression or sli.by_time:
        return []
    asked = [name for group in tried.groups for name, value in group.group if not value]
    if not tried.budget.totals.bad and not sli.bad_metric:
        asked += [matcher.label for matcher in sli.bad_matchers]
    if not asked:
        return []
    metric = f"{sli.metric}_count" if sli.kind == "latency" else sli.metric
    try:
        with client_for(draft.source) as client:
            known = client.label_names([selector(metric, sli.matchers)], now - metric_facts.RECENT, now)
    except StoreError:
        # Only a hint: the preview itself is there.
        return []
    return [label for label in dict.fromkeys(asked) if known and label not in known]


def _sentence(error: StoreError, draft: Draft) -> str:
    if isinstance(error, Refused) and draft.definition.sli.by_expression:
        return f"{error} The position is counted within the query that Fireline builds around yours."
    return str(error)


def _shown(tried: Trial, recorded: Recorded, flow: Flow, objective: Objective | None) -> dict[str, Any]:
    incidents = list(Incident.objects.filter(flow=flow).exclude(resolved_at__lt=tried.start))
    shown = [Fired(one, _open_then(incidents, one.episode)) for one in tried.fired[:MOST_EPISODES]]
    return {
        "tried": tried,
        "fired": shown,
        "slice": recorded.question.length,
        "form_url": _form_url(flow, objective),
        "groups": tried.groups[:MOST_GROUPS_SHOWN] if tried.definition.sli.group_by else [],
        "replayed": objective_trial.MOST_REPLAYED,
        "others": recorded.others,
        "suggested": plain(tried.suggestion.target * 100) if tried.suggestion else "",
    }


def _form_url(flow: Flow, objective: Objective | None) -> str:
    return reverse("objective-edit", args=[objective.pk]) if objective else reverse("objective-new", args=[flow.slug])


def _open_then(incidents: list[Incident], episode: Episode) -> Incident | None:
    overlapping = (
        one
        for one in incidents
        if (episode.until is None or one.opened_at <= episode.until)
        and (one.resolved_at is None or one.resolved_at >= episode.since)
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
    found = {}
    for field, query in _queries(draft.definition.sli).items():
        try:
            client.instant(query, now)
        except Refused as error:
            found[field] = str(error)
    start = now - metric_facts.RECENT
    if not found and (wrong := catalogue.wrong_threshold(draft.definition.sli, client, start, now)):
        found["threshold"] = wrong
    return found, ""


def _queries(sli: Sli) -> Mapping[str, str]:
    """What is tried before it is saved, by the field whose fault it is when it is refused."""
    if sli.by_time:
        return {"expression": sli.expression}
    if not sli.by_expression:
        return {"metric": promql(sli, settings.SLICE)}
    own = {"total_expression": sli.total_expression, "bad_expression": sli.bad_expression}
    milliseconds = settings.SLICE // timedelta(milliseconds=1)
    return {field: expression.replace(WINDOW, f"{milliseconds}ms") for field, expression in own.items()}


# -- Suggestions
@require_GET
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Names for the metric's list, and what is known of the one that is typed."""
    return render(
        request, "objective_form.html#metric-facts", suggestions(request.GET, timezone.now()) | {"fragment": True}
    )


def suggestions(data: QueryDict, now: datetime) -> dict[str, Any]:
    name, latency = data.get("metric", "").strip()[:200], data.get("counting") == "latency"
    source = Source.objects.filter(kind=Source.Kind.PROMETHEUS, pk=_key(data.get("source", ""))).first()
    if source is None:
        found = Suggestions(error="Choose the Prometheus that is asked.")
    else:
        matchers = [row.matcher for row in matcher_rows(data, "match") if row.matcher]
        with client_for(source) as client:
            found = metric_facts.suggest(client, name, latency, matchers, now)
    threshold = _limit(data.get("threshold", ""))
    return {
        "suggestions": found,
        "facts": found.facts,
        "facts_source": source,
        "typed": name,
        "latency": latency,
        "threshold": data.get("threshold", ""),
        "threshold_listed": found.facts is not None and threshold in found.facts.boundaries,
        "threshold_value": threshold,
        "nearest": _nearest(found, threshold),
    }


def _nearest(found: Suggestions, threshold: Decimal | None) -> list[str]:
    edges = found.facts.boundaries if found.facts and threshold else ()
    return [plain(edge) for edge in catalogue.nearest(edges, threshold or Decimal(0))]


def _limit(text: str) -> Decimal | None:
    try:
        return typed.limit(text)
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
