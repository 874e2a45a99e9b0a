"""Which traces are compared: the flow's bad requests of the incident with its normal ones of the baseline."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from evidence.case import Inquiry, within
from evidence.chance import more
from evidence.findings import NotInvestigated
from evidence.span_places import NO_ROW, Flags, Rows
from evidence.span_table import SpanTable
from evidence.templates import operation_pattern

# With fewer normal traces in the baseline, the incident's good ones are taken as well.
FEW_NORMAL = 10
# So unlikely by chance a rise of bad requests must be to be one: no alert goes off on less.
RISE_CHANCE = 0.01
# In fewer requests a rise may hide.
ENOUGH = 100
MOST_STRATA = 24
UNKNOWN = MOST_STRATA - 1


@dataclass(frozen=True)
class Sample:
    """Flags by trace. `any_bad` says that nobody knows which requests are bad: all of the incident's are taken."""

    spans: SpanTable
    bad: Flags
    normal: Flags
    any_bad: bool
    # By trace: which of the baseline's windows a normal one is of, the last for bad ones, -1 for the others.
    window: NDArray[np.int64]
    windows: int

    @cached_property
    def bad_rows(self) -> Flags:
        return self.bad[self.spans.trace]

    @cached_property
    def normal_rows(self) -> Flags:
        return self.normal[self.spans.trace]

    @cached_property
    def kind_rows(self) -> Rows:
        """By trace the row that says what kind of request it is.

        The root if roots have several operations; otherwise the first operation of another service below it, since
        a gateway calls everything the same.
        """
        spans = self.spans
        if len(np.unique(spans.operation[spans.root[self.window >= 0]])) > 1:
            return spans.root
        above = np.maximum(spans.parent, 0)
        leaves = (spans.parent != NO_ROW) & (spans.service[above] != spans.service)
        first = spans.root.copy()
        rows = np.flatnonzero(leaves & (spans.service[above] == spans.service[spans.root][spans.trace]))[::-1]
        first[spans.trace[rows]] = rows
        return first

    @cached_property
    def stratum(self) -> NDArray[np.int64]:
        """By trace the number of its kind: only like is compared with like. The rarest kinds share a number.

        UNKNOWN for requests that stopped before their kind could be told.
        """
        spans, first = self.spans, self.kind_rows
        kind = spans.service[first].astype(np.int64) * len(spans.operations) + spans.operation[first]
        _, kind, count = np.unique(kind, return_inverse=True, return_counts=True)
        rank = np.argsort(np.argsort(-count, kind="stable"), kind="stable")
        unknown = (first == spans.root) & (not np.array_equal(first, spans.root))
        number: NDArray[np.int64] = np.where(unknown, UNKNOWN, np.minimum(rank, UNKNOWN - 1)[kind])
        return number

    @property
    def bad_count(self) -> int:
        return int(self.bad.sum())

    @property
    def normal_count(self) -> int:
        return int(self.normal.sum())


def sample(inquiry: Inquiry, spans: SpanTable) -> Sample:
    """The traces to compare. Raises NotInvestigated when there is nothing on one of the two sides."""
    started = spans.start_ns[spans.root]
    own = of_flow(inquiry, spans)
    during, before = own & inquiry.incident.covers(started), own & within(inquiry.baseline, started)
    if not during.any():
        raise NotInvestigated("No trace of the flow was recorded during the incident.")
    failed, known = bad_requests(inquiry, spans)
    bad = during & failed if known and (during & failed).any() else during
    any_bad = bad is during
    if not any_bad and not _risen(inquiry, started, own, failed):
        raise NotInvestigated("Requests are no more often bad than they usually are, so there is nobody to blame.")
    normal = before if any_bad else before & ~failed
    if not any_bad and normal.sum() < FEW_NORMAL:
        normal = normal | (during & ~failed)
    if not normal.any():
        raise NotInvestigated("No trace of the flow was recorded in the baseline, so there is nothing to compare with.")
    window = np.full(len(own), -1)
    for number, interval in enumerate(inquiry.baseline):
        window[normal & (window < 0) & interval.covers(started)] = number
    # Good requests of the incident are a time of their own.
    window[normal & (window < 0)] = len(inquiry.baseline)
    window[bad] = len(inquiry.baseline) + 1
    return Sample(spans, bad, normal, any_bad, window, len(inquiry.baseline) + 2)


def _risen(inquiry: Inquiry, started: Rows, own: Flags, failed: Flags) -> bool:
    """Whether more requests are bad than in any one window of the baseline, or too few were recorded to tell."""
    during = own & inquiry.incident.covers(started)
    windows = [own & interval.covers(started) for interval in inquiry.baseline]
    told = [before for before in windows if before.sum() >= ENOUGH and during.sum() >= ENOUGH]
    counts = [[int(flags.sum()) for flags in (during & failed, during, before & failed, before)] for before in told]
    return min((more(*four) for four in counts), default=0.0) <= RISE_CHANCE


def of_flow(inquiry: Inquiry, spans: SpanTable) -> Flags:
    """The traces that pass through the flow's root; by its service alone if nothing bears its operation."""
    everything = np.ones(len(spans.trace_ids), dtype=np.bool_)
    service = spans.services.find(inquiry.service)
    if service is None:
        return everything
    of_service = spans.service == service
    operation = spans.operations.find(operation_pattern(inquiry.operation)) if inquiry.operation else None
    rows = of_service & (spans.operation == operation) if operation is not None else of_service
    return _traces_with(spans, rows if rows.any() else of_service)


def _traces_with(spans: SpanTable, rows: Flags) -> Flags:
    found = np.zeros(len(spans.trace_ids), dtype=np.bool_)
    found[spans.trace[rows]] = True
    return found


def bad_requests(inquiry: Inquiry, spans: SpanTable) -> tuple[Flags, bool]:
    """Which traces are bad by the inquiry's own measure, and whether there is one."""
    root = spans.root
    bad = np.zeros(len(root), dtype=np.bool_)
    if inquiry.bad.error:
        bad |= spans.failed[root]
    if inquiry.bad.slower_than is not None:
        bad |= spans.duration_ns[root] >= inquiry.bad.slower_than // timedelta(microseconds=1) * 1000
    return bad, inquiry.bad.known
