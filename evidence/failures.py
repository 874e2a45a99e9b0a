"""Failed spans followed down to where the failure began, and how often calls fail, time out and are repeated."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.own_time import OwnTime, entries, queued
from evidence.span_places import NO_ROW, Flags, Rows, levels
from evidence.span_table import CLIENT, CONSUMER, PRODUCER, SpanTable

_TIMEOUT = re.compile(r"time[\s_-]?d?[\s_-]?out|deadline|aborted", re.IGNORECASE)
_FULL = re.compile(r"full|capacity|overflow|backlog|limit|quota|too[\s_-]?(?:many|long)|exhausted", re.IGNORECASE)


@dataclass(frozen=True)
class Failures:
    """Rows where failures began, and the service that each is blamed on (codes of `OwnTime.services`).

    `trace` is the request that failed, `seen` its row that shows it: a message may have been sent by another one, in
    which it failed first.
    """

    row: Rows
    seen: Rows
    trace: NDArray[np.int32]
    service: NDArray[np.int32]
    timeout: Flags


def failures(spans: SpanTable, own: OwnTime, rows: Flags) -> Failures:
    """Where failed requests (of these rows) began to fail.

    A failure that decides a request is followed from the failed root; in a trace whose root did not fail, from the
    outermost failed spans. Of several failed calls the last decides, as a later success would have saved the rest.
    """
    decisive = _decisive(spans, rows)
    follows = np.zeros(len(spans), dtype=np.bool_)
    follows[spans.parent[np.flatnonzero(decisive & (spans.parent != NO_ROW))]] = True
    last = np.flatnonzero(decisive & ~follows)
    source = {target: source for source, target in spans.links.tolist() if spans.failed[source]}
    origin = np.array([source.get(row, row) for row in last.tolist()], dtype=np.int64)
    return Failures(origin, last, spans.trace[last], _blamed(spans, own, origin), timeouts(spans)[origin])


def _decisive(spans: SpanTable, rows: Flags) -> Flags:
    failed = spans.failed & rows
    above = np.maximum(spans.parent, 0)
    below_failed = (spans.parent != NO_ROW) & failed[above]
    root_failed = failed[spans.root][spans.trace] if len(spans) else failed
    is_root = np.zeros(len(spans), dtype=np.bool_)
    is_root[spans.root] = True
    decisive: Flags = failed & np.where(root_failed, is_root, ~below_failed)
    last = _last_failed_child(spans, failed)
    for level in levels(spans.depth):
        follows = failed[level] & decisive[above[level]] & (last[above[level]] == level)
        decisive[level] |= follows
    return decisive


def _last_failed_child(spans: SpanTable, failed: Flags) -> Rows:
    """For each row the failed child that ends last."""
    last = np.full(len(spans), NO_ROW, dtype=np.int64)
    rows = np.flatnonzero(failed & (spans.parent != NO_ROW))
    end = spans.start_ns + spans.shift_ns + spans.duration_ns
    rows = rows[np.argsort(end[rows], kind="stable")]
    last[spans.parent[rows]] = rows
    return last


def _blamed(spans: SpanTable, own: OwnTime, origin: Rows) -> NDArray[np.int32]:
    """The service where it began; of a failed call that did not fail at the other end, the callee.

    A queue is full because those who should take from it do not keep up, not because somebody sends.
    """
    told = np.array([_FULL.search(problem) is not None for problem in spans.problems], dtype=np.bool_)
    taker = _takers(spans)
    service = np.where(spans.kind[origin] == CLIENT, own.callee[origin], spans.service[origin])
    for place in np.flatnonzero((spans.kind[origin] == PRODUCER) & told[spans.problem[origin]]).tolist():
        row = int(origin[place])
        service[place] = taker.get((int(spans.service[row]), int(spans.operation[row])), int(service[place]))
    return service


def _takers(spans: SpanTable) -> dict[tuple[int, int], int]:
    """By service and operation that sends, the service that takes from there."""
    waits, source = queued(spans)
    rows = zip(spans.service[source].tolist(), spans.operation[source].tolist(), spans.service[waits], strict=True)
    return {(sender, operation): int(taker) for sender, operation, taker in rows}


def timeouts(spans: SpanTable) -> Flags:
    """The failed spans that gave up waiting: they say so, or their callee went on after they had ended."""
    told = np.array([_TIMEOUT.search(problem) is not None for problem in spans.problems], dtype=np.bool_)
    end = spans.start_ns + spans.shift_ns + spans.duration_ns
    elsewhere, later = entries(spans)
    late = np.flatnonzero(elsewhere & ~later & (end > end[np.maximum(spans.parent, 0)]))
    outlived = np.zeros(len(spans), dtype=np.bool_)
    outlived[spans.parent[late]] = True
    return spans.failed & (told[spans.problem] | outlived)


@dataclass(frozen=True)
class Calls:
    """Every call: its row, who called whom (codes of `OwnTime.services`), and whether an earlier like it had failed."""

    row: Rows
    caller: NDArray[np.int32]
    callee: NDArray[np.int32]
    repeated: Flags


def calls(spans: SpanTable, own: OwnTime) -> Calls:
    """Calls of other services, and messages sent and taken."""
    rows = np.arange(len(spans))
    called = (own.caller[: len(spans)] != own.callee[: len(spans)]) | np.isin(spans.kind, (PRODUCER, CONSUMER))
    row = rows[called]
    return Calls(row, own.caller[row], own.callee[row], _repeated(spans, own, row))


def _repeated(spans: SpanTable, own: OwnTime, row: Rows) -> Flags:
    """Calls of the same callee's operation by the same span, after one of them failed."""
    start = spans.start_ns + spans.shift_ns
    order = row[np.lexsort((start[row], own.operation[row], own.callee[row], spans.parent[row]))]
    same = np.ones(max(len(order) - 1, 0), dtype=np.bool_)
    for column in (own.operation, own.callee, spans.parent):
        same &= column[order[1:]] == column[order[:-1]]
    again = np.zeros(len(spans), dtype=np.bool_)
    again[order[1:][same & spans.failed[order[:-1]] & (spans.parent[order[1:]] != NO_ROW)]] = True
    return again[row]
