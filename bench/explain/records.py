"""What a simulated system records: spans, log lines, and how each request ended. Times are seconds from its begin."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from connectors.telemetry import SpanKind

WARN, ERROR, INFO = 13, 17, 9


@dataclass(frozen=True, slots=True)
class Pod:
    """Where a service runs: one of its pods, which is another one (of the same number) after a deploy."""

    service: str
    number: int
    version: str
    name: str
    node: str


@dataclass(slots=True)
class SpanRecord:
    trace_id: str
    span_id: str
    parent_id: str
    pod: Pod
    name: str
    kind: SpanKind
    start: float
    end: float = 0.0
    error: str = ""
    attributes: dict[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogRecord:
    at: float
    pod: Pod
    severity: int
    body: str
    trace_id: str
    span_id: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a request of the flow went for its user. `touched`: a fault had its hand in it."""

    at: float
    seconds: float
    failed: bool
    touched: bool
    attributes: Mapping[str, str]
