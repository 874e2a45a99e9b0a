"""What an incident's investigation stands on: its requests and normal ones, what they logged, changes, counts.

Every store is asked a bounded number of questions within a bounded time. What a store cannot answer is a sentence
that goes with the explanation, and the rest is investigated without it.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from alerts import resource_metrics
from connectors.errors import StoreError
from connectors.telemetry import LogLine, LogQuery, LogStore, ReadsTraces, Span, TraceQuery, TraceStore
from evidence import log_table, span_table
from evidence.case import Bad, Change, Inquiry, Interval
from evidence.explanation import Material
from evidence.series import SeriesTable
from slo.models import Objective
from telemetry import stores
from telemetry.models import Change as AnnouncedChange

# Seconds for all stores together; an explanation is read by somebody who waits for it.
PATIENCE = 8.0
# How far before the onset is normal, and when the same time of another week was.
BEFORE, WEEK = timedelta(minutes=30), timedelta(days=7)
# Requests that were on their way when the failing began belong to neither side.
UNDER_WAY = timedelta(seconds=30)
# Bad requests, good ones meanwhile, those before, and those of a week before.
MOST_BAD, MOST_GOOD, MOST_BEFORE, MOST_WEEK = 250, 100, 250, 100
# A store that answers one trace at a time is asked for so many, a few at once.
MOST_ASKED, AT_ONCE = 120, 8
MOST_SPANS, MOST_LINES = 40_000, 20_000
CHANGES_BEFORE = timedelta(hours=2)
MOST_CHANGES = 100


@dataclass
class Gathered:
    """What was asked, and what the stores answered by the deadline (of `time.monotonic()`)."""

    inquiry: Inquiry
    deadline: float
    spans: list[Span] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    series: SeriesTable = field(default_factory=SeriesTable)
    # Sentences about what could not be had.
    missing: list[str] = field(default_factory=list)

    def material(self, onset: datetime) -> Material:
        """All of it as tables; `onset` is the ledger's."""
        return Material(
            spans=span_table.from_spans(self.spans) if self.spans else None,
            logs=log_table.from_lines(self.lines) if self.lines else None,
            series=self.series if len(self.series) else None,
            onset=onset,
        )

    @property
    def time_left(self) -> bool:
        return time.monotonic() < self.deadline

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Turns a store's failure into a sentence."""
        try:
            yield
        except StoreError as error:
            self.miss(str(error))

    def miss(self, sentence: str) -> None:
        if sentence not in self.missing:
            self.missing.append(sentence)


def inquiry(objective: Objective, onset: datetime, until: datetime) -> Inquiry:
    """What is asked about an objective that burns since `onset`: against the half hour before, and a week before."""
    slow = objective.kind == Objective.Kind.LATENCY and objective.threshold is not None
    bad = Bad(slower_than=timedelta(seconds=float(objective.threshold or 0))) if slow else Bad(error=True)
    incident = Interval(onset - UNDER_WAY, max(until, onset + UNDER_WAY))
    week = Interval(onset - WEEK, until - WEEK) if until > onset else Interval(onset - WEEK, onset - WEEK + BEFORE)
    return Inquiry(
        flow=objective.flow.name,
        service="",
        operation="",
        bad=bad,
        baseline=(week, Interval(onset - BEFORE, onset - UNDER_WAY)),
        incident=incident,
        changes=tuple(_changes(onset, until)),
    )


def gather(objective: Objective, onset: datetime, until: datetime) -> Gathered:
    """Asks the stores of traces and logs, and the objective's Prometheus. Never raises for a store's fault."""
    gathered = Gathered(inquiry(objective, onset, until), time.monotonic() + PATIENCE)
    for store in stores.trace_stores():
        with gathered.asking():
            gathered.spans += _requests(gathered, store, objective.flow.selector)
    traces = sorted({span.trace_id for span in gathered.spans})
    services = sorted({span.service for span in gathered.spans if span.service})
    for logs in stores.log_stores():
        gathered.lines += _lines(gathered, logs, traces, services)
    if services:
        with gathered.asking():
            gathered.series = resource_metrics.read(objective.source, services, onset - BEFORE, until)
    return gathered


# -- Traces
def _requests(gathered: Gathered, store: TraceStore, selector: str) -> list[Span]:
    """A store that fails at one question is asked no other, and what it answered before is used."""
    found: dict[str, None] = {}
    with gathered.asking():
        for query in _queries(gathered.inquiry, selector):
            found |= dict.fromkeys(_ids(store, query))
    return _read(gathered, store, list(found)) if found else []


def _ids(store: TraceStore, query: TraceQuery) -> list[str]:
    return [hit.trace_id for hit in store.search(query)]


def _queries(asked: Inquiry, selector: str) -> Iterator[TraceQuery]:
    """The bad requests first: where there is room for few, these tell most."""
    now = TraceQuery(flow=selector, since=asked.incident.start, until=asked.incident.end)
    slow = asked.bad.slower_than
    yield replace(now, limit=MOST_BAD, error=None if slow else True, min_duration=slow)
    week, before = asked.baseline
    yield replace(now, limit=MOST_BEFORE, since=before.start, until=before.end)
    yield replace(now, limit=MOST_GOOD, error=False, max_duration=slow)
    yield replace(now, limit=MOST_WEEK, since=week.start, until=week.end)


def _read(gathered: Gathered, store: TraceStore, trace_ids: Sequence[str]) -> list[Span]:
    if isinstance(store, ReadsTraces):
        return list(store.traces(trace_ids, MOST_SPANS))
    asked = trace_ids[:MOST_ASKED]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(_unless_late(gathered, store.trace), asked))
    return [span for spans in answers for span in spans]


def _unless_late(gathered: Gathered, ask: Callable[[str], Sequence[Span]]) -> Callable[[str], Sequence[Span]]:
    def answer(trace_id: str) -> Sequence[Span]:
        if not gathered.time_left:
            gathered.miss("The trace store was too slow to answer for all requests; those that came are used.")
            return ()
        try:
            return ask(trace_id)
        except StoreError as error:
            gathered.miss(str(error))
            return ()

    return answer


# -- Logs
def _lines(gathered: Gathered, store: LogStore, traces: Sequence[str], services: Sequence[str]) -> list[LogLine]:
    """What the requests said, and what the flow's services said without naming a request."""
    found = list[LogLine]()
    _, before = gathered.inquiry.baseline
    with gathered.asking():
        found += store.lines_of(traces, limit=MOST_LINES) if traces else ()
        for service in services:
            if not gathered.time_left or len(found) >= MOST_LINES:
                break
            wanted = LogQuery(service=service, min_severity=13, limit=MOST_LINES // 20)
            for interval in (before, gathered.inquiry.incident):
                found += store.search(replace(wanted, since=interval.start, until=interval.end))
    return _once(found)[:MOST_LINES]


def _once(lines: Sequence[LogLine]) -> list[LogLine]:
    unique = {(line.at_ns, line.service, line.span_id, line.body): line for line in lines}
    return sorted(unique.values(), key=lambda line: line.at_ns)


# -- Changes
def _changes(onset: datetime, until: datetime) -> Iterator[Change]:
    rows = AnnouncedChange.objects.filter(at__gte=onset - CHANGES_BEFORE, at__lte=until).order_by("-at")
    for row in rows[:MOST_CHANGES]:
        yield Change(row.at, row.kind, row.service, row.version, row.title, str(row.pk))
