"""Reads spans in OTLP's JSON as stores answer it: ids in hex or base64, enums as names or numbers.

The embedded store's receiver reads what exporters send and refuses what is wrong; here what is wrong is left out.
"""

from base64 import b64decode
from binascii import Error
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from connectors.telemetry import Span, SpanEvent, SpanKind, Status

KINDS: tuple[SpanKind, ...] = ("unspecified", "internal", "server", "client", "producer", "consumer")
STATUSES: tuple[Status, ...] = ("unset", "ok", "error")
UNKNOWN = "unknown"


def spans(groups: Iterable[Mapping[str, Any]]) -> list[Span]:
    """The spans of `resourceSpans` (or `batches`), by start."""
    return sorted(_spans(groups), key=lambda span: (span.start_ns, span.span_id))


def _spans(groups: Iterable[Mapping[str, Any]]) -> Iterator[Span]:
    for group in groups:
        resource = attributes((group.get("resource") or {}).get("attributes"))
        # The second name is that of OTLP before 0.15, which old stores still answer.
        for scope in group.get("scopeSpans") or group.get("instrumentationLibrarySpans") or ():
            for span in scope.get("spans") or ():
                yield _span(span, resource)


def _span(span: Mapping[str, Any], resource: Mapping[str, Any]) -> Span:
    start = int(span.get("startTimeUnixNano") or 0)
    status = span.get("status") or {}
    return Span(
        trace_id=hex_id(span["traceId"], 16),
        span_id=hex_id(span["spanId"], 8),
        parent_id=hex_id(span.get("parentSpanId"), 8),
        service=str(resource.get("service.name") or UNKNOWN),
        name=str(span.get("name") or ""),
        kind=kind_of(span.get("kind")),
        start_ns=start,
        duration_ns=max(int(span.get("endTimeUnixNano") or 0) - start, 0),
        status=status_of(status.get("code")),
        status_message=str(status.get("message") or ""),
        attributes=attributes(span.get("attributes")),
        resource=resource,
        events=tuple(_event(event) for event in span.get("events") or ()),
    )


def _event(event: Mapping[str, Any]) -> SpanEvent:
    at, name = int(event.get("timeUnixNano") or 0), str(event.get("name") or "")
    return SpanEvent(at, name, attributes(event.get("attributes")))


def hex_id(text: Any, size: int) -> str:
    """An id of `size` bytes in lower-case hex, whether it came as hex, shorter for its zeros, or in base64."""
    given = str(text or "").strip()
    if not given:
        return ""
    digits = given.lower()
    if len(digits) <= 2 * size and not set(digits) - set("0123456789abcdef") and not given.endswith("="):
        # 8 and 16 bytes in base64 end with "=", so that no id is taken for the other.
        return _known(digits.zfill(2 * size))
    try:
        return _known(b64decode(given, validate=True).hex().zfill(2 * size))
    except Error:
        return ""


def _known(digits: str) -> str:
    return digits if digits.strip("0") else ""


def kind_of(kind: Any) -> SpanKind:
    """`SPAN_KIND_SERVER`, `Server`, `server` or 2."""
    if isinstance(kind, int):
        return KINDS[kind] if 0 <= kind < len(KINDS) else "unspecified"
    word = str(kind or "").lower().removeprefix("span_kind_")
    return next((known for known in KINDS if known == word), "unspecified")


def status_of(code: Any) -> Status:
    """`STATUS_CODE_ERROR`, `Error`, `error` or 2."""
    if isinstance(code, int):
        return STATUSES[code] if 0 <= code < len(STATUSES) else "unset"
    word = str(code or "").lower().removeprefix("status_code_")
    return next((known for known in STATUSES if known == word), "unset")


def attributes(pairs: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    return {str(pair["key"]): value(pair.get("value")) for pair in pairs or ()}


def value(any_value: Mapping[str, Any] | None) -> Any:
    """What an AnyValue holds, as JSON has it; NaN and infinity stay texts."""
    if not any_value:
        return None
    name, held = next(iter(any_value.items()))
    match name:
        case "intValue":
            return int(held)
        case "arrayValue":
            return [value(item) for item in held.get("values") or ()]
        case "kvlistValue":
            return attributes(held.get("values"))
    return held
