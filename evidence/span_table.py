"""Many spans as columns: sorted by trace, each with its place in the trace and its self time."""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from connectors.telemetry import Span, SpanKind, Status
from evidence import span_places
from evidence.interning import Combos, Ids, Names
from evidence.span_places import NO_ROW, Codes, Flags, Rows
from evidence.templates import operation_pattern

KINDS: tuple[SpanKind, ...] = get_args(SpanKind.__value__)
STATUSES: tuple[Status, ...] = get_args(Status.__value__)
UNSPECIFIED, INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(6)
UNSET, OK, ERROR = range(3)
# What says which of a service's processes it was, the most telling first.
INSTANCE = ("k8s.pod.name", "service.instance.id", "host.name", "container.id")
_INSTANCES = frozenset(INSTANCE)


type Columns = dict[str, NDArray[Any]]


class Origin(NamedTuple):
    """What all spans of one resource share, by number."""

    service: int
    instance: int
    resource: int


@dataclass(frozen=True)
class SpanTable:
    """Columns of equal length, sorted by trace, then start. A code is an index into the names of its kind.

    `trace` codes rise from 0 without gaps in the order of rows; `parent` is a row or -1; `start_ns` is as recorded,
    and `start_ns + shift_ns` by the root's clock. `problem` says what a failed span said (0: nothing).
    """

    trace_ids: tuple[str, ...]
    services: Names
    operations: Names
    instances: Names
    problems: Names
    combos: Combos
    trace: Codes
    parent: Rows
    depth: Codes
    start_ns: Rows
    shift_ns: Rows
    duration_ns: Rows
    self_ns: Rows
    service: Codes
    operation: Codes
    instance: Codes
    kind: NDArray[np.int8]
    status: NDArray[np.int8]
    problem: Codes
    attributes: Codes
    resource: Codes
    span_id: NDArray[np.uint64]
    # Its parent is named, but is not among the spans.
    orphan: Flags
    # Rows that follow from a row of any trace, as OpenTelemetry's span links say: (from, to) pairs.
    links: NDArray[np.int64]
    ids: Ids

    def __len__(self) -> int:
        return len(self.trace)

    @cached_property
    def first_row(self) -> Rows:
        """Of each trace, and the number of rows at the end: trace t has rows first_row[t] to first_row[t + 1]."""
        return np.searchsorted(self.trace, np.arange(len(self.trace_ids) + 1))

    @cached_property
    def root(self) -> Rows:
        """Of each trace the row that says how the request went: a root that is no orphan, the longest of several."""
        roots = np.flatnonzero(self.parent == NO_ROW)
        order = np.lexsort((roots, -self.duration_ns[roots], self.orphan[roots], self.trace[roots]))
        ordered = roots[order]
        return ordered[np.searchsorted(self.trace[ordered], np.arange(len(self.trace_ids)))]

    @cached_property
    def failed(self) -> Flags:
        failed: Flags = self.status == ERROR
        return failed

    @cached_property
    def entry(self) -> Flags:
        """Where a request enters a service: roots, and spans whose parent belongs to another service."""
        above = np.maximum(self.parent, 0)
        entry: Flags = (self.parent == NO_ROW) | (self.service[above] != self.service)
        return entry

    @cached_property
    def _by_id(self) -> tuple[NDArray[np.uint64], Rows, Rows]:
        """The distinct span ids, and the rows' (trace, id) keys in order with their rows."""
        ids = np.unique(self.span_id)
        keys = self.trace.astype(np.int64) * len(ids) + np.searchsorted(ids, self.span_id)
        order = np.argsort(keys, kind="stable")
        return ids, keys[order], order

    def rows_of(self, trace: NDArray[np.int64], span_id: NDArray[np.uint64]) -> Rows:
        """The rows of these spans, NO_ROW for those that are not there; `trace` may be negative for no trace."""
        ids, keys, rows = self._by_id
        if not len(keys):
            return np.full(len(trace), NO_ROW, dtype=np.int64)
        place = np.minimum(np.searchsorted(ids, span_id), len(ids) - 1)
        wanted = trace.astype(np.int64) * len(ids) + place
        found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        known = (ids[place] == span_id) & (keys[found] == wanted) & (trace >= 0) & (span_id != 0)
        return np.where(known, rows[found], NO_ROW)

    def service_name(self, row: int) -> str:
        return self.services[int(self.service[row])]

    def operation_name(self, row: int) -> str:
        return self.operations[int(self.operation[row])]

    def trace_id(self, row: int) -> str:
        return self.trace_ids[int(self.trace[row])]

    def span_name(self, row: int) -> str:
        """The span's id as the store knows it."""
        return self.ids.name(int(self.span_id[row]))

    def values(self, key: str) -> Codes:
        """For every row the pair (see `combos.pairs`) that holds this attribute, -1 for none; the span's own first."""
        by_set = np.full(len(self.combos), NO_ROW, dtype=np.int32)
        wanted = {number for number, pair in enumerate(self.combos.pairs) if pair[0] == key}
        for code, members in enumerate(self.combos.sets):
            for member in members:
                if member in wanted:
                    by_set[code] = member
        own: Codes = by_set[self.attributes]
        return np.where(own == NO_ROW, by_set[self.resource], own)


