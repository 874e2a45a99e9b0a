"""From raw samples to counted slices: what an SLI's counters counted, group by group. Pure."""

import numpy as np

from slo import answers, groups
from slo.counting import Choice, Sli, choices, marked_choice, native_choice, total_choice
from slo.counts import Counts, Floats
from slo.groups import Group
from slo.samples import Fetched
from slo.slices import Measured
from slo.targets import Bools

type Rows = list[int]


def tally(sli: Sli, fetched: Fetched) -> dict[Group, list[Measured]]:
    """The slices of the chunk for each group that has series, counted from the series that the SLI chooses.

    The samples may be those of more series. Each observed increment counts once, in the slice that holds the later
    of its scrapes. Without grouping there is always the one group; its slices are unmeasured without series. Raises
    `ValueError` for an SLI that lacks a part, or with a pattern that cannot be read.
    """
    counts = fetched.counts
    total = _by_group(sli, counts, total_choice(sli))
    marked = _by_group(sli, counts, marked_choice(sli))
    natives = _natives(sli, counts, total)
    found = {group: _group(sli, counts, rows, marked.get(group, [])) for group, rows in total.items()}
    found |= {group: _native_group(sli, counts, rows) for group, rows in natives.items()}
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


def _by_group(sli: Sli, counts: Counts, choice: Choice) -> dict[Group, Rows]:
    chosen = [row for row in counts.selection.of(choice) if row not in counts.past]
    if not sli.group_by:
        return {groups.ALL: chosen} if chosen else {}
    found = dict[tuple[str, ...], Rows]()
    series = counts.fetched.series
    for row in chosen:
        labels = series[row].labels
        found.setdefault(tuple(labels.get(name, "") for name in sli.group_by), []).append(row)
    return {groups.of(series[rows[0]].labels, sli.group_by): rows for rows in found.values()}


def _group(sli: Sli, counts: Counts, total: Rows, marked: Rows) -> list[Measured]:
    if sli.kind == "latency" and not marked:
        return _unmeasured(counts, answers.no_bucket(sli))
    all_events, those = counts.of(total), counts.of(marked)
    bad = all_events - those if sli.counts_good else those
    return _measured(sli, counts, np.clip(bad, 0, all_events), all_events, counts.there(total))


def _natives(sli: Sli, counts: Counts, classic: dict[Group, Rows]) -> dict[Group, Rows]:
    """The native histograms of the groups that have no classic one."""
    choice = native_choice(sli)
    if choice is None or not counts.natives:
        return {}
    found = _by_group(sli, counts, choice)
    native = {group: [row for row in rows if row in counts.natives] for group, rows in found.items()}
    return {group: rows for group, rows in native.items() if rows and group not in classic}


def _native_group(sli: Sli, counts: Counts, rows: Rows) -> list[Measured]:
    limit = float(sli.threshold or 0)
    all_events = counts.of(rows)
    good = counts.at_most(rows, limit)
    return _measured(sli, counts, np.clip(all_events - good, 0, all_events), all_events, counts.there(rows))


def _measured(sli: Sli, counts: Counts, bad: Floats, total: Floats, there: Bools) -> list[Measured]:
    gone = answers.nothing_counted(sli)
    return [
        Measured(start, end, b, t) if known else Measured(start, end, None, None, gone)
        for (start, end), b, t, known in zip(
            counts.fetched.chunk.slices(), bad.tolist(), total.tolist(), there.tolist(), strict=True
        )
    ]


def _unmeasured(counts: Counts, reason: str) -> list[Measured]:
    return [Measured(start, end, None, None, reason) for start, end in counts.fetched.chunk.slices()]
