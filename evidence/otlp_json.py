"""Reads OTLP/JSON export requests, one a line, into the tables; lines that are no such thing are counted and left out.

Tolerant where exporters differ: 64-bit numbers as strings or numbers, enumerations by number or name, ids in any case,
both names of the list of scopes, and `snake_case` names of fields.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from evidence.log_table import LogBuilder
from evidence.span_table import INSTANCE, SpanBuilder, problem_of

_KINDS = {
    f"SPAN_KIND_{name}": code
    for code, name in enumerate(["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"])
}
_STATUSES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}
_SEVERITIES = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "NOTICE": 10, "WARN": 13, "WARNING": 13, "ERROR": 17, "ERR": 17}
_SEVERITIES |= {"SEVERE": 17, "CRITICAL": 21, "CRIT": 21, "FATAL": 21, "ALERT": 21, "EMERGENCY": 21, "PANIC": 21}
type _Object = Mapping[str, Any]


@dataclass(slots=True)
class Read:
    """What became of the lines: records taken, and lines or records that could not be understood."""

    records: int = 0
    refused: int = 0


def read_traces(lines: Iterable[bytes], builder: SpanBuilder) -> Read:
    """Adds the spans of these `ExportTraceServiceRequest`s."""
    read = Read()
    for line in lines:
        if line.strip():
            for resource_spans in _parsed(line, "resourceSpans", "resource_spans", read):
                _add_spans(resource_spans, builder, read)
    return read


def read_logs(lines: Iterable[bytes], builder: LogBuilder) -> Read:
    """Adds the log records of these `ExportLogsServiceRequest`s."""
    read = Read()
    for line in lines:
        if line.strip():
            for resource_logs in _parsed(line, "resourceLogs", "resource_logs", read):
                _add_records(resource_logs, builder, read)
    return read


def _parsed(line: bytes, name: str, other: str, read: Read) -> list[_Object]:
    try:
        request = orjson.loads(line)
    except orjson.JSONDecodeError:
        request = None
    found = request.get(name, request.get(other)) if isinstance(request, dict) else None
    if not isinstance(found, list):
        read.refused += 1
        return []
    return [part for part in found if isinstance(part, dict)]


def _add_spans(resource_spans: _Object, builder: SpanBuilder, read: Read) -> None:
    resource = _resource(resource_spans)
    origin = builder.origin(_service(resource), resource)
    for scope in _list(resource_spans, "scopeSpans", "scope_spans", "instrumentationLibrarySpans"):
        for span in _list(scope, "spans"):
            try:
                start = int(_get(span, "startTimeUnixNano", "start_time_unix_nano") or 0)
                end = int(_get(span, "endTimeUnixNano", "end_time_unix_nano") or start)
                told = _status(span)
                attributes = _attributes(span.get("attributes"))
                builder.add(
                    origin,
                    _id(span, "traceId", "trace_id"),
                    _id(span, "spanId", "span_id"),
                    _id(span, "parentSpanId", "parent_span_id"),
                    str(span.get("name") or ""),
                    start,
                    end - start,
                    _code(span.get("kind"), _KINDS),
                    told[0],
                    attributes,
                    problem_of(told[1], attributes, _events(span)) if told[0] == 2 else "",
                    _links(span) if span.get("links") else (),
                )
                read.records += 1
            except (TypeError, ValueError, AttributeError, OverflowError):
                read.refused += 1


def _add_records(resource_logs: _Object, builder: LogBuilder, read: Read) -> None:
    resource = _resource(resource_logs)
    service = _service(resource)
    instance = next((str(resource[key]) for key in INSTANCE if resource.get(key)), "")
    for scope in _list(resource_logs, "scopeLogs", "scope_logs", "instrumentationLibraryLogs"):
        for record in _list(scope, "logRecords", "log_records", "logs"):
            try:
                attributes = _attributes(record.get("attributes"))
                at = _get(record, "timeUnixNano", "time_unix_nano") or 0
                seen = _get(record, "observedTimeUnixNano", "observed_time_unix_nano") or 0
                builder.add(
                    service,
                    int(at) or int(seen),
                    _severity(record),
                    _text(record.get("body")) or str(attributes.get("exception.message", "")),
                    _id(record, "traceId", "trace_id"),
                    _id(record, "spanId", "span_id"),
                    instance,
                    str(attributes.get("exception.stacktrace", "")),
                )
                read.records += 1
            except (TypeError, ValueError, AttributeError, OverflowError):
                read.refused += 1


def _resource(part: _Object) -> dict[str, object]:
    resource = part.get("resource")
    return _attributes(resource.get("attributes")) if isinstance(resource, dict) else {}


def _service(resource: Mapping[str, object]) -> str:
    return str(resource.get("service.name") or resource.get("k8s.deployment.name") or "unknown")


def _get(record: _Object, name: str, other: str) -> Any:
    found = record.get(name)
    return record.get(other) if found is None else found


def _list(record: _Object, *names: str) -> list[_Object]:
    for name in names:
        found = record.get(name)
        if isinstance(found, list):
            return [part for part in found if isinstance(part, dict)]
    return []


def _id(record: _Object, name: str, other: str) -> str:
    """In lower case; all zeros mean that there is none."""
    found = record.get(name) or record.get(other) or ""
    if not isinstance(found, str):
        return ""
    return found.lower() if found.strip("0") else ""


def _code(value: object, names: Mapping[str, int]) -> int:
    if isinstance(value, int):
        return value if 0 <= value < len(names) else 0
    return names.get(value, 0) if isinstance(value, str) else 0


def _status(span: _Object) -> tuple[int, str]:
    status = span.get("status")
    if not isinstance(status, dict):
        return 0, ""
    return _code(status.get("code"), _STATUSES), str(status.get("message") or "")


def _severity(record: _Object) -> int:
    number = _get(record, "severityNumber", "severity_number")
    if isinstance(number, int) and 0 < number <= 24:
        return number
    if isinstance(number, str) and number.isdigit():
        return min(int(number), 24)
    text = str(_get(record, "severityText", "severity_text") or number or "").upper().removeprefix("SEVERITY_NUMBER_")
    return _SEVERITIES.get(text) or _SEVERITIES.get(text.rstrip("0123456789"), 0)


def _attributes(listed: object) -> dict[str, object]:
    if not isinstance(listed, list):
        return {}
    return {pair["key"]: _value(pair.get("value")) for pair in listed if isinstance(pair, dict) and "key" in pair}


def _value(value: object) -> object:
    """An AnyValue; lists and maps are left out."""
    if not isinstance(value, dict):
        return None
    for kind, inner in value.items():
        if kind in ("stringValue", "string_value", "boolValue", "bool_value", "doubleValue", "double_value"):
            return inner
        if kind in ("intValue", "int_value"):
            return str(inner)
    return None


def _text(body: object) -> str:
    if isinstance(body, str):
        return body
    found = _value(body)
    if found is not None:
        return str(found)
    if isinstance(body, dict) and isinstance(kept := body.get("kvlistValue") or body.get("kvlist_value"), dict):
        fields = _attributes(kept.get("values"))
        for name in ("message", "msg", "event", "body"):
            if fields.get(name):
                return str(fields[name])
        return " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
    return ""


def _events(span: _Object) -> list[dict[str, object]]:
    return [_attributes(event.get("attributes")) for event in _list(span, "events")]


def _links(span: _Object) -> list[tuple[str, str]]:
    return [(_id(link, "traceId", "trace_id"), _id(link, "spanId", "span_id")) for link in _list(span, "links")]
