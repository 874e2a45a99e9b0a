"""What every trace and log store answers with, and the two protocols behind which it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol, runtime_checkable

type Attributes = Mapping[str, Any]
type Status = Literal["unset", "ok", "error"]
type SpanKind = Literal["unspecified", "internal", "server", "client", "producer", "consumer"]

NANOSECONDS = 1_000_000_000


def from_ns(ns: int) -> datetime:
    """Unix nanoseconds as an aware datetime; what is finer than a microsecond is cut off."""
    seconds, rest = divmod(ns, NANOSECONDS)
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=rest // 1000)


def to_ns(moment: datetime) -> int:
    """An aware datetime as Unix nanoseconds."""
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NANOSECONDS + since.microseconds * 1000


@dataclass(frozen=True, slots=True)
class SpanEvent:
    at_ns: int
    name: str
    attributes: Attributes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One OpenTelemetry span. Ids are lower-case hex; `parent_id` is empty for a root."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: SpanKind
    start_ns: int
    duration_ns: int
    status: Status = "unset"
    status_message: str = ""
    attributes: Attributes = field(default_factory=dict)
    resource: Attributes = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.duration_ns

    @property
    def start(self) -> datetime:
        return from_ns(self.start_ns)

    @property
    def duration(self) -> timedelta:
        return timedelta(microseconds=self.duration_ns / 1000)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One OpenTelemetry log record. `severity` is the specification's number: 1 (TRACE) to 24 (FATAL4), 0 unknown."""

    at_ns: int
    severity: int
    body: str
    service: str = ""
    trace_id: str = ""
    span_id: str = ""
    attributes: Attributes = field(default_factory=dict)
    resource: Attributes = field(default_factory=dict)

    @property
    def at(self) -> datetime:
        return from_ns(self.at_ns)

    @property
    def level(self) -> Literal["error", "warn", "info", "debug"]:
        """The word a page prints: `error` from 17 on, `warn` from 13, `info` from 9, `debug` below."""
        if self.severity >= 17:
            return "error"
        if self.severity >= 13:
            return "warn"
        return "info" if self.severity >= 9 or self.severity == 0 else "debug"


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One hit of a trace search: the trace as a whole, without its spans.

    Service, name, duration and error are those of its entry span, where the store knows it: how the request went for
    its caller. Work that was queued may go on for longer, and a retried call may have failed.
    """

    trace_id: str
    flow: str
    service: str
    name: str
    start_ns: int
    duration_ns: int
    error: bool
    span_count: int

    @property
    def start(self) -> datetime:
        return from_ns(self.start_ns)

    @property
    def duration(self) -> timedelta:
        return timedelta(microseconds=self.duration_ns / 1000)


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Which traces to look for. `None` and empty mean *any*; newest first unless `slowest_first`.

    `flow` is the value of the attribute `user.flow`, which any span of the trace or its resource may carry. `service`,
    `operation` and `attributes` describe one span, which may be any of the trace: its service, its name, and what its
    attributes or its resource's say. Time, error and duration are those of the entry span, as in `TraceSummary`.
    """

    flow: str = ""
    service: str = ""
    operation: str = ""
    attributes: Attributes = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    error: bool | None = None
    min_duration: timedelta | None = None
    max_duration: timedelta | None = None
    slowest_first: bool = False
    limit: int = 50


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which log lines to look for. `None` and empty mean *any*; newest first.

    `flow` and `attributes` may be said by the line or by its resource; `text` is found whatever its case.
    """

    trace_id: str = ""
    service: str = ""
    flow: str = ""
    attributes: Attributes = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    min_severity: int | None = None
    text: str = ""
    limit: int = 200


@dataclass(frozen=True, slots=True)
class Count:
    """How many log lines there were from `at` on, for one step."""

    at: datetime
    lines: int


@runtime_checkable
class TraceStore(Protocol):
    """A store of traces. Raises `connectors.errors.StoreError`, whose message a user may read."""

    def trace(self, trace_id: str) -> Sequence[Span]:
        """All known spans of a trace, by start; empty if the store does not (or no longer) know it."""
        ...

    def search(self, query: TraceQuery) -> Sequence[TraceSummary]: ...


@runtime_checkable
class ReadsTraces(Protocol):
    """What a trace store may be able to do besides. Raises `connectors.errors.StoreError`."""

    def traces(self, trace_ids: Sequence[str], limit: int = 20_000) -> Sequence[Span]:
        """The spans of many traces by one question, at most `limit` of them; those of unknown traces are missing."""
        ...


@runtime_checkable
class CountsTraces(Protocol):
    """What a trace store may be able to do besides. Raises `connectors.errors.StoreError`."""

    def count_by(self, query: TraceQuery, attribute: str) -> Mapping[str, int]:
        """How many of the traces carry each value of `attribute`, on a span or its resource; the most first.

        `query.limit` bounds the values, not the traces. A trace with two values counts for both; one that does not
        carry the attribute for none.
        """
        ...


@runtime_checkable
class LogStore(Protocol):
    """A store of log lines. Raises `connectors.errors.StoreError`, whose message a user may read."""

    def lines_of(
        self, trace_ids: Sequence[str], limit: int = 500, since: datetime | None = None, until: datetime | None = None
    ) -> Sequence[LogLine]:
        """The lines of these traces, oldest first. Between `since` and `until` where given, which spares a store much.

        A store that finds nothing without a time looks back as far as its connector says.
        """
        ...

    def search(self, query: LogQuery) -> Sequence[LogLine]: ...


@runtime_checkable
class CountsLogs(Protocol):
    """What a log store may be able to do besides. Raises `connectors.errors.StoreError`."""

    def counts(self, query: LogQuery, step: timedelta) -> Sequence[Count]:
        """The lines that match, by steps of whole seconds that begin at multiples of `step` since 1970.

        From the step that holds `query.since` to the one that holds `query.until`, which both must be given; steps
        without a line count 0. `query.limit` does not matter.
        """
        ...


def steps(since: datetime, until: datetime, step: timedelta) -> list[datetime]:
    """The begin of each step of `CountsLogs.counts`."""
    seconds = max(int(step.total_seconds()), 1)
    first, last = int(since.timestamp()) // seconds, int(until.timestamp()) // seconds
    return [datetime.fromtimestamp(number * seconds, UTC) for number in range(first, last + 1)]
