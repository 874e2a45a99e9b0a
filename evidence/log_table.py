"""Many log lines as columns: of the text only its pattern is kept, and a few lines as examples of each pattern."""

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from connectors.telemetry import LogLine
from evidence.interning import Ids, Names
from evidence.span_table import INSTANCE
from evidence.templates import Templates

LONGEST_EXAMPLE = 1_000
# OpenTelemetry's severity numbers.
WARN, ERROR = 13, 17


class Example(NamedTuple):
    """A line as it was written."""

    at_ns: int
    trace_id: str
    span_id: str
    text: str


@dataclass(frozen=True)
class LogTable:
    """Columns of equal length, by time. `trace` is an index into `trace_ids`, -1 for a line of no request.

    `template` is an index into `templates`, whose patterns belong to one service each.
    """

    trace_ids: Names
    services: Names
    instances: Names
    templates: Templates
    at_ns: NDArray[np.int64]
    severity: NDArray[np.int8]
    service: NDArray[np.int32]
    instance: NDArray[np.int32]
    trace: NDArray[np.int32]
    span_id: NDArray[np.uint64]
    template: NDArray[np.int32]
    # By template: some of its lines, spread over time, the last one at the end.
    examples: Mapping[int, tuple[Example, ...]]

    def __len__(self) -> int:
        return len(self.at_ns)

    @cached_property
    def template_service(self) -> NDArray[np.int32]:
        """The service that each template belongs to."""
        services = np.zeros(len(self.templates), dtype=np.int32)
        services[self.template] = self.service
        return services

    @cached_property
    def template_severity(self) -> NDArray[np.int8]:
        """The worst severity that each template was written with."""
        worst = np.zeros(len(self.templates), dtype=np.int8)
        np.maximum.at(worst, self.template, self.severity)
        return worst


class LogBuilder:
    """Takes log lines one by one, in any order, and makes a table of them."""

    def __init__(self) -> None:
        self._traces, self._services, self._instances = Names(), Names(), Names()
        self._templates, self._ids = Templates(), Ids()
        self._at, self._severity, self._service = array("q"), array("b"), array("i")
        self._instance, self._trace, self._span = array("i"), array("i"), array("Q")
        self._template = array("i")
        self._counts: list[int] = []
        self._examples: list[list[Example]] = []
        self._last: list[Example | None] = []

    def __len__(self) -> int:
        return len(self._at)

    def add(
        self,
        service: str,
        at_ns: int,
        severity: int,
        body: str,
        trace_id: str = "",
        span_id: str = "",
        instance: str = "",
        stack: str = "",
    ) -> None:
        """One line. `severity` is OpenTelemetry's number, 0 unknown; `stack` a stack trace recorded beside it."""
        template = self._templates.add(body, service, stack)
        self._at.append(at_ns)
        self._severity.append(severity)
        self._service.append(self._services.code(service))
        self._instance.append(self._instances.code(instance))
        self._trace.append(self._traces.code(trace_id) if trace_id else -1)
        self._span.append(self._ids.code(span_id))
        self._template.append(template)
        self._remember(template, Example(at_ns, trace_id, span_id, body[:LONGEST_EXAMPLE]))

    def _remember(self, template: int, line: Example) -> None:
        """Keeps the 1st, 2nd, 4th, 8th … line and the last one of each pattern."""
        if template == len(self._counts):
            self._counts.append(0)
            self._examples.append([])
            self._last.append(None)
        self._counts[template] += 1
        if self._counts[template].bit_count() == 1:
            self._examples[template].append(line)
        self._last[template] = line

    def table(self) -> LogTable:
        """All lines so far. The builder is used up."""
        at = _column(self._at, np.int64)
        order = np.argsort(at, kind="stable")
        return LogTable(
            trace_ids=self._traces,
            services=self._services,
            instances=self._instances,
            templates=self._templates,
            at_ns=at[order],
            severity=_column(self._severity, np.int8)[order],
            service=_column(self._service, np.int32)[order],
            instance=_column(self._instance, np.int32)[order],
            trace=_column(self._trace, np.int32)[order],
            span_id=_column(self._span, np.uint64)[order],
            template=_column(self._template, np.int32)[order],
            examples={number: self._kept(number) for number in range(len(self._examples))},
        )

    def _kept(self, template: int) -> tuple[Example, ...]:
        last = self._last[template]
        kept = self._examples[template]
        return tuple(kept) if last is None or kept[-1] is last else (*kept, last)


def from_lines(lines: Iterable[LogLine]) -> LogTable:
    """The table of lines that a store answered with."""
    builder = LogBuilder()
    for line in lines:
        where = next((str(line.resource[key]) for key in INSTANCE if line.resource.get(key)), "")
        stack = str(line.attributes.get("exception.stacktrace", ""))
        builder.add(line.service, line.at_ns, line.severity, line.body, line.trace_id, line.span_id, where, stack)
    return builder.table()


def _column[Kind: np.generic](values: array[int], dtype: type[Kind]) -> NDArray[Kind]:
    return np.frombuffer(values, dtype=dtype) if values else np.zeros(0, dtype=dtype)
