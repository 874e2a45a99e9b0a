"""Spans and log lines as the store takes them, made for one test each."""

from datetime import UTC, datetime
from typing import Any

from connectors.telemetry import LogLine, Span, to_ns

NOW = datetime(2026, 3, 1, 14, 3, tzinfo=UTC)
MS = 1_000_000


def trace_id(number: int) -> str:
    return f"{number:032x}"


def make_span(
    number: int = 1, span_id: int = 1, parent: int = 0, *, at: datetime = NOW, ms: int = 50, **more: Any
) -> Span:
    """Span `span_id` of trace `number`; a server's unless said otherwise."""
    return Span(
        trace_id=trace_id(number),
        span_id=f"{span_id:016x}",
        parent_id=f"{parent:016x}" if parent else "",
        start_ns=to_ns(at),
        duration_ns=ms * MS,
        **{"service": "gateway", "name": "POST /checkout", "kind": "server", **more},
    )


def make_line(
    body: str = "declined", number: int = 0, *, at: datetime = NOW, severity: int = 9, **more: Any
) -> LogLine:
    return LogLine(to_ns(at), severity, body, trace_id=trace_id(number) if number else "", **more)
