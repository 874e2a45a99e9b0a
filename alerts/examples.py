"""Collects example requests for an incident and freezes them: their spans and log lines outlive the stores.

Exemplars of the objective's own series come first, because they are certainly among the counted requests; then the
trace stores are searched for the flow. Each query is bounded, all of them share one deadline, and a store that fails
leaves a sentence on the incident instead of stopping the rest.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, cast

from django.db import transaction
from django.db.models import QuerySet

from alerts import exemplars, frozen, incidents, timeline
from alerts.models import Example, Incident
from connectors.errors import StoreError
from connectors.telemetry import LogLine, Span, TraceQuery, TraceStore, from_ns, to_ns
from evidence import spans as evidence_spans
from evidence.examples import Candidate, Role, choose, part_of
from slo.models import Objective
from telemetry import stores
from telemetry.summaries import Summary, summarise

# When to look again after the first time, counted from each look before.
LOOKS_AFTER = (timedelta(seconds=15), timedelta(seconds=45))
# A worker that dies while looking gives the incident back after this.
LEASE = timedelta(seconds=40)
# One that kills every worker is left alone after so many tries.
MOST_TRIES = len(LOOKS_AFTER) + 4
MOST_BAD, MOST_NORMAL, FIRST_BAD = 6, 2, 4
# Requests that were on their way when the failing began.
BEFORE_ONSET = timedelta(seconds=30)
# How far before that normal ones may be from.
QUIET = timedelta(minutes=5)
# Hits of a search, and exemplars, that are looked into.
SEARCHED, EXEMPLARS = 20, 10
# Seconds for all stores together; the notification waits for what is found.
PATIENCE = 4.0
# Log lines kept of one request.
MOST_LINES = 200
NOT_STORED = "The trace store does not know this trace (yet)."


@dataclass
class Look:
    """One look for examples: what for, what it found, and what went wrong."""

    incident: Incident
    objective: Objective
    # Of the group that burns; none without grouping.
    labels: Mapping[str, str]
    since: datetime
    until: datetime
    # By time.monotonic().
    deadline: float
    errors: list[str] = field(default_factory=list)

    @property
    def slow_from(self) -> timedelta | None:
        """The duration from which a request is bad; `None` where duration does not matter."""
        threshold = self.objective.threshold
        if self.objective.kind != Objective.Kind.LATENCY or threshold is None:
            return None
        return timedelta(seconds=float(threshold))

    @cached_property
    def traces(self) -> list[TraceStore]:
        """The same for the whole look, as each store is asked only so much."""
        return stores.trace_stores(timedelta(seconds=PATIENCE))

    @property
    def time_left(self) -> bool:
        return time.monotonic() < self.deadline

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Turns a store's failure into a sentence on the incident."""
        try:
            yield
        except StoreError as error:
            if str(error) not in self.errors:
                self.errors.append(str(error))


@dataclass(frozen=True)
class Request:
    """A trace that was read, and what it is an example of."""

    trace_id: str
    role: Role
    spans: Sequence[Span]
    # Certainly one of the requests that the objective counted as bad.
    exemplar: bool

    @cached_property
    def candidate(self) -> Candidate:
        start = min((span.start_ns for span in self.spans), default=0)
        return Candidate(self.trace_id, self.role, start, part_of(self.spans), self.exemplar)


def due(now: datetime) -> QuerySet[Incident]:
    return Incident.objects.unresolved().filter(examples_due_at__lte=now)


def collect(incident_id: int, now: datetime) -> int:
    """Look for examples if it is time to and nobody else does; answers how many were added.

    Asked for twice, or again after a worker died, it keeps each request once.
    """
    incident = _claim(incident_id, now)
    if incident is None:
        return 0
    look = _look(incident, now)
    if look is None:
        _schedule(incident, now, "")
        return 0
    known = list(incident.examples.all())
    refreshed = [request for example in known if (request := _again(look, example))]
    added = _room(known, _requests(look, {example.trace_id for example in known}), incident.examples_tries)
    lines = _lines(look, [request.trace_id for request in (*refreshed, *added)])
    return _keep(look, refreshed, added, lines, now)


