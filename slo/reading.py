"""Reads the slices of a chunk from a store, for many SLIs."""

from collections.abc import Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings

from connectors.errors import StoreError, TimedOut, TooMuch
from slo import groups, increments, samples, verdicts
from slo.answers import Series, slices_of
from slo.chunks import Chunk
from slo.counting import Sli, choices, promql
from slo.groups import Group
from slo.slices import Measured

type Read = dict[Group, list[Measured]]


class Store(samples.Store, Protocol):
    """What is asked: `connectors.prometheus.Prometheus`, say. Raises `connectors.errors.StoreError`."""


def read[K: Hashable](store: Store, slis: Mapping[K, Sli], chunk: Chunk) -> dict[K, Read | StoreError]:
    """The slices of each SLI by group, or why the store did not give them."""
    return {key: _read(store, sli, chunk) for key, sli in slis.items()}


def _read(store: Store, sli: Sli, chunk: Chunk) -> Read | StoreError:
    try:
        return _ask(store, sli, chunk)
    except (TooMuch, TimedOut) as error:
        if chunk.count == 1:
            return error
    except StoreError as error:
        return error
    half = chunk.count // 2
    first = _read(store, sli, Chunk(chunk.start, chunk.length, half))
    if isinstance(first, StoreError):
        return first
    rest = Chunk(chunk.start + half * chunk.length, chunk.length, chunk.count - half)
    second = _read(store, sli, rest)
    if isinstance(second, StoreError):
        return second
    return _joined(chunk, first, second, half)


def _joined(chunk: Chunk, first: Read, second: Read, half: int) -> Read:
    times = chunk.slices()

    def gone(part: Sequence[tuple[datetime, datetime]]) -> list[Measured]:
        return [Measured(start, end, None, None, "No series of it was found.") for start, end in part]

    return {
        group: [*first.get(group, gone(times[:half])), *second.get(group, gone(times[half:]))]
        for group in first.keys() | second.keys()
    }


def _ask(store: Store, sli: Sli, chunk: Chunk) -> Read:
    if sli.by_time:
        return _timed(store, sli, chunk)
    if not sli.by_expression:
        return increments.tally(
            sli, samples.joined([samples.fetch(store, one.selector, chunk) for one in choices(sli)])
        )
    found: dict[Group, list[Series]] = {}
    for one in store.range(promql(sli, chunk.length), chunk.first_end, chunk.end, chunk.length):
        found.setdefault(groups.of(one.labels, sli.group_by), []).append(one)
    if not sli.group_by:
        found.setdefault((), [])
    return {group: slices_of(sli, chunk, series) for group, series in found.items()}


def _timed(store: Store, sli: Sli, chunk: Chunk) -> Read:
    """Judges base slices, of which a slice of history has several; of several series the worst one counts."""
    base = min(chunk.length, settings.SLICE)
    base = base if not chunk.length % base else chunk.length
    ends = [chunk.start + n * base for n in range(1, chunk.count * (chunk.length // base) + 1)]
    found: dict[Group, dict[datetime, bool]] = {} if sli.group_by else {groups.ALL: {}}
    for one in store.range(sli.expression, ends[0], chunk.end, base):
        good = found.setdefault(groups.of(one.labels, sli.group_by), {})
        for at, value in one.points:
            good[at] = good.get(at, True) and verdicts.is_good(sli, value, at)
    return {group: [_slice(one, good, base) for one in chunk.slices()] for group, good in found.items()}


def _slice(stretch: tuple[datetime, datetime], good: Mapping[datetime, bool], base: timedelta) -> Measured:
    start, end = stretch
    ends = (start + n * base for n in range(1, (end - start) // base + 1))
    seen = [good[at] for at in ends if at in good]
    if not seen:
        return Measured(start, end, None, None, "The expression answered nothing.")
    return Measured(start, end, float(seen.count(False)), float(len(seen)))
