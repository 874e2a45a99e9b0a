"""What log stores flatten: which field of a line is what, under the names that OpenTelemetry and ECS give them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.entry import FLOW
from connectors.otlp_json import hex_id
from connectors.telemetry import NANOSECONDS, LogLine

# How stores spell it that allow no dots in names.
FLOW_LABEL = FLOW.replace(".", "_")
# The first number of each range of OpenTelemetry's log data model.
SEVERITIES = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "information": 9,
    "notice": 10,
    "warn": 13,
    "warning": 13,
    "error": 17,
    "err": 17,
    "critical": 21,
    "crit": 21,
    "alert": 21,
    "emerg": 21,
    "panic": 21,
    "fatal": 21,
}
NUMBERS = ("severity_number", "severityNumber", "severity.number")
LEVELS = ("severity_text", "severityText", "severity.text", "log.level", "level", "detected_level", "severity")
TRACES = ("trace_id", "trace.id", "traceId", "traceID", "traceid")
SPANS = ("span_id", "span.id", "spanId", "spanID", "spanid")
SERVICES = ("service.name", "service_name", "serviceName")
# Attributes of these belong to what wrote the line, not to the line (semantic conventions for resources).
RESOURCES = ("service", "k8s", "host", "container", "deployment", "telemetry", "cloud", "process", "os", "faas")


def line(at_ns: int, body: str, said: Mapping[str, Any]) -> LogLine:
    """A line from its flat fields; those that have a place of their own are not attributes as well."""
    left = {FLOW if name == FLOW_LABEL else name: value for name, value in said.items()}
    number, level = _take(left, NUMBERS), _take(left, LEVELS)
    service, trace, span = _take(left, SERVICES), _take(left, TRACES), _take(left, SPANS)
    resource = {name: left.pop(name) for name in list(left) if _of_resource(name)}
    if service:
        resource["service.name"] = service
    return LogLine(
        at_ns=at_ns,
        severity=severity(number, level),
        body=body,
        service=str(service or ""),
        trace_id=hex_id(trace, 16),
        span_id=hex_id(span, 8),
        attributes=left,
        resource=resource,
    )


def _take(fields: dict[str, Any], names: tuple[str, ...]) -> Any:
    """The first of `names` that says something; all of them are taken out."""
    found = [fields.pop(name) for name in names if name in fields]
    return next((value for value in found if value not in ("", None)), None)


def _of_resource(name: str) -> bool:
    first = name.replace("_", ".").split(".", 1)
    return len(first) == 2 and first[0] in RESOURCES


def severity(number: Any, level: Any) -> int:
    """By the number if it is one of the data model's, else by the word; 0 when neither says."""
    try:
        known = int(number or 0)
    except (TypeError, ValueError):
        known = 0
    return known if 0 < known <= 24 else SEVERITIES.get(str(level or "").strip().lower(), 0)


def words_from(least: int) -> list[str]:
    """The words of levels that are at least as severe as `least`."""
    return [word for word, number in SEVERITIES.items() if number >= least]


def ns_of(moment: str) -> int:
    """An RFC 3339 time with up to nanoseconds, as Unix nanoseconds."""
    head, dot, rest = moment.strip().replace("z", "Z").replace("Z", "+00:00").partition(".")
    digits = rest[: next((place for place, letter in enumerate(rest) if not letter.isdigit()), len(rest))]
    zone = rest[len(digits) :] if dot else ""
    whole = datetime.fromisoformat(head + zone)
    if whole.tzinfo is None:
        whole = datetime.fromisoformat(head + zone + "+00:00")
    return int(whole.timestamp()) * NANOSECONDS + int(digits[:9].ljust(9, "0") or 0)