def _look(incident: Incident, now: datetime) -> Look | None:
    main = incidents.main_transition(incident)
    if main is None:
        return None
    since = (incident.onset_at or incident.opened_at - main.alert.tier.short) - BEFORE_ONSET
    book = incidents.book_of(main)
    labels = book.labels if book else {}
    return Look(incident, main.alert.tier.objective, labels, since, now, time.monotonic() + PATIENCE)


def _claim(incident_id: int, now: datetime) -> Incident | None:
    incident = due(now).filter(pk=incident_id).select_related("flow").first()
    if incident is None:
        return None
    mine = Incident.objects.filter(
        pk=incident.pk, examples_due_at=incident.examples_due_at, examples_tries=incident.examples_tries
    )
    incident.examples_tries += 1
    incident.examples_due_at = now + LEASE if incident.examples_tries < MOST_TRIES else None
    if not mine.update(examples_due_at=incident.examples_due_at, examples_tries=incident.examples_tries):
        return None
    return incident


# -- Asking the stores
def _requests(look: Look, known: set[str]) -> list[Request]:
    """What the stores have to offer, apart from what is `known`: exemplars, normal requests, then other bad ones."""
    certain: list[str] = []
    with look.asking():
        certain = exemplars.bad(look.objective, look.since, look.until, look.labels)
    normal, bad = _search(look, _normal(look)), _search(look, _bad(look))
    order = dict.fromkeys((*certain[:EXEMPLARS], *normal, *bad))
    found = []
    for trace_id in (trace_id for trace_id in order if trace_id not in known):
        if not look.time_left:
            break
        if request := _judge(look, trace_id, _spans(look, trace_id), exemplar=trace_id in certain):
            found.append(request)
    return found


def _bad(look: Look) -> TraceQuery:
    slow = look.slow_from
    wanted = TraceQuery(flow=look.incident.flow.selector, since=look.since, until=look.until, limit=SEARCHED)
    return replace(wanted, error=True) if slow is None else replace(wanted, min_duration=slow)


def _normal(look: Look) -> TraceQuery:
    return TraceQuery(
        flow=look.incident.flow.selector,
        # From before as well: in a complete outage there are none since.
        since=look.since - QUIET,
        until=look.until,
        error=False,
        max_duration=look.slow_from,
        limit=MOST_NORMAL * 3,
    )


def _search(look: Look, query: TraceQuery) -> list[str]:
    found: list[str] = []
    for store in look.traces:
        if look.time_left:
            with look.asking():
                found += [hit.trace_id for hit in store.search(query)]
    return found


def _spans(look: Look, trace_id: str) -> Sequence[Span]:
    for store in look.traces:
        with look.asking():
            if spans := store.trace(trace_id):
                return spans
    return ()


def _again(look: Look, example: Example) -> Request | None:
    """An example read once more: spans that came late belong to it too. `None` when there is nothing new."""
    if not look.time_left:
        return None
    spans = _spans(look, example.trace_id)
    if len(spans) <= len(example.spans):
        return None
    exemplar = example.found_by == Example.Found.EXEMPLAR
    return Request(example.trace_id, cast(Role, example.role), spans, exemplar=exemplar)


def _lines(look: Look, trace_ids: Sequence[str]) -> dict[str, list[LogLine]]:
    found: dict[str, list[LogLine]] = defaultdict(list)
    # Where the time is known, a store need not look through all it has.
    since, limit = look.since - 2 * QUIET, MOST_LINES * len(trace_ids)
    for store in stores.log_stores(timedelta(seconds=PATIENCE)) if trace_ids else ():
        with look.asking():
            for line in store.lines_of(trace_ids, limit=limit, since=since, until=look.until):
                found[line.trace_id].append(line)
    return found


# -- Judging what they answered
def _judge(look: Look, trace_id: str, spans: Sequence[Span], *, exemplar: bool) -> Request | None:
    """What a trace is an example of; `None` when it is neither surely bad nor surely normal."""
    if not spans:
        # Its spans may still be on their way, or the store keeps a sample only: the next look asks again.
        return Request(trace_id, "bad" if look.slow_from is None else "slow", (), exemplar=True) if exemplar else None
    summary = summarise(spans)[0]
    role = _role(look, summary, exemplar=exemplar)
    return Request(trace_id, role, spans, exemplar=exemplar) if role else None


