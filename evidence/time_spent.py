"""Where is the time spent? Bad requests' own time against that of normal ones, by service and operation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evidence.blame import Added, Culprit, culprits
from evidence.case import Inquiry
from evidence.findings import Finding, Kind, Reference, Report, Subject, Suspicion
from evidence.interning import Names
from evidence.growth import growth
from evidence.own_time import PLACES, QUEUE, WAY, OwnTime, Place, own_time
from evidence.samples import Sample, sample
from evidence.span_places import Rows
from evidence.span_table import SpanTable

MS = 1e6
# One-sided: of 200 accounts that did not change, one may seem to have grown.
CONFIDENCE = 0.995
MOST_FINDINGS = 8


@dataclass(frozen=True)
class Account:
    """One kind of time: what a service spends on an operation itself, on the way to a callee's, or waiting in a queue.

    `often` is how many times in a bad request; `added` (ms) how much longer each is on average, `surely` at least.
    """

    place: Place
    caller: str
    callee: str
    operation: str
    before: float
    during: float
    added: float
    surely: float
    often: float
    rows: Rows


def investigate(inquiry: Inquiry, spans: SpanTable) -> Report:
    chosen = sample(inquiry, spans)
    own = own_time(spans)
    keys, accounts = _accounts(chosen, own)
    found = culprits(accounts)
    return Report((), _suspicions(found, own.services, chosen))


def _accounts(chosen: Sample, own: OwnTime) -> tuple[Rows, list[Added]]:
    services, operations = len(own.services), len(chosen.spans.operations)
    key = ((own.place.astype(np.int64) * services + own.caller) * services + own.callee) * operations + own.operation
    keys, group = np.unique(key, return_inverse=True)
    window = chosen.window[chosen.spans.trace[own.row]]
    taken = window >= 0
    grown = growth(group[taken], window[taken], own.time_ns[taken] / MS, len(keys), chosen.windows)
    each = grown.surely
    caller, callee = keys // operations // services % services, keys // operations % services
    often = grown.count_during / max(chosen.bad_count, 1)
    return keys, [Added(int(caller[n]), int(callee[n]), float(each[n]), float(often[n]), n) for n in range(len(keys))]


def _suspicions(found: Sequence[Culprit], services: Names, chosen: Sample) -> tuple[Suspicion, ...]:
    total = sum(one.gain for one in found)
    return tuple(Suspicion(services[one.service], "dependency", one.gain / total) for one in found)
