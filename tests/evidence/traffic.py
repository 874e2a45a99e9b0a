"""Made-up requests of a small shop, for tests: a tree of steps becomes the spans of one trace."""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors.telemetry import LogLine, Span, SpanKind, Status, to_ns
from evidence.case import Bad, Inquiry, Interval
from evidence.log_table import LogTable, from_lines
from evidence.span_table import SpanTable, from_spans

MS = 1_000_000
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
BASELINE = Interval(NOON, NOON + timedelta(minutes=30))
INCIDENT = Interval(NOON + timedelta(minutes=30), NOON + timedelta(minutes=40))


def make_inquiry(bad: Bad | None = None, baseline: tuple[Interval, ...] = (BASELINE,), service: str = "web") -> Inquiry:
    return Inquiry("shop", service, "", bad or Bad(), baseline, INCIDENT)


@dataclass(frozen=True)
class Step:
    """What runs for `own` ms itself, and then its steps one after the other; it starts `late` ms after its turn."""

    service: str
    name: str
    steps: tuple["Step", ...] = ()
    own: float = 5.0
    kind: SpanKind = "server"
    status: Status = "unset"
    message: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict)
    late: float = 0.0
    lines: tuple[tuple[int, str], ...] = ()
    # Nobody waits for it: it begins in its caller's time, and takes none of it.
    detached: bool = False
    instance: str = ""


def call(caller: str, answer: Step | None, way: float = 1.0, **fields: object) -> Step:
    """A client span of `caller`, with `way` ms before the answer begins."""
    steps = () if answer is None else (answer,)
    return Step(caller, fields.pop("name", "call"), steps, way, "client", **fields)  # type: ignore[arg-type]


@dataclass
class Traffic:
    spans: list[Span] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    count: int = 0

    def add(self, at: datetime, root: Step) -> None:
        self.count += 1
        self._lay(f"{self.count:032x}", "", root, to_ns(at))

    def _lay(self, trace_id: str, parent_id: str, step: Step, at_ns: int) -> int:
        """Adds the step that begins at this time, and says when it ends."""
        span_id = f"{len(self.spans) + 1:016x}"
        place = len(self.spans)
        self.spans.append(Span(trace_id, span_id, parent_id, step.service, step.name, step.kind, at_ns, 0))
        for number, (severity, body) in enumerate(step.lines):
            self.lines.append(LogLine(at_ns + 1000 * (number + 1), severity, body, step.service, trace_id, span_id))
        cursor = at_ns + int(step.own * MS)
        for inner in step.steps:
            ends = self._lay(trace_id, span_id, inner, cursor + int(inner.late * MS))
            cursor = cursor if inner.detached else ends
        self.spans[place] = Span(
            trace_id,
            span_id,
            parent_id,
            step.service,
            step.name,
            step.kind,
            at_ns,
            cursor - at_ns,
            step.status,
            step.message,
            step.attributes,
            {"service.instance.id": step.instance} if step.instance else {},
        )
        return cursor

    def fill(self, interval: Interval, make: Callable[[random.Random], Step], count: int = 60, seed: int = 1) -> None:
        """Spreads so many requests over the interval."""
        drawn = random.Random(seed)
        for number in range(count):
            self.add(interval.start + interval.length * (number / count), make(drawn))

    def table(self) -> SpanTable:
        return from_spans(self.spans)

    def log_table(self) -> LogTable:
        return from_lines(self.lines)


def traffic(
    before: Callable[[random.Random], Step], during: Callable[[random.Random], Step], count: int = 60
) -> Traffic:
    """The same number of requests in the baseline and in the incident."""
    made = Traffic()
    made.fill(BASELINE, before, count, seed=1)
    made.fill(INCIDENT, during, count, seed=2)
    return made


def about(drawn: random.Random, time: float) -> float:
    """A time that scatters as times do: by a quarter, now and then far."""
    return time * drawn.lognormvariate(0, 0.25) * (4 if drawn.random() < 0.03 else 1)


def services(found: Iterable[object]) -> list[str]:
    return [getattr(one, "service", "") for one in found]
