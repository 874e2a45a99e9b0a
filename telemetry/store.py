"""The embedded store: spans and log lines in Fireline's own database, for people who have no other store.

Writing is idempotent: an exporter that sends a batch again, because the answer was lost, changes nothing.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, InterfaceError, connections, transaction
from django.db.models import BigIntegerField, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models import Count as Count_
from django.db.models.fields.json import KeyTransform

from connectors.entry import FLOW, text
from connectors.errors import Refused, Unreachable
from connectors.telemetry import (
    NANOSECONDS,
    Attributes,
    Count,
    LogLine,
    LogQuery,
    Span,
    SpanEvent,
    TraceQuery,
    TraceSummary,
    steps,
    to_ns,
)
from telemetry import inserts
from telemetry.models import StoredLog, StoredSpan, StoredTrace
from telemetry.router import database
from telemetry.summaries import Summary, summarise

# A page that shows more would not be read; the rest is still counted in the trace's span_count.
MOST_SPANS = 20_000

SPAN_COLUMNS = (
    "trace_id",
    "span_id",
    "parent_id",
    "service",
    "name",
    "kind",
    "start_ns",
    "duration_ns",
    "status",
    "status_message",
    "attributes",
    "resource",
    "events",
)
LOG_COLUMNS = (
    "digest",
    "at_ns",
    "severity",
    "body",
    "service",
    "trace_id",
    "span_id",
    "attributes",
    "resource",
)
SUMMARY_COLUMNS = tuple(column.name for column in fields(Summary))

# `new` is the arriving row, `old` the stored one. A better entry span brings everything that is said of the entry.
_BETTER = "(new.entry_rank > old.entry_rank OR (new.entry_rank = old.entry_rank AND new.entry_ns < old.entry_ns))"
_NO_ENTRY = "(new.entry_rank = 1 AND old.entry_rank = 1)"
_START = "CASE WHEN new.start_ns < old.start_ns THEN new.start_ns ELSE old.start_ns END"
_END = "CASE WHEN new.end_ns > old.end_ns THEN new.end_ns ELSE old.end_ns END"
_OF_ENTRY = "CASE WHEN {better} THEN new.{column} ELSE old.{column} END"
_MERGE = {
    "flow": f"CASE WHEN new.flow <> '' AND (old.flow = '' OR {_BETTER}) THEN new.flow ELSE old.flow END",
    "service": _OF_ENTRY.format(better=_BETTER, column="service"),
    "name": _OF_ENTRY.format(better=_BETTER, column="name"),
    "start_ns": _START,
    "end_ns": _END,
    "duration_ns": f"CASE WHEN {_NO_ENTRY} THEN ({_END}) - ({_START}) "
    f"WHEN {_BETTER} THEN new.duration_ns ELSE old.duration_ns END",
    "error": f"CASE WHEN {_NO_ENTRY} THEN new.failed OR old.failed WHEN {_BETTER} THEN new.error ELSE old.error END",
    "failed": "new.failed OR old.failed",
    "slowest_ns": "CASE WHEN new.slowest_ns > old.slowest_ns THEN new.slowest_ns ELSE old.slowest_ns END",
    "entry_rank": _OF_ENTRY.format(better=_BETTER, column="entry_rank"),
    "entry_ns": _OF_ENTRY.format(better=_BETTER, column="entry_ns"),
    "span_count": "new.span_count + old.span_count",
    "received_at": "CASE WHEN new.received_at > old.received_at THEN new.received_at ELSE old.received_at END",
}


def _merge_sql() -> str:
    """ON CONFLICT's update for a trace's row; the engines call the arriving row `excluded`."""
    table = f'"{StoredTrace._meta.db_table}"'
    sets = (f'"{column}" = {sql}' for column, sql in _MERGE.items())
    return f'("trace_id") DO UPDATE SET {", ".join(sets)}'.replace("new.", "excluded.").replace("old.", f"{table}.")


def record_spans(spans: Sequence[Span], at: datetime) -> int:
    """Store the spans that are not stored yet, and bring their traces up to date; answers how many were new.

    `at` is the server's clock. Raises `django.db.OperationalError` when the database is locked or away: nothing of
    the batch is stored then, and sending it again is safe.
    """
    if not spans:
        return 0
    alias, encode = database(), inserts.Json()
    unique = {(span.trace_id, span.span_id): span for span in reversed(spans)}
    ordered = [unique[key] for key in sorted(unique)]
    rows = [_span_row(span, encode) for span in ordered]
    with transaction.atomic(using=alias):
        new = inserts.insert(alias, StoredSpan, SPAN_COLUMNS, rows, on_conflict="DO NOTHING", returning="trace_id")
        if new:
            _merge_traces(alias, ordered, Counter(new), at)
    return len(new)


def _span_row(span: Span, encode: inserts.Json) -> tuple[Any, ...]:
    return (
        span.trace_id,
        span.span_id,
        span.parent_id,
        span.service,
        span.name,
        span.kind,
        span.start_ns,
        span.duration_ns,
        span.status,
        span.status_message,
        encode.one(span.attributes),
        encode.shared(span.resource),
        encode.one([(event.at_ns, event.name, event.attributes) for event in span.events]) if span.events else "[]",
    )


def _merge_traces(alias: str, spans: Sequence[Span], new: Counter[str], at: datetime) -> None:
    moment = connections[alias].ops.adapt_datetimefield_value(at)
    rows = [
        (*(getattr(summary, column) for column in SUMMARY_COLUMNS), new[summary.trace_id], None, moment)
        for summary in summarise(span for span in spans if span.trace_id in new)
    ]
    columns = (*SUMMARY_COLUMNS, "span_count", "kept", "received_at")
    inserts.insert(alias, StoredTrace, columns, rows, on_conflict=_merge_sql(), returning="trace_id")


def record_logs(lines: Sequence[LogLine]) -> int:
    """Store the log lines that are not stored yet; answers how many were new. Raises like `record_spans`."""
    if not lines:
        return 0
    alias, encode = database(), inserts.Json()
    rows = {row[0]: row for row in (_log_row(line, encode) for line in lines)}
    with transaction.atomic(using=alias):
        ordered = [rows[digest] for digest in sorted(rows)]
        return len(inserts.insert(alias, StoredLog, LOG_COLUMNS, ordered, on_conflict="DO NOTHING", returning="id"))


def _log_row(line: LogLine, encode: inserts.Json) -> tuple[Any, ...]:
    content = (
        line.at_ns,
        line.severity,
        line.body,
        line.service,
        line.trace_id,
        line.span_id,
        encode.one(line.attributes),
        encode.shared(line.resource),
    )
    digest = hashlib.blake2b("\0".join(map(str, content)).encode(), digest_size=16).hexdigest()
    return (digest, *content)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except (DatabaseError, InterfaceError) as error:
        raise Unreachable(
            f"The embedded store's database did not answer ({type(error).__name__}). Try again in a moment."
        ) from error


def _plain(text: str) -> str:
    """A search text as it is stored: PostgreSQL takes no NUL, so none is stored."""
    return text.replace("\0", "\ufffd")


def full_trace_id(text: str) -> str:
    """The 32 hex digits of a trace id as people paste it: any case, and shorter where zeros were left out."""
    digits = text.strip().lower()
    known = 0 < len(digits) <= 32 and all(digit in "0123456789abcdef" for digit in digits)
    return digits.zfill(32) if known else ""


class EmbeddedTraces:
    """The spans that were sent to Fireline itself."""

    def trace(self, trace_id: str) -> list[Span]:
        rows = StoredSpan.objects.filter(trace_id=full_trace_id(trace_id)).order_by("start_ns", "span_id")
        with _readable():
            return [_span(row) for row in rows.values_list(*SPAN_COLUMNS)[:MOST_SPANS]]

    def traces(self, trace_ids: Sequence[str], limit: int = MOST_SPANS) -> list[Span]:
        ids = [known for known in map(full_trace_id, trace_ids) if known]
        rows = StoredSpan.objects.filter(trace_id__in=ids).order_by("trace_id", "start_ns")
        with _readable():
            return [_span(row) for row in rows.values_list(*SPAN_COLUMNS)[:limit]]

    def search(self, query: TraceQuery) -> list[TraceSummary]:
        """By flow, service (of any of its spans), time, and how the request ended for its caller."""
        rows = _of_query(query).order_by("-duration_ns" if query.slowest_first else "-start_ns", "trace_id")
        columns = ("trace_id", "flow", "service", "name", "start_ns", "duration_ns", "error", "span_count")
        with _readable():
            return [TraceSummary(*row) for row in rows.values_list(*columns)[: query.limit]]

    def count_by(self, query: TraceQuery, attribute: str) -> dict[str, int]:
        """By the spans that the query describes; `service.name` and any other attribute, also of the resource."""
        traces = _of_query(query).values("trace_id")
        found = Counter[str]()
        with _readable():
            name = _plain(attribute)
            described = _described(query).filter(trace_id__in=traces)
            said = {"attributes": described, "resource": described.exclude(attributes__has_key=name)}
            for column, spans in said.items():
                rows = (
                    spans.filter(**{f"{column}__has_key": name})
                    .annotate(value=KeyTransform(name, column))
                    .order_by("value")
                )
                for value, count in rows.values_list("value").annotate(Count_("trace_id", distinct=True)):
                    found[text(value)] += count
        return dict(found.most_common(query.limit))


def _of_query(query: TraceQuery) -> QuerySet[StoredTrace]:
    rows = _between(StoredTrace.objects.all(), "start_ns", query.since, query.until)
    if query.flow:
        rows = rows.filter(flow=_plain(query.flow))
    if query.error is not None:
        rows = rows.filter(error=query.error)
    if query.min_duration is not None:
        rows = rows.filter(duration_ns__gte=query.min_duration.total_seconds() * 1e9)
    if query.max_duration is not None:
        rows = rows.filter(duration_ns__lte=query.max_duration.total_seconds() * 1e9)
    if query.service or query.operation or query.attributes:
        rows = rows.filter(Exists(_described(query).filter(trace_id=OuterRef("trace_id"))))
    return rows


def _described(query: TraceQuery) -> QuerySet[StoredSpan]:
    """The spans that are of this service, name and attributes."""
    spans = StoredSpan.objects.all()
    if query.service:
        spans = spans.filter(service=_plain(query.service))
    if query.operation:
        spans = spans.filter(name=_plain(query.operation))
    return _carrying(spans, query.attributes)


def _carrying[Rows: QuerySet[Any]](rows: Rows, wanted: Attributes) -> Rows:
    """Those with these attributes, on themselves or on their resource; `5` is also found as a number."""
    for number, (name, value) in enumerate(wanted.items()):
        places = {f"{column}_says_{number}": column for column in ("attributes", "resource")}
        rows = rows.alias(**{place: KeyTransform(_plain(name), column) for place, column in places.items()})
        either = Q()
        for kept in _spellings(value):
            for place in places:
                either |= Q(**{place: kept})
        rows = rows.filter(either)
    return rows


def _spellings(value: Any) -> list[Any]:
    if not isinstance(value, str):
        return [value]
    typed = next((kind(value) for kind in (int, float) if _is(kind, value)), None)
    typed = {"true": True, "false": False}.get(value, typed)
    return [_plain(value)] if typed is None else [value, typed]


def _is(kind: Callable[[str], float], text: str) -> bool:
    try:
        return math.isfinite(kind(text))
    except ValueError:
        return False


def _between[Rows: QuerySet[Any]](rows: Rows, column: str, since: datetime | None, until: datetime | None) -> Rows:
    if since:
        rows = rows.filter(**{f"{column}__gte": to_ns(since)})
    return rows.filter(**{f"{column}__lte": to_ns(until)}) if until else rows


def _span(row: tuple[Any, ...]) -> Span:
    events = tuple(SpanEvent(*event) for event in row[-1])
    return Span(*(*row[:-1], events))


class EmbeddedLogs:
    """The log lines that were sent to Fireline itself."""

    _columns = tuple(field.name for field in fields(LogLine))

    def lines_of(
        self, trace_ids: Sequence[str], limit: int = 500, since: datetime | None = None, until: datetime | None = None
    ) -> list[LogLine]:
        ids = [known for known in map(full_trace_id, trace_ids) if known]
        rows = StoredLog.objects.filter(trace_id__in=ids).exclude(trace_id="").order_by("at_ns", "pk")
        rows = _between(rows, "at_ns", since, until)
        with _readable():
            return [LogLine(*row) for row in rows.values_list(*self._columns)[:limit]]

    def search(self, query: LogQuery) -> list[LogLine]:
        with _readable():
            rows = _lines_of_query(query).order_by("-at_ns", "-pk").values_list(*self._columns)
            return [LogLine(*row) for row in rows[: query.limit]]

    def counts(self, query: LogQuery, step: timedelta) -> list[Count]:
        if query.since is None or query.until is None:
            raise Refused("Counts over time need to know from when to when.")
        at = steps(query.since, query.until, step)
        length = max(int(step.total_seconds()), 1) * NANOSECONDS
        whole = replace(query, since=at[0], until=None)
        rows = _lines_of_query(whole).filter(at_ns__lt=to_ns(at[-1]) + length)
        with _readable():
            numbered = rows.annotate(step=F("at_ns") / Value(length, BigIntegerField())).order_by("step")
            found = dict(numbered.values_list("step").annotate(Count_("pk")))
        return [Count(moment, found.get(to_ns(moment) // length, 0)) for moment in at]


def _lines_of_query(query: LogQuery) -> QuerySet[StoredLog]:
    rows = _between(StoredLog.objects.all(), "at_ns", query.since, query.until)
    if query.trace_id:
        rows = rows.filter(trace_id=full_trace_id(query.trace_id)).exclude(trace_id="")
    if query.service:
        rows = rows.filter(service=_plain(query.service))
    if query.flow:
        rows = _carrying(rows, {FLOW: query.flow})
    rows = _carrying(rows, query.attributes)
    if query.min_severity is not None:
        rows = rows.filter(severity__gte=query.min_severity)
    if query.text:
        rows = rows.filter(body__icontains=_plain(query.text))
    return rows
