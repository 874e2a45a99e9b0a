"""Fetches the raw samples that a chunk of slices is counted from, and what tells births, gaps and restarts apart."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from operator import attrgetter
from typing import Protocol

from connectors.raw_samples import Samples
from slo import counting
from slo.chunks import Chunk
from slo.counting import Matcher
from slo.counts import Counts
from slo.targets import Target, interval, target_of

# A series may be this old when a slice begins and still be known: as long as Prometheus itself looks back.
LOOKBACK = timedelta(minutes=5)
# A series that returns after a longer gap continues from its last value within this time.
MEMORY = timedelta(days=1)
# Targets vanish together (a network, Prometheus itself): few instants tell when all of them were last seen.
MOST_LOOKUPS = 12
# A scrape that takes so many intervals to come is late.
LATE = 1.5
# More names than this in a selector cost more than the series that they leave out.
MOST_NAMES = 250
UP, STARTED = "up", "process_start_time_seconds"
TELLING = counting.alternatives("__name__", (UP, STARTED))


class Points(Protocol):
    """One series of a range query's answer."""

    @property
    def labels(self) -> Mapping[str, str]: ...

    @property
    def points(self) -> Sequence[tuple[datetime, float]]: ...


class Store(Protocol):
    """What is asked: `connectors.prometheus.Prometheus`, say. Raises `connectors.errors.StoreError`."""

    def raw(self, selector: str, start: datetime, end: datetime) -> Sequence[Samples]: ...

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> Sequence[Points]: ...


@dataclass
class Fetched:
    """The samples of a chunk and of the look-back before it; of targets that were away, also their last ones before.

    `ups` and `starts` are the samples of `up` and `process_start_time_seconds` of the series' targets.
    """

    chunk: Chunk
    series: list[Samples]
    ups: list[Samples] = field(default_factory=list)
    starts: list[Samples] = field(default_factory=list)

    @cached_property
    def counts(self) -> Counts:
        """What each series counted in each slice; reckoned once for all objectives that share the samples."""
        return Counts(self)

    @property
    def late(self) -> bool:
        """Whether no target has the scrapes yet that its usual interval brings before the chunk's end.

        A store behind remote write may lag. What arrives once a slice was counted would be lost, so it is better to
        wait for a while; targets that are gone, or a Prometheus that was down, look the same for good.
        """
        end = self.chunk.end.timestamp()
        return bool(self.ups) and all(one.times[-1] + LATE * interval(one.times) / 1000 < end for one in self.ups)


def fetch(store: Store, selector: str, chunk: Chunk) -> Fetched:
    """All that the series of `selector` (`metric{…}`) need to be counted in `chunk`. Raises `StoreError`.

    Two queries; two or a few more when series appear whose target was not up within the look-back.
    """
    begins = chunk.start - LOOKBACK
    series = list(store.raw(selector, begins, chunk.end))
    fetched = Fetched(chunk, series)
    if series:
        _targets(store, fetched, begins, chunk.end)
        if strangers := _strangers(fetched):
            _recall(store, selector, fetched, strangers, begins)
    return fetched


def joined(parts: Sequence[Fetched]) -> Fetched:
    """One read of the same chunk from several, whose series differ; what they share counts once."""
    first, *others = parts
    if not others:
        return first
    series, ups, starts = (
        list({frozenset(one.labels.items()): one for part in parts for one in lists(part)}.values())
        for lists in (attrgetter(name) for name in ("series", "ups", "starts"))
    )
    return Fetched(first.chunk, series, ups, starts)


def _targets(store: Store, fetched: Fetched, start: datetime, end: datetime) -> None:
    targets = {target_of(one.labels) for one in fetched.series} - {("", "")}
    if targets:
        _sort(fetched, store.raw(counting.selector("", (TELLING, *_matchers(targets))), start, end))


def _sort(fetched: Fetched, found: Iterable[Samples]) -> None:
    for one in found:
        (fetched.ups if one.labels.get("__name__") == UP else fetched.starts).append(one)


