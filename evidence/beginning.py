"""Since when? The onset as a finding: read from counts of bad requests, slice by slice."""

from datetime import datetime, timedelta

import numpy as np

from connectors.telemetry import from_ns, to_ns
from evidence.case import Inquiry
from evidence.count_table import CountTable
from evidence.findings import Finding, Report
from evidence.onset import Count, Onset, onset
from evidence.wording import percent

# How far before the incident's window an onset is looked for.
LOOK_BACK = timedelta(minutes=30)
# Slices are a minute, or shorter where the incident is.
MINUTE, LEAST_SLICES = timedelta(minutes=1), 10
NBSP = "\N{NO-BREAK SPACE}"


def of_counts(inquiry: Inquiry, counts: CountTable) -> Onset | None:
    """The instant from which on more requests were bad; `None` when the counts do not show one."""
    start, end = inquiry.incident.start - LOOK_BACK, inquiry.incident.end
    length = min(MINUTE, inquiry.incident.length / LEAST_SLICES)
    near = (counts.time_ns >= to_ns(start)) & (counts.time_ns < to_ns(end))
    if not near.any():
        return None
    step = max(int(length.total_seconds() * 1e9), 1)
    place = (counts.time_ns[near] - to_ns(start)) // step
    bad, total = (np.bincount(place, weights=column[near]) for column in (counts.bad, counts.total))
    slices = [
        Count(from_ns(to_ns(start) + number * step), float(bad[number]), float(total[number]))
        for number in range(len(total))
        if total[number] > 0
    ]
    return onset(slices)


def report(found: Onset) -> Report:
    """The onset as a finding: its gain says how sure it is."""
    before, after = percent(found.before), percent(found.after)
    statement = f"Bad requests rose from {before} to {after} at {clock(found.at)}."
    numbers = {"before": found.before, "after": found.after, "gain": found.gain}
    confidence = 1 - float(np.exp(-found.gain / 3)) / 2
    return Report((Finding("onset", statement, 1.0, confidence, numbers=dict(numbers)),))


def clock(at: datetime) -> str:
    return f"{at:%H:%M}{NBSP}UTC"
