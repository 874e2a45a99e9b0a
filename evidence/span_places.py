"""The places of many spans in their traces at once, on columns: parents, depths, clock shifts and self times.

The rules are those of `evidence.spans`, which does the same for one trace in plain sight.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

type Rows = NDArray[np.int64]
type Codes = NDArray[np.int32]
type Ids = NDArray[np.uint64]
type Flags = NDArray[np.bool_]

NO_ROW = -1


def first_of_each(trace: Codes, span_id: Ids) -> Rows:
    """The rows to keep, in order: of spans repeated within a trace the first. Spans without an id are all kept."""
    order = np.lexsort((span_id, trace))
    ordered_trace, ordered_id = trace[order], span_id[order]
    repeated = np.zeros(len(trace), dtype=np.bool_)
    same = (ordered_trace[1:] == ordered_trace[:-1]) & (ordered_id[1:] == ordered_id[:-1]) & (ordered_id[1:] != 0)
    repeated[order[1:][same]] = True
    return np.flatnonzero(~repeated)


def parents(trace: Codes, span_id: Ids, parent_id: Ids, start_ns: Rows, duration_ns: Rows) -> Rows:
    """Each row's parent row within its trace, or NO_ROW; afterwards every way up ends."""
    if not len(trace):
        return np.zeros(0, dtype=np.int64)
    numbers, dense = np.unique(np.concatenate((span_id, parent_id)), return_inverse=True)
    keys = trace.astype(np.int64) * len(numbers)
    own, wanted = keys + dense[: len(trace)], keys + dense[len(trace) :]
    order = np.argsort(own, kind="stable")
    place = np.minimum(np.searchsorted(own, wanted, sorter=order), len(own) - 1)
    found = order[place]
    known = (own[found] == wanted) & (parent_id != 0)
    parent = np.where(known, found, NO_ROW)
    _cut_cycles(parent, start_ns, duration_ns)
    return parent


def _cut_cycles(parent: Rows, start_ns: Rows, duration_ns: Rows) -> None:
    """Makes the earliest span of each cycle a root; of those that start together the longest."""
    above = _ancestors(parent)
    caught = np.flatnonzero(above != NO_ROW)
    settled: set[int] = set()
    for row in caught.tolist():
        trail: dict[int, None] = {}
        while row != NO_ROW and row not in settled and row not in trail:
            trail[row] = None
            row = int(parent[row])
        if row in trail:
            walked = list(trail)
            cycle = walked[walked.index(row) :]
            parent[min(cycle, key=lambda member: (start_ns[member], -duration_ns[member], member))] = NO_ROW
        settled.update(trail)


def _ancestors(parent: Rows) -> Rows:
    """NO_ROW where the way up ends; by doubling the step, so that long chains cost little."""
    above = parent.copy()
    for _ in range(len(parent).bit_length() + 1):
        going = np.flatnonzero(above != NO_ROW)
        if not len(going):
            break
        above[going] = above[above[going]]
    return above


def depths(parent: Rows) -> Codes:
    """How many spans are above each row."""
    depth: Codes = (parent != NO_ROW).astype(np.int32)
    above = parent.copy()
    while len(going := np.flatnonzero(above != NO_ROW)):
        step = above[going]
        depth[going] += depth[step]
        above[going] = above[step]
    return depth


def levels(depth: Codes) -> Iterator[Rows]:
    """The rows of depth 1, 2, …: a value that comes from the parent is settled level by level."""
    order = np.argsort(depth, kind="stable")
    bounds = np.flatnonzero(np.diff(depth[order])) + 1
    yield from np.split(order, bounds)[1:]


def shifts(
    parent: Rows, depth: Codes, start_ns: Rows, duration_ns: Rows, remote: Flags, answered: Flags, failed: Flags
) -> Rows:
    """What to add to each row's clock to fit its root's.

    `remote` rows run on another host than their caller; `answered` ones are waited for (not consumers). As for a
    single trace: a callee starts after its caller, and ends before it unless the caller gave up.
    """
    shift = np.zeros(len(parent), dtype=np.int64)
    for rows in levels(depth):
        caller = parent[rows]
        early = start_ns[caller] - start_ns[rows]
        late = -early + duration_ns[rows] - duration_ns[caller]
        fits = answered[rows] & (duration_ns[rows] <= duration_ns[caller])
        centred = fits & ((early > 0) | ((late > 0) & ~failed[caller]))
        moved = np.where(centred, early + (duration_ns[caller] - duration_ns[rows]) // 2, np.maximum(early, 0))
        shift[rows] = shift[caller] + np.where(remote[rows], moved, 0)
    return shift


def self_times(parent: Rows, start_ns: Rows, duration_ns: Rows) -> Rows:
    """Each row's duration less the union of its children's intervals, each clipped to its own. Shifted starts."""
    children = np.flatnonzero(parent != NO_ROW)
    return duration_ns - covered(parent[children], children, start_ns, duration_ns)


def covered(rows: Rows, covering: Rows, start_ns: Rows, duration_ns: Rows) -> Rows:
    """For every row of the table, how long it runs while any of those that cover it does: (rows, covering) pairs.

    All covered intervals are laid end to end on one line, so that one running maximum serves all of them.
    """
    taken = np.zeros(len(duration_ns), dtype=np.int64)
    if not len(rows):
        return taken
    begins = np.clip(start_ns[covering] - start_ns[rows], 0, duration_ns[rows])
    ends = np.clip(start_ns[covering] + duration_ns[covering] - start_ns[rows], 0, duration_ns[rows])
    order = np.lexsort((begins, rows))
    rows, begins, ends = rows[order], begins[order], ends[order]
    first = np.flatnonzero(np.concatenate(([True], rows[1:] != rows[:-1])))
    lengths = duration_ns[rows[first]]
    origin = np.repeat(np.cumsum(lengths) - lengths, np.diff(np.append(first, len(rows))))
    begins, ends = begins + origin, ends + origin
    reached = np.maximum.accumulate(np.concatenate(([0], ends[:-1])))
    taken[rows[first]] = np.add.reduceat(np.maximum(ends - np.maximum(begins, reached), 0), first)
    return taken
