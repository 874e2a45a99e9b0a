"""Where requests begin to fail more often than before, and what happens in them only because of that."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evidence.chance import believable, more
from evidence.failures import failures
from evidence.own_time import OwnTime
from evidence.samples import Sample
from evidence.span_places import NO_ROW, Flags, Rows
from evidence.span_table import SpanTable

FALSE_SHARE = 0.01
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Origin:
    """A service at whose operation failures begin: in how many bad and normal requests, on which rows.

    `seen` are the rows by which the requests themselves noticed: others than `rows` where another one had sent the
    message that failed.
    """

    service: int
    operation: int
    bad: int
    normal: int
    chance: float
    rows: tuple[int, ...]
    timeouts: int
    seen: tuple[int, ...]


def origins(chosen: Sample, own: OwnTime) -> list[Origin]:
    """The origins that are more frequent among bad requests than chance allows, the most frequent first."""
    spans = chosen.spans
    began = failures(spans, own, chosen.window[spans.trace] >= 0)
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, row in enumerate(began.row.tolist()):
        groups[int(began.service[place]), int(own.operation[row])].append(place)
    result = []
    for (service, operation), members in groups.items():
        trace = began.trace[members]
        is_bad = chosen.bad[trace]
        bad, normal = len(np.unique(trace[is_bad])), len(np.unique(trace[chosen.normal[trace]]))
        chance = more(bad, chosen.bad_count, normal, chosen.normal_count)
        shown, seen = (tuple(rows[members][is_bad].tolist()) for rows in (began.row, began.seen))
        result.append(Origin(service, operation, bad, normal, chance, shown, int(began.timeout[members].sum()), seen))
    adjusted = believable([one.chance for one in result])
    kept = [one for one, chance in zip(result, adjusted, strict=True) if chance <= FALSE_SHARE]
    return sorted(kept, key=lambda one: (-excess(one, chosen), one.chance))


def excess(one: Origin, chosen: Sample) -> float:
    """The share of bad requests that fail here, beyond what normal ones do."""
    return one.bad / chosen.bad_count - one.normal / chosen.normal_count


def following(spans: SpanTable, began: Sequence[Origin]) -> Rows:
    """By row from when on (ns, by the root's clock) what it does may follow from a failed call of its own, or NEVER.

    A caller that repeats the call, complains of it or gives up shows the failure once more; what it did before may be
    why the call failed. A span that fails by another service's fault shows nothing but that.
    """
    start = spans.start_ns + spans.shift_ns
    since = np.full(len(spans), NEVER, dtype=np.int64)
    failed = np.flatnonzero(_passed_on(spans, began))
    np.minimum.at(since, spans.parent[failed], start[failed])
    others = [row for one in began for row in one.rows if int(spans.service[row]) != one.service]
    since[others] = start[others] - 1
    return since


def _passed_on(spans: SpanTable, began: Sequence[Origin]) -> Flags:
    """The failed calls on the way from the origins up, and earlier tries of the same."""
    on_way = np.zeros(len(spans), dtype=np.bool_)
    rows = np.unique(np.array([row for one in began for row in one.seen], dtype=np.int64))
    while len(rows := rows[spans.parent[rows] != NO_ROW]):
        on_way[rows] = True
        rows = np.unique(spans.parent[rows])
    call = np.maximum(spans.parent, 0) * len(spans.operations) + spans.operation
    on_way |= spans.failed & (spans.parent != NO_ROW) & np.isin(call, call[on_way])
    return on_way
