"""From raw samples to counted slices: what an SLI's counters counted, group by group. Pure."""

import numpy as np

from slo import answers, groups
from slo.counting import Sli, choices, marked_choice, native_choice, total_choice
from slo.counts import Counts
from slo.groups import Group
from slo.replicas import SURE, Names
from slo.samples import Fetched
from slo.slices import Measured
from slo.steps import Floats
from slo.targets import Bools

type Rows = list[int]


def tally(sli: Sli, fetched: Fetched) -> dict[Group, list[Measured]]:
    """The slices of the chunk for each group that has series, counted from the series that the SLI chooses.

    The samples may be those of more series. Each observed increment counts once, in the slice that holds the later
    of its scrapes. Without grouping there is always the one group; its slices are unmeasured without series. Raises
    `ValueError` for an SLI that lacks a part, or with a pattern that cannot be read.
    """
    counts = fetched.counts.keeping(_named(sli))
    total, marked, natives = (_by_group(sli, counts, rows) for rows in _parts(sli, counts))
    found = {
        group: _group(sli, counts, total.get(group, []), marked.get(group, []), natives.get(group, []))
        for group in {**total, **natives}
    }
    if not found and not sli.group_by:
        reason = answers.nothing_counted(sli)
        found[groups.ALL] = [Measured(start, end, None, None, reason) for start, end in fetched.chunk.slices()]
    return found


def complete(sli: Sli, fetched: Fetched) -> bool:
    """Whether every scrape that belongs into the chunk is there, of all targets of the SLI's series.

    Not where there is no series, or no `up` that says when scrapes come. Raises `ValueError` like `tally`.
    """
    counts = fetched.counts
    rows = [row for choice in choices(sli) for row in counts.selection.of(choice) if row not in counts.past]
    return bool(rows) and not counts.awaits(rows)


def _named(sli: Sli) -> Names:
    """The labels of which the SLI says that they tell things apart: what it groups by and chooses by."""
    matchers = (*sli.matchers, *sli.bad_matchers)
    return frozenset((*sli.group_by, *(one.label for one in matchers if one.op == "=" or one.label not in SURE)))


def _parts(sli: Sli, counts: Counts) -> tuple[Rows, Rows, Rows]:
    """The series of all events, of the marked ones, and the native histograms."""
    native = native_choice(sli)
    natives = [row for row in counts.selection.of(native) if row in counts.natives] if native and counts.natives else []
    return counts.selection.of(total_choice(sli)), counts.selection.of(marked_choice(sli)), natives


def _by_group(sli: Sli, counts: Counts, rows: Rows) -> dict[Group, Rows]:
    chosen = [row for row in rows if row not in counts.past]
    if not sli.group_by:
        return {groups.ALL: chosen} if chosen else {}
    found = dict[tuple[str, ...], Rows]()
    series = counts.fetched.series
    for row in chosen:
        labels = series[row].labels
        found.setdefault(tuple(labels.get(name, "") for name in sli.group_by), []).append(row)
    return {groups.of(series[rows[0]].labels, sli.group_by): rows for rows in found.values()}


def _group(sli: Sli, counts: Counts, total: Rows, marked: Rows, natives: Rows) -> list[Measured]:
    if sli.kind == "latency":
        return _latency(sli, counts, total, marked, natives)
    all_events, those = counts.of(total), counts.of(marked)
    bad = all_events - those if sli.counts_good else those
    return _measured(sli, counts, np.clip(bad, 0, all_events), all_events, counts.there(total))


def _latency(sli: Sli, counts: Counts, total: Rows, marked: Rows, natives: Rows) -> list[Measured]:
    """Each histogram by its bucket, or natively while it has none; what has neither does not count."""
    all_events, good, lost = counts.by_bucket(total, marked)
    there = counts.there(marked) & ~lost
    if natives:
        more, within = counts.natively(natives, float(sli.threshold or 0), marked)
        all_events, good, there = all_events + more, good + within, there | counts.there(natives)
    bad = np.clip(all_events - good, 0, all_events)
    return _measured(sli, counts, bad, all_events, there, counts.there(total))


def _measured(
    sli: Sli, counts: Counts, bad: Floats, total: Floats, there: Bools, lost: Bools | None = None
) -> list[Measured]:
    """The slices; unmeasured where nothing was `there`: as no histogram has the bucket, where they are `lost`."""
    reasons = [answers.nothing_counted(sli)] * len(total)
    if lost is not None:
        reasons = [answers.no_bucket(sli) if one else reason for one, reason in zip(lost, reasons, strict=True)]
    return [
        Measured(start, end, b, t) if known else Measured(start, end, None, None, reason)
        for (start, end), b, t, known, reason in zip(
            counts.fetched.chunk.slices(), bad.tolist(), total.tolist(), there.tolist(), reasons, strict=True
        )
    ]