class SpanBuilder:
    """Takes spans one by one, in any order, and makes a table of them."""

    def __init__(self) -> None:
        self._traces, self._services, self._operations = Names(), Names(), Names()
        self._instances, self._problems = Names(), Names()
        self._combos, self._ids = Combos(), Ids()
        self._patterns: dict[str, int] = {}
        self._problems.code("")
        self._trace, self._service, self._operation = array("i"), array("i"), array("i")
        self._instance, self._attributes, self._resource = array("i"), array("i"), array("i")
        self._problem, self._kind, self._status = array("i"), array("b"), array("b")
        self._start, self._duration = array("q"), array("q")
        self._span, self._parent = array("Q"), array("Q")
        self._links: list[tuple[int, int, int]] = []

    def __len__(self) -> int:
        return len(self._trace)

    def origin(self, service: str, resource: Mapping[str, object], instance: str = "") -> Origin:
        """Where spans come from. Ask once for many spans of the same resource."""
        where = instance or next((str(resource[key]) for key in INSTANCE if resource.get(key)), "")
        shared = {k: v for k, v in resource.items() if k not in _INSTANCES and not k.startswith("telemetry.sdk.")}
        return Origin(self._services.code(service), self._instances.code(where), self._combos.code(shared))

    def add(
        self,
        origin: Origin,
        trace_id: str,
        span_id: str,
        parent_id: str,
        operation: str,
        start_ns: int,
        duration_ns: int,
        kind: int = UNSPECIFIED,
        status: int = UNSET,
        attributes: Mapping[str, object] | None = None,
        problem: str = "",
        links: Sequence[tuple[str, str]] = (),
    ) -> None:
        """One span. `links` are the (trace, span) it follows from; ids are lower-case hex."""
        trace = self._traces.code(trace_id)
        self._trace.append(trace)
        self._span.append(self._ids.code(span_id))
        self._parent.append(self._ids.code(parent_id))
        self._service.append(origin.service)
        self._instance.append(origin.instance)
        self._resource.append(origin.resource)
        self._operation.append(self._operation_code(operation))
        self._start.append(start_ns)
        self._duration.append(max(duration_ns, 0))
        self._kind.append(kind)
        self._status.append(status)
        self._attributes.append(self._combos.code(attributes) if attributes else 0)
        self._problem.append(self._problems.code(problem) if problem else 0)
        for linked_trace, linked_span in links:
            self._links.append((self._traces.code(linked_trace), self._ids.code(linked_span), len(self._trace) - 1))

    def _operation_code(self, name: str) -> int:
        code = self._patterns.get(name)
        if code is None:
            code = self._operations.code(operation_pattern(name))
            # Names with ids in them come in millions; only the first are worth remembering.
            if len(self._patterns) < 100_000:
                self._patterns[name] = code
        return code

    def table(self) -> SpanTable:
        """All spans so far, in their places. The builder is used up."""
        columns: Columns = {
            "trace": _column(self._trace, np.int32),
            "span_id": _column(self._span, np.uint64),
            "parent_id": _column(self._parent, np.uint64),
            "start_ns": _column(self._start, np.int64),
            "duration_ns": _column(self._duration, np.int64),
            "service": _column(self._service, np.int32),
            "operation": _column(self._operation, np.int32),
            "instance": _column(self._instance, np.int32),
            "attributes": _column(self._attributes, np.int32),
            "resource": _column(self._resource, np.int32),
            "problem": _column(self._problem, np.int32),
            "kind": _column(self._kind, np.int8),
            "status": _column(self._status, np.int8),
        }
        kept = span_places.first_of_each(columns["trace"], columns["span_id"])
        order = kept[np.lexsort((columns["start_ns"][kept], columns["trace"][kept]))]
        columns = {name: column[order] for name, column in columns.items()}
        present, columns["trace"] = _without_gaps(columns["trace"])
        parent_id = columns.pop("parent_id")
        parent = span_places.parents(
            columns["trace"], columns["span_id"], parent_id, columns["start_ns"], columns["duration_ns"]
        )
        depth = span_places.depths(parent)
        shift = _shifts(columns, parent, depth)
        return SpanTable(
            trace_ids=tuple(self._traces[code] for code in present.tolist()),
            services=self._services,
            operations=self._operations,
            instances=self._instances,
            problems=self._problems,
            combos=self._combos,
            ids=self._ids,
            parent=parent,
            depth=depth,
            shift_ns=shift,
            self_ns=span_places.self_times(parent, columns["start_ns"] + shift, columns["duration_ns"]),
            orphan=(parent == NO_ROW) & (parent_id != 0),
            links=self._linked_rows(present, columns),
            **columns,
        )

    def _linked_rows(self, present: NDArray[np.int64], columns: Columns) -> NDArray[np.int64]:
        if not self._links:
            return np.zeros((0, 2), dtype=np.int64)
        codes = {old: new for new, old in enumerate(present.tolist())}
        wanted = {(codes.get(trace, NO_ROW), span) for trace, span, _ in self._links}
        wanted |= {(codes[self._trace[row]], self._span[row]) for _, _, row in self._links}
        rows: dict[tuple[int, int], int] = {}
        for row, key in enumerate(zip(columns["trace"].tolist(), columns["span_id"].tolist(), strict=True)):
            if key in wanted:
                rows.setdefault(key, row)
        pairs = []
        for trace, span, row in self._links:
            source = rows.get((codes.get(trace, NO_ROW), span))
            if source is not None:
                pairs.append((source, rows[codes[self._trace[row]], self._span[row]]))
        return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def from_spans(spans: Iterable[Span]) -> SpanTable:
    """The table of spans that a store answered with."""
    builder = SpanBuilder()
    for span in spans:
        builder.add(
            builder.origin(span.service, span.resource),
            span.trace_id,
            span.span_id,
            span.parent_id,
            span.name,
            span.start_ns,
            span.duration_ns,
            KINDS.index(span.kind),
            STATUSES.index(span.status),
            span.attributes,
            problem_of(span.status_message, span.attributes, [event.attributes for event in span.events]),
        )
    return builder.table()


