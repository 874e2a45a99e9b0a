"""Since when? The onset as a finding: read from counts of bad requests, slice by slice, or from what traces show."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from connectors.telemetry import from_ns, to_ns
from evidence import quantities, samples
from evidence.case import Inquiry, Mask, Times, within
from evidence.count_table import CountTable
from evidence.findings import Finding, Report, Subject
from evidence.onset import LEAST_GAIN, Count, Onset, Values, onset
from evidence.span_table import SpanTable
from evidence.wording import percent

# How far before the incident's window an onset is looked for.
LOOK_BACK = timedelta(minutes=30)
# Slices are a minute, or shorter where the incident is.
MINUTE, LEAST_SLICES = timedelta(minutes=1), 10
# What few requests of the baseline do is out of the ordinary, when so many are known that it can be told.
USUAL, LEAST_USUAL = 0.95, 40
NBSP = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True)
class Rise:
    """What became more frequent, as a sentence names it, and since when; of a service where it is not the flow's."""

    what: str
    onset: Onset
    service: str = ""
    operation: str = ""


def of_counts(inquiry: Inquiry, counts: CountTable) -> Rise | None:
    """The instant from which on more requests were bad; `None` when the counts do not show one."""
    found = _rise(inquiry, counts.time_ns, counts.bad, counts.total)
    return Rise("Bad requests", found) if found else None


def of_traces(inquiry: Inquiry, spans: SpanTable) -> Rise | None:
    """The same where nobody can say which requests are bad: since when requests do what they seldom did before.

    That is to fail somewhere, to break off early, or to take long in one of the operations that they pass. The clearest
    rise is the onset, if it is clear enough for the best one of so many.
    """
    looked = list(_unusual(inquiry, spans))
    found = [
        Rise(what.what, told, what.service, what.operation)
        for what in looked
        if (told := _rise(inquiry, what.times, what.flags.astype(np.float64), np.ones(len(what.flags))))
    ]
    clear = [one for one in found if one.onset.gain >= LEAST_GAIN + np.log(len(looked))]
    return max(clear, key=lambda one: one.onset.gain, default=None)


@dataclass(frozen=True, slots=True)
class _Unusual:
    what: str
    times: Times
    flags: Mask
    service: str = ""
    operation: str = ""


def _unusual(inquiry: Inquiry, spans: SpanTable) -> Iterator[_Unusual]:
    """For the flow's requests, and then for each operation that they pass, which ones are out of the ordinary."""
    mine = samples.of_flow(inquiry, spans)
    started = spans.start_ns[spans.root]
    usual = mine & within(inquiry.baseline, started)
    if usual.sum() < LEAST_USUAL:
        return
    failed, sizes = (
        np.bincount(spans.trace, weights=weights, minlength=len(mine)) for weights in (spans.failed, spans.entry)
    )
    yield _Unusual("Requests with a failed step", started[mine], failed[mine] > 0)
    yield _Unusual("Requests that broke off early", started[mine], (sizes < np.quantile(sizes[usual], 1 - USUAL))[mine])
    yield from _slow(spans, np.flatnonzero(spans.entry & mine[spans.trace]), usual)


def _slow(spans: SpanTable, entries: Times, usual: Mask) -> Iterator[_Unusual]:
    kind = spans.service[entries].astype(np.int64) * len(spans.operations) + spans.operation[entries]
    for number in np.unique(kind).tolist():
        rows = entries[kind == number]
        before = spans.duration_ns[rows[usual[spans.trace[rows]]]]
        if len(before) < LEAST_USUAL:
            continue
        limit = float(np.quantile(before, USUAL))
        service, operation = spans.service_name(int(rows[0])), spans.operation_name(int(rows[0]))
        what = f"Requests for which {service} took longer than {quantities.seconds(limit / 1e9)}"
        yield _Unusual(what, spans.start_ns[rows], spans.duration_ns[rows] > limit, service, operation)


def _rise(inquiry: Inquiry, times: Times, bad: Values, total: Values) -> Onset | None:
    """A slice starts with the first that was counted in it, as counts may be of coarser times than slices are."""
    start, end = inquiry.incident.start - LOOK_BACK, inquiry.incident.end
    length = min(MINUTE, inquiry.incident.length / LEAST_SLICES)
    near = (times >= to_ns(start)) & (times < to_ns(end)) & (total > 0)
    if not near.any():
        return None
    step = max(int(length.total_seconds() * 1e9), 1)
    place = (times[near] - to_ns(start)) // step
    slices, which = np.unique(place, return_inverse=True)
    first = np.full(len(slices), to_ns(end))
    np.minimum.at(first, which, times[near])
    bads, totals = (np.bincount(which, weights=column[near]) for column in (bad, total))
    return onset([Count(from_ns(int(at)), float(b), float(t)) for at, b, t in zip(first, bads, totals, strict=True)])


def report(found: Rise) -> Report:
    """The onset as a finding: its gain says how sure it is."""
    told = found.onset
    statement = f"{found.what} rose from {percent(told.before)} to {percent(told.after)} at {clock(told.at)}."
    numbers = {"before": told.before, "after": told.after, "gain": told.gain}
    confidence = 1 - float(np.exp(-told.gain / 3)) / 2
    subject = Subject(service=found.service, operation=found.operation)
    return Report((Finding("onset", statement, 1.0, confidence, subject, dict(numbers)),))


def clock(at: datetime) -> str:
    return f"{at:%H:%M}{NBSP}UTC"
