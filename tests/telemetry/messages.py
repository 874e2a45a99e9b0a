"""OTLP requests as an exporter would send them, made for one test each."""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from connectors.telemetry import to_ns

TRACE = "5b8efff798038103d269b633813fc60c"
SPAN = "eee19b7ec3c1b174"
MS = 1_000_000


def any_value(value: Any) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case list():
            made = AnyValue()
            made.array_value.values.extend(any_value(item) for item in value)
            return made
        case dict():
            made = AnyValue()
            made.kvlist_value.values.extend(pairs(value))
            return made
    return AnyValue(string_value=value)


def pairs(values: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in values.items()]


def span(
    at: datetime,
    *,
    trace: str = TRACE,
    span_id: str = "",
    parent: str = "",
    name: str = "POST /checkout",
    ms: int = 50,
    kind: int = Span.SPAN_KIND_SERVER,
    error: bool = False,
    **more: Any,
) -> Span:
    """A span that starts `at` and takes `ms` milliseconds."""
    attributes = more.pop("attributes", {})
    return Span(
        trace_id=bytes.fromhex(trace),
        span_id=bytes.fromhex(span_id) if span_id else os.urandom(8),
        parent_span_id=bytes.fromhex(parent),
        name=name,
        kind=Span.SpanKind.ValueType(kind),
        start_time_unix_nano=to_ns(at),
        end_time_unix_nano=to_ns(at) + ms * MS,
        attributes=pairs(attributes),
        status=Status(code=Status.STATUS_CODE_ERROR if error else Status.STATUS_CODE_UNSET),
        **more,
    )


def traces(*spans: Span, service: str = "checkout", **resource: Any) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add(resource=Resource(attributes=pairs({"service.name": service, **resource})))
    group.scope_spans.add(spans=spans)
    return request


def line(at: datetime, body: Any = "payment declined", *, trace: str = "", span_id: str = "", **more: Any) -> LogRecord:
    attributes = more.pop("attributes", {})
    return LogRecord(
        time_unix_nano=to_ns(at),
        body=any_value(body),
        trace_id=bytes.fromhex(trace),
        span_id=bytes.fromhex(span_id),
        attributes=pairs(attributes),
        **more,
    )


def logs(*lines: LogRecord, service: str = "checkout", **resource: Any) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add(resource=Resource(attributes=pairs({"service.name": service, **resource})))
    group.scope_logs.add(log_records=lines)
    return request


def json_traces(*spans: Mapping[str, Any]) -> bytes:
    """OTLP/JSON with these spans, written as the caller wants them."""
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}).encode()


def json_span(at: datetime, **fields: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": SPAN,
        "name": "GET /",
        "startTimeUnixNano": str(to_ns(at)),
        "endTimeUnixNano": str(to_ns(at) + 5 * MS),
        **fields,
    }