def problem_of(message: str, attributes: Mapping[str, object], events: Iterable[Mapping[str, object]]) -> str:
    """What a failed span says of its failure: the exception's type, OpenTelemetry's error.type, or its message."""
    for told in (*events, attributes):
        found = told.get("exception.type") or told.get("error.type")
        if found:
            return str(found)[:120]
    return operation_pattern(message)[:120]


def _column[Kind: np.generic](values: array[int], dtype: type[Kind]) -> NDArray[Kind]:
    return np.frombuffer(values, dtype=dtype) if values else np.zeros(0, dtype=dtype)


def _without_gaps(trace: Codes) -> tuple[NDArray[np.int64], Codes]:
    """The codes that have rows, and the rows' codes counted anew from 0."""
    present, renumbered = np.unique(trace, return_inverse=True)
    return present.astype(np.int64), renumbered.astype(np.int32)


def _shifts(columns: Columns, parent: Rows, depth: Codes) -> Rows:
    above = np.maximum(parent, 0)
    kind, service = columns["kind"], columns["service"]
    elsewhere = (parent != NO_ROW) & (service[above] != service)
    early = columns["start_ns"][above] > columns["start_ns"]
    # Spans of no kind may be called or queued: only a start before the caller's proves their clock wrong.
    remote = elsewhere & ((kind == SERVER) | (kind == CONSUMER) | ((kind == UNSPECIFIED) & early))
    return span_places.shifts(
        parent,
        depth,
        columns["start_ns"],
        columns["duration_ns"],
        remote,
        kind != CONSUMER,
        columns["status"] == ERROR,
    )