def _role(look: Look, summary: Summary, *, exemplar: bool) -> Role | None:
    slow_from = look.slow_from
    if slow_from is None:
        return "bad" if summary.error or exemplar else "normal"
    if exemplar or timedelta(microseconds=summary.duration_ns / 1000) > slow_from:
        return "bad" if summary.error else "slow"
    return None if summary.error else "normal"


def _room(known: Sequence[Example], found: Sequence[Request], look_number: int) -> list[Request]:
    """The few that are added to those kept already; the first look leaves room for what comes later."""
    most_bad = FIRST_BAD if look_number == 1 else MOST_BAD
    have = Counter("normal" if example.role == Example.Role.NORMAL else "bad" for example in known)
    with_spans = [request for request in found if request.spans]
    # One that cannot be opened is better than none.
    usable = with_spans if any(request.role != "normal" for request in with_spans) else found
    by_id = {request.trace_id: request for request in usable}
    kept = [candidate_of(example) for example in known]
    chosen = choose([*kept, *(request.candidate for request in usable)], bad=most_bad + have["bad"], normal=MOST_NORMAL)
    room = {"bad": most_bad - have["bad"], "normal": MOST_NORMAL - have["normal"]}
    added = []
    for candidate in chosen:
        sort = "normal" if candidate.role == "normal" else "bad"
        if candidate.trace_id in by_id and room[sort] > 0:
            room[sort] -= 1
            added.append(by_id[candidate.trace_id])
    return added


def candidate_of(example: Example) -> Candidate:
    exemplar = example.found_by == Example.Found.EXEMPLAR
    return Candidate(example.trace_id, cast(Role, example.role), to_ns(example.started_at), example.part, exemplar)


# -- Keeping it
@transaction.atomic
def _keep(
    look: Look, refreshed: Sequence[Request], added: Sequence[Request], lines: dict[str, list[LogLine]], now: datetime
) -> int:
    incident = look.incident
    before = incident.examples.count()
    for request in refreshed:
        changes = _fields(request, lines.get(request.trace_id, []), now)
        incident.examples.filter(trace_id=request.trace_id).update(**changes)
    rows = [
        Example(incident=incident, trace_id=request.trace_id, **_fields(request, lines.get(request.trace_id, []), now))
        for request in added
    ]
    Example.objects.bulk_create(rows, ignore_conflicts=True)
    if bad := incident.examples.exclude(role=Example.Role.NORMAL).count():
        timeline.kept_examples(incident, now, bad)
    _schedule(incident, now, " ".join(look.errors))
    return incident.examples.count() - before


def _fields(request: Request, lines: Sequence[LogLine], now: datetime) -> dict[str, Any]:
    found_by = Example.Found.EXEMPLAR if request.exemplar else Example.Found.SEARCH
    fields: dict[str, Any] = {"role": request.role, "found_by": found_by, "kept_at": now}
    if not request.spans:
        return fields | {"started_at": now, "duration": timedelta(0), "what": NOT_STORED}
    whole, tree = summarise(request.spans)[0], evidence_spans.tree(request.spans)
    node = None if request.role == "normal" else frozen.cause(tree, failed=request.role == "bad")
    return fields | {
        "started_at": from_ns(whole.start_ns),
        "duration": timedelta(microseconds=whole.duration_ns / 1000),
        "what": frozen.in_words(node, failed=request.role == "bad") if node else "",
        "span_id": node.span.span_id if node else "",
        "part": dict(request.candidate.part),
        "spans": frozen.spans_of(tree),
        "lines": frozen.lines_of(lines[:MOST_LINES]),
    }


def _schedule(incident: Incident, now: datetime, error: str) -> None:
    """Say when to look again, unless the incident was resolved meanwhile or another worker took over."""
    looks = incident.examples_tries
    next_look = now + LOOKS_AFTER[looks - 1] if looks <= len(LOOKS_AFTER) else None
    mine = Incident.objects.unresolved().filter(pk=incident.pk, examples_due_at=incident.examples_due_at)
    mine.update(examples_due_at=next_look, examples_error=error)
