"""Asks Jaeger's query API, and what answers it under a prefix, as VictoriaTraces does.

Its search is by service and needs one. A query that names none is put to the services one after the other, a few of
them; a hit is a whole trace, so that what the query asks of the trace is judged here.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import otlp_json
from connectors.entry import FLOW, by_trace, hits, text
from connectors.errors import NotAStore
from connectors.http import Store, understood
from connectors.telemetry import Span, SpanEvent, Status, TraceQuery, TraceSummary, to_ns

LOOKBACK = timedelta(hours=24)
# Services that are asked when the query names none.
MOST_SERVICES = 12
_MICROSECOND = 1000
# Tags that have a field of their own in a span.
_FIELDS = ("span.kind", "otel.status_code", "otel.status_description", "error")


class Jaeger(Store):
    product = "Jaeger"

    def probe(self) -> str:
        """Jaeger's API does not tell its version."""
        self._services()
        return ""

    @understood
    def trace(self, trace_id: str) -> list[Span]:
        known = otlp_json.hex_id(trace_id, 16)
        if not known:
            return []
        answer = self.api.get(f"/api/traces/{known}", may_miss=True)
        if answer.status == 404 and not answer.body.lstrip().startswith(b"{"):
            raise NotAStore(f"{self.api.peer.host} has no Jaeger API at this address. Check its path and port.")
        return sorted(_spans(answer.json().get("data") or ()), key=lambda span: (span.start_ns, span.span_id))

    @understood
    def search(self, query: TraceQuery) -> list[TraceSummary]:
        found: list[Span] = []
        for params in self._searches(query):
            answer = self.api.get("/api/traces", params=params).json()
            found += _spans(answer["data"] or ())
        return hits(query, by_trace({(span.trace_id, span.span_id): span for span in found}.values()).values())

    def _searches(self, query: TraceQuery) -> Iterator[dict[str, Any]]:
        """The questions that together find what the query asks for.

        Jaeger's conditions are all about the service's own span. Outcome and duration are the entry's, which may be
        another service's: the named service is therefore asked once more without them.
        """
        until = query.until or datetime.now(UTC)
        since = query.since or until - LOOKBACK
        limit = min(query.limit * 2, self.bounds.traces)
        asked: dict[str, Any] = {"start": to_ns(since) // _MICROSECOND, "end": to_ns(until) // _MICROSECOND}
        narrow = _narrow(query)
        if query.service:
            named = asked | {"service": query.service, "limit": limit} | _tags(query.attributes)
            named |= {"operation": query.operation} if query.operation else {}
            yield from (named | narrow, named) if narrow else (named,)
            return
        for service in self._services()[:MOST_SERVICES]:
            one = asked | {"service": service, "limit": limit} | _tags(query.attributes) | narrow
            yield one | ({"operation": query.operation} if query.operation else {})

    def _services(self) -> list[str]:
        answer = self.api.get("/api/services").json()
        return sorted(str(service) for service in answer["data"] or ())


def _narrow(query: TraceQuery) -> dict[str, Any]:
    said = ({FLOW: query.flow} if query.flow else {}) | ({"error": "true"} if query.error else {})
    narrow = _tags({**query.attributes, **said}) if said else {}
    if query.min_duration:
        narrow["minDuration"] = f"{query.min_duration // timedelta(microseconds=1)}us"
    return narrow


def _tags(said: Mapping[str, Any]) -> dict[str, Any]:
    return {"tags": json.dumps({name: text(value) for name, value in said.items()})} if said else {}


# -- What it found
def _spans(traces: Sequence[Mapping[str, Any]]) -> list[Span]:
    return [
        _span(span, (trace.get("processes") or {}).get(span.get("processID")) or span.get("process") or {})
        for trace in traces
        for span in trace.get("spans") or ()
    ]


def _span(span: Mapping[str, Any], process: Mapping[str, Any]) -> Span:
    tags, resource = _values(span.get("tags")), _values(process.get("tags"))
    service = str(process.get("serviceName") or otlp_json.UNKNOWN)
    trace_id = otlp_json.hex_id(span["traceID"], 16)
    return Span(
        trace_id=trace_id,
        span_id=otlp_json.hex_id(span["spanID"], 8),
        parent_id=_parent(span, trace_id),
        service=service,
        name=str(span.get("operationName") or ""),
        kind=otlp_json.kind_of(tags.get("span.kind")),
        start_ns=int(span["startTime"]) * _MICROSECOND,
        duration_ns=int(span.get("duration") or 0) * _MICROSECOND,
        status=_status(tags),
        status_message=str(tags.get("otel.status_description") or ""),
        attributes={name: value for name, value in tags.items() if name not in _FIELDS},
        resource=resource | {"service.name": service},
        events=tuple(_event(log) for log in span.get("logs") or ()),
    )


def _values(tags: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    return {str(tag["key"]): _value(tag) for tag in tags or ()}


def _value(tag: Mapping[str, Any]) -> Any:
    value, kind = tag.get("value"), tag.get("type")
    if isinstance(value, str) and kind == "int64":
        return int(value)
    if isinstance(value, str) and kind == "bool":
        return value.lower() == "true"
    return value


def _status(tags: Mapping[str, Any]) -> Status:
    """OpenTelemetry's own tag where there is one; `error` may be a bool, a text, or VictoriaTraces' "unset"."""
    known = otlp_json.status_of(tags.get("otel.status_code"))
    if known != "unset":
        return known
    return "error" if text(tags.get("error", "")).lower() in ("true", "error") else "unset"


def _parent(span: Mapping[str, Any], trace_id: str) -> str:
    """The span it is a child of; links to other traces are references as well."""
    for reference in span.get("references") or ():
        within = otlp_json.hex_id(reference.get("traceID") or trace_id, 16) == trace_id
        if within and reference.get("refType") == "CHILD_OF":
            return otlp_json.hex_id(reference["spanID"], 8)
    return otlp_json.hex_id(span.get("parentSpanID"), 8)


def _event(log: Mapping[str, Any]) -> SpanEvent:
    said = _values(log.get("fields"))
    name = said.pop("event", None) or said.pop("name", None) or said.get("message") or ""
    return SpanEvent(int(log["timestamp"]) * _MICROSECOND, str(name), said)
