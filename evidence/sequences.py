"""What happens in what order: within each span the calls it makes, and the lines it writes, as pairs of neighbours.

A pair that always was and is no longer points at the code between its two events; the idea of comparing pairs of
events is that of Yu et al., "… Fine-Grained Root Causes Analysis for Microservices on Multi-modal … Data" (FSE 2023).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.log_table import LogTable
from evidence.own_time import answers, entries
from evidence.samples import Sample
from evidence.span_places import NO_ROW, Flags, Rows
from evidence.span_table import SpanTable

type Events = NDArray[np.int64]

START, END = 0, 1
_FIRST, _BETWEEN, _LAST = range(3)


@dataclass(frozen=True)
class Pairs:
    """Neighbouring events of the same span. Events are numbers: START, END, then operations, then log templates.

    `owner` is the span's row, `at_ns` the time of the second event by the root's clock, `line` the place of the
    second event's line in the log table, or -1. Calls and lines (`written`) are sequences of their own, since the
    clock of the log and that of the tracer are seldom the same to the millisecond.
    """

    spans: SpanTable
    logs: LogTable | None
    owner: Rows
    first: Events
    second: Events
    at_ns: Rows
    line: Rows
    written: Flags

    @property
    def operations(self) -> int:
        return len(self.spans.operations)

    @property
    def _first_template(self) -> int:
        return 2 + len(self.spans.services) * self.operations

    def is_line(self, event: int) -> bool:
        return event >= self._first_template

    def template(self, event: int) -> int:
        return event - self._first_template

    def service_of(self, event: int) -> int:
        """Of an operation or log template: whose it is; -1 for START and END."""
        if event < 2:
            return NO_ROW
        if self.logs is not None and self.is_line(event):
            return (
                self.spans.services.find(self.logs.services[int(self.logs.template_service[self.template(event)])]) or 0
            )
        return (event - 2) // self.operations

    def name(self, event: int) -> str:
        if event < 2:
            return ("its start", "its end")[event]
        if self.logs is not None and self.is_line(event):
            return self.logs.templates[self.template(event)]
        return self.spans.operations[(event - 2) % self.operations]


def pairs(chosen: Sample, logs: LogTable | None) -> Pairs:
    """All pairs of the compared traces."""
    spans = chosen.spans
    compared = chosen.window[spans.trace] >= 0
    elsewhere, queued = entries(spans)
    answer = answers(spans, elsewhere & ~queued)
    caller = answer != NO_ROW
    start = spans.start_ns + spans.shift_ns
    operation = 2 + spans.service.astype(np.int64) * len(spans.operations) + spans.operation
    # A call and its answer are one event of the caller: the answered operation.
    event = np.where(caller, operation[answer], operation)
    above = np.maximum(spans.parent, 0)
    within = compared & (spans.parent != NO_ROW) & ~(caller[above] & (answer[above] == np.arange(len(spans))))
    calls = np.flatnonzero(within)
    owners = np.flatnonzero(compared & ~caller)
    said = _said(spans, logs, caller, compared)
    ends = start + spans.duration_ns
    called = _stream(
        owners, start, ends, _owner(spans.parent[calls], spans, caller), start[calls], event[calls], calls * 0 - 1
    )
    written = _stream(owners, start, ends, said.owner, said.at_ns, said.event, said.line)
    if logs is None:
        return Pairs(spans, logs, *called, written=np.zeros(len(called[0]), dtype=np.bool_))
    owner, first, second, at, line = (np.concatenate(both) for both in zip(called, written, strict=True))
    of_log = np.repeat([False, True], [len(called[0]), len(written[0])])
    return Pairs(spans, logs, owner, first, second, at, line, of_log)


def _stream(
    owners: Rows, start: Rows, ends: Rows, owner: Rows, at: Rows, event: Events, line: Rows
) -> tuple[Rows, Events, Events, Rows, Rows]:
    """Neighbours among events of one kind: (owner, first, second, time of the second, line of the second)."""
    nothing = np.full(len(owners), NO_ROW)
    everyone = np.concatenate((owners, owner, owners))
    times = np.concatenate((start[owners], at, ends[owners]))
    phase = np.repeat([_FIRST, _BETWEEN, _LAST], [len(owners), len(owner), len(owners)])
    code = np.concatenate((np.full(len(owners), START), event, np.full(len(owners), END)))
    lines = np.concatenate((nothing, line, nothing))
    order = np.lexsort((times, phase, everyone))
    everyone, code, times, lines = everyone[order], code[order], times[order], lines[order]
    same = everyone[1:] == everyone[:-1]
    return everyone[1:][same], code[:-1][same], code[1:][same], times[1:][same], lines[1:][same]


@dataclass(frozen=True)
class _Said:
    owner: Rows
    event: Events
    at_ns: Rows
    line: Rows


def _said(spans: SpanTable, logs: LogTable | None, caller: Flags, compared: Flags) -> _Said:
    """The lines that belong to spans, as events of them."""
    if logs is None or not len(logs):
        nothing = np.zeros(0, dtype=np.int64)
        return _Said(nothing, nothing, nothing, nothing)
    row = spans.rows_of(trace_codes(spans, logs)[logs.trace], logs.span_id)
    line = np.flatnonzero((row != NO_ROW) & compared[np.maximum(row, 0)])
    row = row[line]
    first = 2 + len(spans.services) * len(spans.operations)
    at = logs.at_ns[line] + spans.shift_ns[row]
    return _Said(_owner(row, spans, caller), first + logs.template[line].astype(np.int64), at, line)


def trace_codes(spans: SpanTable, logs: LogTable) -> Rows:
    """For the log table's trace codes those of the span table; the last one, for -1, is -1."""
    known = {trace_id: code for code, trace_id in enumerate(spans.trace_ids)}
    return np.array([*(known.get(trace_id, NO_ROW) for trace_id in logs.trace_ids), NO_ROW], dtype=np.int64)


def _owner(rows: Rows, spans: SpanTable, caller: Flags) -> Rows:
    """What a row's events are counted to: itself, or its parent when it only makes a call."""
    return np.where(caller[rows] & (spans.parent[rows] != NO_ROW), spans.parent[rows], rows)