def _strangers(fetched: Fetched) -> set[Target]:
    """The targets of series that begin within the chunk without any sign that the target was there before."""
    start = fetched.chunk.start.timestamp()
    late = dict[Target, float]()
    for one in fetched.series:
        if one.times[0] > start:
            target = target_of(one.labels)
            late[target] = min(late.get(target, one.times[0]), one.times[0])
    if not late:
        return set()
    scraped = {target_of(one.labels) for one in fetched.ups}
    signs = [*fetched.ups, *(one for one in fetched.series if target_of(one.labels) not in scraped)]
    return {*late} - {
        target for one in signs if (target := target_of(one.labels)) in late and _first_sign(one) < late[target]
    }


def _first_sign(one: Samples) -> float:
    """When a target's `up`, or a series of one without, first says that it is there."""
    if one.labels.get("__name__") != UP:
        return one.times[0]
    return next((at for at, value in zip(one.times, one.values, strict=True) if value == 1), math.inf)


def _recall(store: Store, selector: str, fetched: Fetched, targets: set[Target], until: datetime) -> None:
    """Put the last samples that targets had before `until` in front of what they have since."""
    scraped = targets & {target_of(one.labels) for one in fetched.ups}
    seen = dict[datetime, set[Target]]()
    for at, target in _last_seen(store, selector, scraped, targets - scraped, until):
        seen.setdefault(at, set()).add(target)
    for at in sorted(seen, reverse=True)[:MOST_LOOKUPS]:
        named = tuple(_matchers(seen[at]))
        # A little more: where a range holds its start, its end may be one stretch late.
        start = at - LOOKBACK - timedelta(seconds=1)
        _prepend(fetched.series, store.raw(narrowed(selector, named), start, at))
        older = Fetched(fetched.chunk, [])
        _sort(older, store.raw(counting.selector("", (TELLING, *named)), start, at))
        _prepend(fetched.ups, older.ups)
        _prepend(fetched.starts, older.starts)


def _last_seen(
    store: Store, selector: str, scraped: set[Target], pushed: set[Target], until: datetime
) -> Iterator[tuple[datetime, Target]]:
    """The end of the last stretch of `LOOKBACK` in which each target was there, if that was within `MEMORY`."""
    s = f"[{LOOKBACK // timedelta(seconds=1)}s]"
    signs = []
    if scraped:
        signs.append((scraped, f"max_over_time({counting.selector(UP, _matchers(scraped))}{s}) == 1"))
    if pushed:
        signs.append((pushed, f"last_over_time({narrowed(selector, _matchers(pushed))}{s})"))
    for targets, sign in signs:
        query = f"group by(job, instance) ({sign})"
        for one in store.range(query, until - MEMORY, until, LOOKBACK):
            if (target := target_of(one.labels)) in targets:
                yield one.points[-1][0], target


def _prepend(known: list[Samples], older: Iterable[Samples]) -> None:
    """Put older samples in front of the same series' known ones; series without any are added."""
    before = {frozenset(one.labels.items()): one for one in older}
    for one in known if before else ():
        if found := before.pop(frozenset(one.labels.items()), None):
            one.times = [*found.times, *one.times]
            one.values = [*found.values, *one.values]
            if one.histograms is not None:
                one.histograms = [*(found.histograms or ()), *one.histograms]
    known.extend(before.values())


def narrowed(selector: str, matchers: Iterable[Matcher]) -> str:
    """The selector `metric{…}` with more matchers."""
    added = ",".join(counting.term(matcher) for matcher in matchers)
    head = selector[:-1]
    return f"{head}{'' if head.endswith(('{', ',')) else ','}{added}}}" if added else selector


def _matchers(targets: Iterable[Target]) -> Iterator[Matcher]:
    """Choose these targets, and perhaps some others; for a while a longer selector is cheaper than more series."""
    for label, values in zip(("job", "instance"), map(sorted, map(set, zip(*targets, strict=True))), strict=True):
        if len(values) <= MOST_NAMES:
            yield counting.alternatives(label, values)
