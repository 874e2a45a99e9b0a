"""Reads OTLP/HTTP requests: protobuf or JSON in, spans or log lines out. Knows neither HTTP nor the database.

One bad span does not cost its batch: what cannot be kept is counted with the reason, which is what the protocol calls
partial success. Follows the OTLP specification 1.x, section "OTLP/HTTP".
"""

import json
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from connectors.telemetry import LogLine, Span, SpanEvent, SpanKind, Status, to_ns
from telemetry import limits

# A clock that is further ahead than this is wrong; its spans would hide what is newest.
AHEAD = timedelta(hours=1)

_KINDS: tuple[SpanKind, ...] = ("unspecified", "internal", "server", "client", "producer", "consumer")
_STATUSES: tuple[Status, ...] = ("unset", "ok", "error")
# The first number of each range of the log data model, for senders that set only the text.
_SEVERITIES = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "critical": 21, "fatal": 21}


class Unreadable(Exception):
    """The request is not OTLP; `str(error)` says why, to its sender. Sending it again is of no use."""


@dataclass
class Batch[T]:
    """What one request held. `rejected` counts what could not be kept, by reason."""

    items: list[T] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    # Texts that were longer than is kept.
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Period:
    """From when to when a timestamp is believed, in Unix nanoseconds."""

    oldest: int
    newest: int

    @classmethod
    def around(cls, now: datetime, max_age: timedelta) -> "Period":
        return cls(to_ns(now - max_age), to_ns(now + AHEAD))

    def objection(self, start: int, end: int) -> str:
        """Why these times cannot be kept; empty when they can."""
        if end > self.newest:
            return "its time is more than an hour ahead of Fireline's clock"
        if start < self.oldest:
            return "it is older than Fireline keeps telemetry"
        return ""


def traces(body: bytes, *, as_json: bool, period: Period) -> Batch[Span]:
    """The spans of an ExportTraceServiceRequest. Raises `Unreadable`."""
    request = ExportTraceServiceRequest()
    _fill(request, body, as_json, "resource_spans", _hex_span_ids)
    batch: Batch[Span] = Batch()
    reader = _Reader()
    for group in request.resource_spans:
        resource, service = reader.resource(group.resource)
        for scope in group.scope_spans:
            for message in scope.spans:
                problem = _span_problem(message, period)
                if problem:
                    batch.rejected[problem] += 1
                else:
                    batch.items.append(reader.span(message, resource, service))
    batch.cut = reader.trim.cut
    return batch


def logs(body: bytes, *, as_json: bool, period: Period, now: datetime) -> Batch[LogLine]:
    """The lines of an ExportLogsServiceRequest; a line without any time gets `now`. Raises `Unreadable`."""
    request = ExportLogsServiceRequest()
    _fill(request, body, as_json, "resource_logs", _hex_log_ids)
    batch: Batch[LogLine] = Batch()
    reader = _Reader()
    arrived = to_ns(now)
    for group in request.resource_logs:
        resource, service = reader.resource(group.resource)
        for scope in group.scope_logs:
            for record in scope.log_records:
                at = record.time_unix_nano or record.observed_time_unix_nano or arrived
                problem = period.objection(at, at)
                if problem:
                    batch.rejected[problem] += 1
                else:
                    batch.items.append(reader.line(record, at, resource, service))
    batch.cut = reader.trim.cut
    return batch


# -- From bytes to messages ---------------------------------------------------------------------------------------


def _fill(
    request: ExportTraceServiceRequest | ExportLogsServiceRequest,
    body: bytes,
    as_json: bool,
    content: str,
    hex_ids: Callable[[Any], None],
) -> None:
    empty = _fill_from_json(request, body, hex_ids) if as_json else _fill_from_protobuf(request, body)
    if not empty and not getattr(request, content):
        raise Unreadable(f"The body holds no {content}. Send each signal to its own path, /v1/traces or /v1/logs.")


def _fill_from_protobuf(request: Message, body: bytes) -> bool:
    """Answers whether there was nothing to read, which the protocol allows."""
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise Unreadable(
            "The body is not a whole OTLP protobuf message. Check that nothing cut it short and that its"
            f" Content-Type is right ({error})."
        ) from None
    return not body


def _fill_from_json(request: Message, body: bytes, hex_ids: Callable[[Any], None]) -> bool:
    """Answers whether there was nothing to read, which the protocol allows."""
    try:
        document = _document(body)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"The body is not JSON: {str(error)[:300]}") from None
    if not isinstance(document, dict):
        raise Unreadable("The body is JSON, but not OTLP/JSON: it must be an object.")
    try:
        hex_ids(document)
        json_format.ParseDict(document, request, ignore_unknown_fields=True)
    except (json_format.ParseError, TypeError, ValueError, AttributeError, KeyError, RecursionError) as error:
        # The parser expects JSON of the right shape, and fails in many ways on other shapes.
        raise Unreadable(f"The body is JSON, but not OTLP/JSON: {str(error)[:300]}") from None
    # {"resourceSpans": []} says outright that there is nothing.
    return not any(document.values())


