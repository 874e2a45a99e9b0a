"""Where bad requests first do something else than normal ones: places in the code after which what follows has changed.

What happens later in the same request (callers that stop, error pages, skipped calls) is taken for a consequence.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence.chance import believable, fewer, fewer_in_strata, more, more_in_strata
from evidence.distinct import distinct
from evidence.growth import LATE_ALARM_SHARE
from evidence.log_table import ERROR
from evidence.samples import MOST_STRATA, UNKNOWN, Sample
from evidence.sequences import END, Pairs
from evidence.span_places import Flags, Rows

type Counts = NDArray[np.int64]

# Of all places that seem to have changed, so many may be accidents. Error lines are few and written on purpose, so
# that less will do: what is uncertain still ranks below what is certain.
FALSE_SHARE = 0.05
FALSE_SHARE_OF_ERRORS = 0.25
_ERROR_NAME = re.compile(r"error|exception|fallback", re.IGNORECASE)
# What follows must have become so much more likely to count as a departure.
DEPARTURE = 3.0


@dataclass(frozen=True)
class Place:
    """After `first`, within spans of one service's operation, `expected` used to follow, and now `instead` does.

    Counts are of requests that came to this place, normal and bad ones, and how many of each went on as expected.
    `chance` is how likely it is an accident; `weight` is below 1 where only some of the baseline differs from the
    incident. `rows` are the pairs (see `Pairs`) in which bad requests depart here first, one for each of them.
    """

    service: int
    operation: int
    first: int
    expected: int
    instead: int
    normal: int
    normal_expected: int
    bad: int
    bad_expected: int
    chance: float
    weight: float
    # Whether it is about lines written rather than calls made.
    written: bool = False
    # What used to stop here goes on, or an error is written no more: no trouble, but others' departures may follow.
    better: bool = False
    rows: tuple[int, ...] = ()
    # Of the bad requests that depart anywhere, the share (0…1) that does so before what is known already.
    own_share: float = 1.0


@dataclass(frozen=True)
class _Tally:
    """In how many requests, by window (the last is the incident): pairs (`kind`) and whole places.

    A request counts once, however often it passes: loops would make accidents look certain.
    """

    place: Counts
    second: Counts
    kinds: Counts
    places: Counts
    # The same by kind of request: (pair or place, window, stratum).
    kinds_apart: Counts
    places_apart: Counts

    @property
    def windows(self) -> int:
        return int(self.kinds.shape[1])


@dataclass(frozen=True)
class _Change:
    """At a place, one pair that became rarer or more frequent, compared with these windows."""

    kind: int
    windows: tuple[int, ...]
    chance: float
    error: bool


def places(chosen: Sample, found: Pairs, since: Rows | None = None) -> list[Place]:
    """Where bad requests first depart, the place with most of them first; nothing that may be an accident.

    What a span does after `since` (ns, by its row) follows from something that is already known, and departs nowhere.
    """
    if not len(found.owner):
        return []
    spans = chosen.spans
    trace = spans.trace[found.owner]
    context = spans.service[found.owner].astype(np.int64) * len(spans.operations) + spans.operation[found.owner]
    keys, place = distinct(context, found.first, found.written.astype(np.int64))
    kinds, kind = distinct(place, found.second)
    tally = _tally(kinds, place, kind, trace, chosen)
    changes = _by_place(_believed(list(_changes(tally, found))), tally)
    departing = _departing(tally, changes)
    departs = departing[kind] & chosen.bad[trace]
    news = departs if since is None else departs & (found.at_ns <= since[found.owner])
    first = _first_departures(found, trace, news)
    own_share = len(first) / max(len(np.unique(trace[departs])), 1)
    by_place: dict[int, list[int]] = {}
    for row in first:
        by_place.setdefault(int(place[row]), []).append(row)
    result = [
        _place(
            [int(column[number]) for column in keys], tally, number, change, by_place.get(number, ()), found, own_share
        )
        for number, change in changes.items()
    ]
    return sorted((one for one in result if not one.better), key=lambda one: (-len(one.rows) * one.weight, one.chance))


def _tally(kinds: Sequence[Counts], place: Counts, kind: Counts, trace: NDArray[np.int32], chosen: Sample) -> _Tally:
    kinds_apart = _count(kind, trace, len(kinds[0]), chosen)
    places_apart = _count(place, trace, int(place.max()) + 1, chosen)
    return _Tally(kinds[0], kinds[1], kinds_apart.sum(axis=2), places_apart.sum(axis=2), kinds_apart, places_apart)


def _count(code: Counts, trace: NDArray[np.int32], codes: int, chosen: Sample) -> Counts:
    """In how many requests, by code, window and stratum."""
    once, _ = distinct(code, trace)
    shape = codes, chosen.windows, MOST_STRATA
    cell = (once[0] * shape[1] + chosen.window[once[1]]) * shape[2] + chosen.stratum[once[1]]
    return np.bincount(cell, minlength=shape[0] * shape[1] * shape[2]).reshape(shape)


def _changes(tally: _Tally, found: Pairs) -> Iterator[_Change]:
    """The pairs at places that both normal and bad requests come to, each with how likely its change is by chance."""
    *before, during = range(tally.windows)
    for kind in range(len(tally.place)):
        passed = tally.places[tally.place[kind]]
        used = [window for window in before if passed[window]]
        if not used or not passed[during]:
            continue
        error = _is_error(int(tally.second[kind]), found)
        if not _testable(tally, kind, used, error):
            continue
        change = _compared(tally, kind, tuple(used), 1.0, error)
        # A window may hold the trouble already, when it began before anyone noticed.
        alone = (_compared(tally, kind, (window,), float(len(used)), error) for window in used if len(used) > 1)
        yield min((change, *alone), key=lambda one: one.chance)


def _is_error(event: int, found: Pairs) -> bool:
    """An error line, or an operation that only serves to answer with an error, as its name says."""
    if found.logs is None or not found.is_line(event):
        return event > END and _ERROR_NAME.search(found.name(event)) is not None
    return int(found.logs.template_severity[found.template(event)]) >= ERROR


def _compared(tally: _Tally, kind: int, windows: tuple[int, ...], tries: float, error: bool) -> _Change:
    chosen = list(windows)
    bad, bad_total = int(tally.kinds[kind, -1]), int(tally.places[tally.place[kind], -1])
    normal, total = int(tally.kinds[kind, chosen].sum()), int(tally.places[tally.place[kind], chosen].sum())
    rising, falling = more(bad, bad_total, normal, total), fewer(bad, bad_total, normal, total)
    grown = error or rising < falling
    chance = rising if grown else falling
    if chance < FALSE_SHARE:
        # It must not be because of another mix of requests either.
        chance = max(
            chance, (more_in_strata if grown else fewer_in_strata)(_like_with_like(_tables(tally, kind, chosen)))
        )
    chance *= 1 if error else 2
    return _Change(kind, windows, min(1.0, chance * tries), error)


def _like_with_like(tables: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    """One table where all normal requests do the same whatever their kind: then their mix cannot matter."""
    bad, bad_total, normal, total = (sum(column) for column in zip(*tables, strict=True)) if tables else (0, 0, 0, 0)
    return [(bad, bad_total, normal, total)] if normal in (0, total) else tables


def _tables(tally: _Tally, kind: int, windows: list[int]) -> list[tuple[int, int, int, int]]:
    place = int(tally.place[kind])
    bad, bad_total = tally.kinds_apart[kind, -1], tally.places_apart[place, -1]
    normal = tally.kinds_apart[kind, windows].sum(axis=0)
    total = tally.places_apart[place, windows].sum(axis=0)
    both = np.flatnonzero((bad_total > 0) & (total > 0))
    tables = [(int(bad[n]), int(bad_total[n]), int(normal[n]), int(total[n])) for n in both]
    if bad_total[UNKNOWN] and not total[UNKNOWN]:
        tables.append((int(bad[UNKNOWN]), int(bad_total[UNKNOWN]), int(normal.sum()), int(total.sum())))
    return tables


def _testable(tally: _Tally, kind: int, windows: list[int], error: bool) -> bool:
    """Whether so few could prove anything; hopeless questions would hide the others (Tarone 1990)."""
    place = int(tally.place[kind])
    bad_total, normal_total = int(tally.places[place, -1]), int(tally.places[place, windows].sum())
    marked = int(tally.kinds[kind, -1] + tally.kinds[kind, windows].sum())
    most, least = min(marked, bad_total), max(0, marked - normal_total)
    chance = more(most, bad_total, marked - most, normal_total)
    if not error:
        chance = min(chance, fewer(least, bad_total, marked - least, normal_total))
    return chance < (FALSE_SHARE_OF_ERRORS if error else FALSE_SHARE) / 10


def _believed(changes: Sequence[_Change]) -> list[_Change]:
    """Error lines are judged among themselves: there are few, and they are written on purpose."""
    believed = []
    for error in (True, False):
        family = [change for change in changes if change.error is error]
        adjusted = believable([change.chance for change in family])
        believed += [
            _Change(change.kind, change.windows, chance, error)
            for change, chance in zip(family, adjusted, strict=True)
            if chance <= (FALSE_SHARE_OF_ERRORS if error else FALSE_SHARE)
        ]
    return believed


def _by_place(changes: Sequence[_Change], tally: _Tally) -> dict[int, _Change]:
    """The most certain change of each place."""
    best: dict[int, _Change] = {}
    for change in changes:
        place = int(tally.place[change.kind])
        if place not in best or change.chance < best[place].chance:
            best[place] = change
    return best


def _departing(tally: _Tally, changes: Mapping[int, _Change]) -> NDArray[np.bool_]:
    """The pairs that have become far more likely at a place that has changed."""
    departing = np.zeros(len(tally.place), dtype=np.bool_)
    for kind in np.flatnonzero(np.isin(tally.place, list(changes))).tolist():
        place = int(tally.place[kind])
        windows = list(changes[place].windows)
        normal = (tally.kinds[kind, windows].sum() + 0.5) / (tally.places[place, windows].sum() + 1)
        bad = (tally.kinds[kind, -1] + 0.5) / (tally.places[place, -1] + 1)
        departing[kind] = bad > DEPARTURE * normal
    return departing


def _first_departures(found: Pairs, trace: NDArray[np.int32], departs: Flags) -> list[int]:
    """Of each request the first departure; of several at once the innermost."""
    rows = np.flatnonzero(departs)
    order = rows[np.lexsort((-found.spans.depth[found.owner[rows]], found.at_ns[rows], trace[rows]))]
    first = np.unique(trace[order], return_index=True)[1]
    return [int(row) for row in order[first]]


def _place(
    key: Sequence[int],
    tally: _Tally,
    number: int,
    change: _Change,
    rows: Sequence[int],
    found: Pairs,
    own_share: float,
) -> Place:
    here, windows = np.flatnonzero(tally.place == number), list(change.windows)
    normal, bad = tally.kinds[here][:, windows].sum(axis=1), tally.kinds[here, -1]
    normal_total, bad_total = int(tally.places[number, windows].sum()), int(tally.places[number, -1])
    share = bad / bad_total - normal / normal_total
    lost, won = int(np.argmin(share)), int(np.argmax(share))
    expected, instead = int(tally.second[here[lost]]), int(tally.second[here[won]])
    used = int((tally.places[number, :-1] > 0).sum())
    return Place(
        service=key[0] // found.operations,
        operation=key[0] % found.operations,
        first=key[1],
        expected=expected,
        written=bool(key[2]),
        instead=instead,
        better=_is_error(expected, found) or (expected == END and not _is_error(instead, found)),
        normal=normal_total,
        normal_expected=int(normal[lost]),
        bad=bad_total,
        bad_expected=int(bad[lost]),
        chance=change.chance,
        weight=1.0 if len(windows) == used else LATE_ALARM_SHARE,
        rows=tuple(rows),
        own_share=min(own_share, 1.0),
    )
