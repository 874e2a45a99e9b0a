"""How spans and log lines look as documents of Elasticsearch and OpenSearch, in the three usual forms.

OpenTelemetry's own form (`attributes.*`, `resource.attributes.*`), Elastic's common schema (`trace.id`, `labels.*`),
and OpenSearch's Data Prepper (`traceId`, `span.attributes.*` with @ for the dots of a name).
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors import fields
from connectors.entry import FLOW
from connectors.otlp_json import UNKNOWN, hex_id, kind_of, status_of
from connectors.telemetry import LogLine, Span, SpanEvent, SpanKind, Status

TIMES = ("@timestamp", "startTime")
TRACES = ("trace_id", "trace.id", "traceId")
SPANS = ("span_id", "span.id", "transaction.id", "spanId")
PARENTS = ("parent_span_id", "parent.id", "parentSpanId")
SERVICES = ("resource.attributes.service.name", "service.name", "serviceName")
NAMES = ("name", "span.name", "transaction.name")
BODIES = ("body.text", "message", "body")
# How many nanoseconds each form's unit is.
DURATIONS = {"duration": 1, "durationInNanos": 1, "transaction.duration.us": 1000, "span.duration.us": 1000}
# What says that a span failed: a word here, OpenTelemetry's number there.
FAILED = (("status.code", "Error"), ("status.code", "2"), ("event.outcome", "failure"))
_OWN = ("attributes.", "span.attributes.", "log.attributes.", "labels.")
_RESOURCE = "resource.attributes."


def flat(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"a": {"b": 1}}` and `{"a.b": 1}` alike as `{"a.b": 1}`."""
    found: dict[str, Any] = {}
    for name, value in document.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def first(row: Mapping[str, Any], names: Iterable[str]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def attribute(name: str) -> list[str]:
    """The fields in which each form keeps an attribute, of the span or line itself or of its resource."""
    at, label = name.replace(".", "@"), name.replace(".", "_")
    own = [f"attributes.{name}", f"span.attributes.{at}", f"log.attributes.{at}", f"labels.{label}"]
    return [*own, f"{_RESOURCE}{name}", f"{_RESOURCE}{at}", name]


def countable(name: str) -> Iterator[tuple[str, str]]:
    """The same for counting traces: a field that holds a value as it is, and the form's field of the trace's id."""
    at, label = name.replace(".", "@"), name.replace(".", "_")
    for field in (f"attributes.{name}", f"{_RESOURCE}{name}"):
        yield field, "trace_id"
    for field in (f"span.attributes.{at}", f"{_RESOURCE}{at}"):
        yield field, "traceId"
    yield f"labels.{label}", "trace.id"


# -- Spans
def span(row: Mapping[str, Any]) -> Span | None:
    """`None` for what is no span: a log line in the same index, or an event of a span."""
    trace, own = hex_id(first(row, TRACES), 16), hex_id(first(row, SPANS), 8)
    name = first(row, NAMES)
    if not trace or not own or name is None:
        return None
    resource = _resource(row)
    return Span(
        trace_id=trace,
        span_id=own,
        parent_id=hex_id(first(row, PARENTS), 8),
        service=str(first(row, SERVICES) or UNKNOWN),
        name=str(name),
        kind=_kind(row),
        start_ns=time_ns(first(row, ("startTime", "@timestamp"))),
        duration_ns=next((int(row[field]) * unit for field, unit in DURATIONS.items() if row.get(field)), 0),
        status=_status(row),
        status_message=str(row.get("status.message") or ""),
        attributes=_attributes(row),
        resource=resource,
        events=tuple(_event(event) for event in row.get("events") or () if isinstance(event, dict)),
    )


def event(row: Mapping[str, Any]) -> tuple[str, SpanEvent] | None:
    """An event that is kept as a document of its own, with the span that it is of; `None` for what is none."""
    name, own = first(row, ("event_name", "attributes.event.name")), hex_id(first(row, SPANS), 8)
    said = {key: value for key, value in _attributes(row).items() if key != "event.name"}
    return (own, SpanEvent(time_ns(row["@timestamp"]), str(name), said)) if name and own else None


def _event(event: Mapping[str, Any]) -> SpanEvent:
    said = flat(event.get("attributes") or {})
    return SpanEvent(time_ns(event["time"]), str(event.get("name") or ""), {_dots(key): said[key] for key in said})


def _kind(row: Mapping[str, Any]) -> SpanKind:
    if row.get("kind"):
        return kind_of(row["kind"])
    if "span.kind" in row:
        return kind_of(row["span.kind"])
    # APM calls what a service does for others a transaction, and what it asks of others an external span.
    if row.get("processor.event") == "transaction":
        return "server"
    return "client" if row.get("span.type") in ("external", "db") else "internal"


def _status(row: Mapping[str, Any]) -> Status:
    if row.get("event.outcome") == "failure":
        return "error"
    return status_of(row.get("status.code"))


# -- Lines
def line(row: Mapping[str, Any]) -> LogLine:
    said = {name: row[name] for name in (*fields.NUMBERS, *fields.LEVELS, *fields.TRACES, *fields.SPANS) if name in row}
    service = first(row, SERVICES)
    known = said | _attributes(row) | ({"service.name": service} if service else {}) | _resource(row)
    return fields.line(time_ns(first(row, ("@timestamp", "time"))), str(first(row, BODIES) or ""), known)


# -- Both
def _attributes(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in row.items():
        prefix = next((prefix for prefix in _OWN if name.startswith(prefix)), "")
        if prefix:
            own = _dots(name.removeprefix(prefix))
            found[FLOW if own == fields.FLOW_LABEL else own] = value
    return found


def _resource(row: Mapping[str, Any]) -> dict[str, Any]:
    """What the resource says; ECS keeps such fields at the top, under the same names."""
    said = {_dots(name.removeprefix(_RESOURCE)): value for name, value in row.items() if name.startswith(_RESOURCE)}
    ecs = {name: value for name, value in row.items() if name.startswith(("service.", "host.", "container."))}
    service = first(row, SERVICES)
    return ecs | said | ({"service.name": service} if service else {})


def _dots(name: str) -> str:
    return name.replace("@", ".")


def time_ns(moment: Any) -> int:
    """RFC 3339, or milliseconds since 1970, which may have a fraction and be a text."""
    try:
        return int(Decimal(str(moment)) * 1_000_000)
    except InvalidOperation:
        return fields.ns_of(str(moment))
