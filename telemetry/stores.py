"""Which trace and log stores are asked, in this order."""

from connectors.telemetry import LogStore, TraceStore
from telemetry.store import EmbeddedLogs, EmbeddedTraces


def trace_stores() -> list[TraceStore]:
    return [EmbeddedTraces()]


def log_stores() -> list[LogStore]:
    return [EmbeddedLogs()]