def _document(body: bytes) -> Any:
    text = body.decode("utf-8", "replace")
    document = json.loads(text)
    if "\\ud" in text or "\\uD" in text:
        # Half a surrogate pair is legal JSON, but no text: protobuf and databases refuse it.
        document = json.loads(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace"))
    return document


def _hex_span_ids(document: Any) -> None:
    for span in _records(document, ("resourceSpans", "scopeSpans", "spans")):
        _recode(span, "traceId", "spanId", "parentSpanId")
        for link in _under(span, "links"):
            _recode(link, "traceId", "spanId")


def _hex_log_ids(document: Any) -> None:
    for record in _records(document, ("resourceLogs", "scopeLogs", "logRecords")):
        _recode(record, "traceId", "spanId")


def _records(document: Any, way: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    level: list[Any] = [document]
    for name in way:
        level = [entry for parent in level for entry in _under(parent, name)]
    return (entry for entry in level if isinstance(entry, dict))


def _under(parent: Any, name: str) -> list[Any]:
    entries = (parent.get(name) or parent.get(_snake(name))) if isinstance(parent, dict) else None
    return entries if isinstance(entries, list) else []


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def _recode(record: Any, *names: str) -> None:
    """OTLP/JSON writes ids in hex where protobuf's JSON has base64. An id that is not hex becomes empty."""
    if not isinstance(record, dict):
        return
    for name in (key for camel in names for key in (camel, _snake(camel)) if key in record):
        try:
            record[name] = b64encode(bytes.fromhex(record[name])).decode()
        except (ValueError, TypeError):
            record[name] = ""


# -- From messages to spans and lines -------------------------------------------------------------------------------


def _span_problem(span: trace_pb2.Span, period: Period) -> str:
    """Why a span cannot be kept; empty when it can."""
    if len(span.trace_id) != 16 or not any(span.trace_id):
        return "its trace id is not 16 bytes, or all zero"
    if len(span.span_id) != 8 or not any(span.span_id):
        return "its span id is not 8 bytes, or all zero"
    return period.objection(span.start_time_unix_nano, max(span.start_time_unix_nano, span.end_time_unix_nano))


class _Reader:
    """Turns messages into Fireline's own types, within the limits."""

    def __init__(self) -> None:
        self.trim = limits.Trimmer()

    def resource(self, resource: Resource) -> tuple[dict[str, Any], str]:
        attributes = self.attributes(resource.attributes)
        return attributes, self.trim.text(str(attributes.get("service.name") or "unknown"), limits.SERVICE)

    def span(self, span: trace_pb2.Span, resource: dict[str, Any], service: str) -> Span:
        start = span.start_time_unix_nano
        parent = span.parent_span_id
        return Span(
            trace_id=span.trace_id.hex(),
            span_id=span.span_id.hex(),
            parent_id=parent.hex() if len(parent) == 8 and any(parent) else "",
            service=service,
            name=self.trim.text(span.name, limits.NAME),
            kind=_KINDS[span.kind] if 0 <= span.kind < len(_KINDS) else "unspecified",
            start_ns=start,
            duration_ns=max(span.end_time_unix_nano - start, 0),
            status=_STATUSES[span.status.code] if 0 <= span.status.code < len(_STATUSES) else "unset",
            status_message=self.trim.text(span.status.message, limits.MESSAGE),
            attributes=self.attributes(span.attributes),
            resource=resource,
            events=self.events(span.events) if span.events else (),
        )

    def events(self, events: Iterable[trace_pb2.Span.Event]) -> tuple[SpanEvent, ...]:
        kept = self._first(events, limits.EVENTS)
        return tuple(
            SpanEvent(event.time_unix_nano, self.trim.text(event.name, limits.NAME), self.attributes(event.attributes))
            for event in kept
        )

    def line(self, record: LogRecord, at: int, resource: dict[str, Any], service: str) -> LogLine:
        in_trace = len(record.trace_id) == 16 and any(record.trace_id)
        in_span = in_trace and len(record.span_id) == 8 and any(record.span_id)
        body = self.value(record.body, limits.BODY)
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False) if body is not None else ""
        return LogLine(
            at_ns=at,
            severity=_severity(record),
            body=self.trim.text(text, limits.BODY),
            service=service,
            trace_id=record.trace_id.hex() if in_trace else "",
            span_id=record.span_id.hex() if in_span else "",
            attributes=self.attributes(record.attributes),
            resource=resource,
        )

    def attributes(self, pairs: Iterable[KeyValue]) -> dict[str, Any]:
        text, value = self.trim.text, self.value
        return {text(pair.key, limits.KEY): value(pair.value) for pair in self._first(pairs, limits.ATTRIBUTES)}

    def value(self, any_value: AnyValue, limit: int = limits.VALUE) -> Any:
        """As JSON has it; what JSON cannot say (bytes, NaN, infinity) as text."""
        match any_value.WhichOneof("value"):
            case "string_value":
                return self.trim.text(any_value.string_value, limit)
            case "int_value":
                return any_value.int_value
            case "bool_value":
                return any_value.bool_value
            case "double_value":
                number = any_value.double_value
                # NaN differs from itself; an infinity less itself is NaN.
                return number if number - number == 0 else str(number)
            case "bytes_value":
                return self.trim.text(any_value.bytes_value.hex(), limit)
            case "array_value":
                return [self.value(item) for item in self._first(any_value.array_value.values, limits.ITEMS)]
            case "kvlist_value":
                return self.attributes(any_value.kvlist_value.values)
        return None

    def _first[T](self, entries: Any, limit: int) -> Any:
        if len(entries) <= limit:
            return entries
        self.trim.cut += 1
        return entries[:limit]


def _severity(record: LogRecord) -> int:
    number = record.severity_number
    if 0 < number <= 24:
        return number
    return _SEVERITIES.get(record.severity_text.strip().lower(), 0)
