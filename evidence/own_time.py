"""Whose time it is: every span's own time, charged to a service itself, to the way to a callee, or to a queue."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from evidence.interning import Names
from evidence.span_places import NO_ROW, Codes, Flags, Rows, covered
from evidence.span_table import CLIENT, CONSUMER, PRODUCER, UNSPECIFIED, SpanTable

type Place = Literal["itself", "way", "queue"]
PLACES: tuple[Place, ...] = ("itself", "way", "queue")
ITSELF, WAY, QUEUE = range(3)
# Attributes that name who is called, the most telling first (OpenTelemetry's names, then older ones).
PEER = ("peer.service", "db.namespace", "db.name", "server.address", "net.peer.name", "db.system.name", "db.system")
# A span that runs beside more calls than this is not looked into.
MOST_CALLS = 32


@dataclass(frozen=True)
class OwnTime:
    """One entry for each piece of time: who spent it (codes of `services`), on which row, and how long.

    `caller` equals `callee` for time that a service spent itself. `services` are the table's, then those that are
    only known by name because they send no spans.
    """

    services: Names
    row: Rows
    place: Codes
    caller: Codes
    callee: Codes
    operation: Codes
    time_ns: Rows
    # The row that ran at the callee's: the answer to a call, where there is one; otherwise `row` itself.
    callee_row: Rows


def own_time(spans: SpanTable) -> OwnTime:
    start = spans.start_ns + spans.shift_ns
    elsewhere, later = entries(spans)
    answer = answers(spans, elsewhere & ~later)
    services, peer = _peers(spans, answer)
    calls = (answer != NO_ROW) | (peer != NO_ROW)
    rows = np.arange(len(spans))
    callee = np.where(answer != NO_ROW, spans.service[answer], np.where(peer != NO_ROW, peer, spans.service))
    operation = np.where(answer != NO_ROW, spans.operation[answer], spans.operation)
    waits, source = queued(spans)
    return OwnTime(
        services,
        np.concatenate((rows, waits)),
        np.concatenate((np.where(calls, WAY, ITSELF), np.full(len(waits), QUEUE))).astype(np.int32),
        np.concatenate((spans.service, spans.service[source])),
        np.concatenate((callee, spans.service[waits])).astype(np.int32),
        np.concatenate((operation, spans.operation[waits])),
        np.concatenate((_unshared(spans, calls, start), _delays(spans, waits, source, start))),
        np.concatenate((np.where(answer != NO_ROW, answer, rows), waits)),
    )


def entries(spans: SpanTable) -> tuple[Flags, Flags]:
    """The rows whose parent is of another service, and which of them were queued rather than called."""
    above = np.maximum(spans.parent, 0)
    start = spans.start_ns + spans.shift_ns
    elsewhere = (spans.parent != NO_ROW) & (spans.service[above] != spans.service)
    later = start >= start[above] + spans.duration_ns[above]
    queued = elsewhere & ((spans.kind == CONSUMER) | (spans.kind[above] == PRODUCER))
    queued |= elsewhere & (spans.kind == UNSPECIFIED) & later & (spans.duration_ns[above] > 0)
    return elsewhere, queued


def answers(spans: SpanTable, answering: Flags) -> Rows:
    """For each row that does nothing but call another service the (first) row that answers it, else NO_ROW."""
    inner = (spans.parent != NO_ROW) & ~answering
    has_inner = np.zeros(len(spans), dtype=np.bool_)
    has_inner[spans.parent[inner]] = True
    first = np.full(len(spans), NO_ROW, dtype=np.int64)
    rows = np.flatnonzero(answering)[::-1]
    first[spans.parent[rows]] = rows
    may_call = (spans.kind == CLIENT) | ((spans.kind == UNSPECIFIED) & ~has_inner)
    return np.where(may_call, first, NO_ROW)


def _peers(spans: SpanTable, answer: Rows) -> tuple[Names, Codes]:
    """For client spans that nothing answers, the callee that their attributes name; it may send no spans at all."""
    services = Names()
    for name in spans.services:
        services.code(name)
    peer = np.full(len(spans), NO_ROW, dtype=np.int32)
    alone = (spans.kind == CLIENT) & (answer == NO_ROW)
    for key in PEER:
        if not alone.any():
            break
        pairs = spans.values(key)
        for pair in np.unique(pairs[alone & (pairs != NO_ROW)]).tolist():
            rows = alone & (pairs == pair)
            peer[rows] = services.code(_known(spans.combos.pairs[pair][1], spans.services))
            alone &= ~rows
    return services, peer


def _known(address: str, services: Names) -> str:
    """The service that an address belongs to: `stock.shop.svc.cluster.local` is `stock`, if there is such a one."""
    host = address.rsplit("://", 1)[-1].split("/", 1)[0].split(":", 1)[0]
    first = host.split(".", 1)[0]
    return first if services.find(first) is not None else address


def queued(spans: SpanTable) -> tuple[Rows, Rows]:
    """Rows that took work from a queue, and the row that put it there: a parent or a linked span of any trace."""
    later = np.flatnonzero(entries(spans)[1])
    linked = spans.links[(spans.kind[spans.links[:, 1]] == CONSUMER)] if len(spans.links) else spans.links
    waits = np.concatenate((later, linked[:, 1]))
    source = np.concatenate((spans.parent[later], linked[:, 0]))
    order = np.unique(waits, return_index=True)[1]
    return waits[order], source[order]


def _delays(spans: SpanTable, waits: Rows, source: Rows, start: Rows) -> Rows:
    """From the end of sending to the start of processing; clocks that disagree make it 0."""
    delays: Rows = np.maximum(start[waits] - start[source] - spans.duration_ns[source], 0)
    return delays


def _unshared(spans: SpanTable, calls: Flags, start: Rows) -> Rows:
    """Each row's time less that of its children and of the calls that it only waits for.

    Asynchronous frameworks record the waiting and the call as two spans side by side: what they share is the call's.
    """
    children = np.flatnonzero(spans.parent != NO_ROW)
    waiting, beside = _waiting(spans, calls)
    rows = np.concatenate((spans.parent[children], waiting))
    return spans.duration_ns - covered(rows, np.concatenate((children, beside)), start, spans.duration_ns)


def _waiting(spans: SpanTable, calls: Flags) -> tuple[Rows, Rows]:
    """Pairs of a row that makes no call and one beside it (same parent, same service) that does."""
    callers = np.flatnonzero(calls & (spans.parent != NO_ROW))
    callers = callers[np.argsort(spans.parent[callers], kind="stable")]
    above = spans.parent[callers]
    others = np.flatnonzero(~calls & (spans.parent != NO_ROW))
    begin, end = np.searchsorted(above, spans.parent[others]), np.searchsorted(above, spans.parent[others], "right")
    many = end - begin
    kept = (many > 0) & (many <= MOST_CALLS)
    others, begin, many = others[kept], begin[kept], many[kept]
    rows = np.repeat(others, many)
    beside = callers[np.arange(len(rows)) - np.repeat(np.cumsum(many) - many, many) + np.repeat(begin, many)]
    same = spans.service[rows] == spans.service[beside]
    return rows[same], beside[same]
