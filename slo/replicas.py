"""Which series are copies of one counter, read by several Prometheus servers, and which only look alike."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, islice

from connectors.raw_samples import Samples
from slo.targets import TREMBLE, Ints, Target, Targets, target_of

# What the servers' own documentation calls it; and what may be called so, but other things are, too.
SURE = frozenset({"prometheus_replica", "__replica__"})
LIKELY = frozenset({"replica", "prometheus"})
# A scrape takes so long to be answered: the values of nearer ones may be in either order. Seconds.
SLACK = 2.0
# Of neighbouring values of two copies one may fall, or so many: at restarts that nothing tells of.
FALLS = 0.04
# So many series of a target that move say enough.
ENOUGH = 50

type Names = frozenset[str]
type Values = tuple[Sequence[float], Sequence[float]]  # Unix seconds, and the value at each.
type Key = tuple[int, frozenset[tuple[str, str]]]


@dataclass
class _Source:
    """What one server scrapes of one target: the labels of its `up`, which says when, and its series."""

    labels: Mapping[str, str]
    up: Samples | None = None
    started: Samples | None = None
    series: list[int] = field(default_factory=list)

    @cached_property
    def scrapes(self) -> frozenset[float]:
        """When it went well, as far as anything tells."""
        up = self.up
        return frozenset(at for at, value in zip(up.times, up.values, strict=True) if value == 1) if up else frozenset()


@dataclass(frozen=True)
class _Same:
    """Sources of which each has copies of the same counters, told apart by `names` alone."""

    names: Names
    series: Sequence[int]


class Replicas:
    """The copies among the series of one read. `target`: the number of each series' target.

    Two servers are believed to scrape the same target only when their `up` has the same job and instance, and nothing
    shows two processes: processes that started at different times, or values that fall from the one's scrape to the
    other's, which those of one counter never do but at a restart. Of two processes one is nearly always ahead. Each
    target is judged by its own series. Where nothing moves, either way counts the same.

    Where there is no `up` at all, the usual names are taken for those of replicas, under the same conditions; labels
    that only servers have need no proof.
    """

    def __init__(self, targets: Targets, series: Sequence[Samples], target: Ints) -> None:
        self._series = series
        named = [n for n, one in enumerate(series) if not (SURE | LIKELY).isdisjoint(one.labels)]
        # The same key must not hold series of which only some are known to be copies.
        self._sure = [n for n in named if not SURE.isdisjoint(series[n].labels)]
        judged = chain(_scraped(targets, target), _pushed(series, target, named))
        self._same = [same for sources in judged for same in self._alike(sources)]
        self.names = frozenset(SURE if self._sure else ()).union(*(same.names for same in self._same))

    def copies(self, kept: Names = frozenset()) -> list[list[int]]:
        """The numbers of the series that are copies of each other; of what differs by a label in `kept` none is."""
        if not self.names:
            return []
        found = dict[Key, list[int]]()
        clustered = {number: (place, same.names) for place, same in enumerate(self._same) for number in same.series}
        for number in sorted({*self._sure, *clustered}):
            place, names = clustered.get(number, (-1, SURE))
            found.setdefault((place, self._rest(number, (names | SURE) - kept)), []).append(number)
        return [numbers for numbers in found.values() if len(numbers) > 1]

    def _alike(self, sources: Sequence[_Source]) -> Iterator[_Same]:
        clusters: list[list[_Source]] = []
        for one in sources:
            fitting = (known for known in clusters if all(self._are_same(other, one) for other in known))
            if known := next(fitting, None):
                known.append(one)
            else:
                clusters.append([one])
        for known in clusters:
            names = frozenset[str]().union(*(_differing(known[0].labels, one.labels) for one in known))
            if len(known) > 1:
                yield _Same(names, [number for one in known for number in one.series])

    def _are_same(self, one: _Source, other: _Source) -> bool:
        names = _differing(one.labels, other.labels)
        return names <= SURE or not (_started_apart(one.started, other.started) or self._apart(one, other, names))

    def _apart(self, one: _Source, other: _Source, names: Names) -> bool:
        found: tuple[dict[frozenset[tuple[str, str]], Samples], ...] = tuple(
            {self._rest(number, names): self._series[number] for number in source.series} for source in (one, other)
        )
        pairs = ((_known(one, found[0].get(key)), _known(other, found[1].get(key))) for key in {**found[0], **found[1]})
        moving = islice((pair for pair in pairs if _tell(*pair)), ENOUGH)
        falls = [fell for mine, their in moving for fell in (*_falls(mine, their), *_falls(their, mine))]
        return sum(falls) > max(1, FALLS * len(falls))

    def _rest(self, number: int, names: Names) -> frozenset[tuple[str, str]]:
        return frozenset(pair for pair in self._series[number].labels.items() if pair[0] not in names)


def _scraped(targets: Targets, target: Ints) -> Iterator[list[_Source]]:
    """What several `up` of one job and instance say is scraped."""
    several = targets.with_several()
    sources = {
        number: _Source(targets.labels[number], targets.ups[number], targets.started.get(number))
        for number in chain(*several)
    }
    if sources:
        for place, number in enumerate(target.tolist()):
            if source := sources.get(number):
                source.series.append(place)
    for numbers in several:
        yield [sources[number] for number in numbers]


def _pushed(series: Sequence[Samples], target: Ints, named: Iterable[int]) -> Iterator[list[_Source]]:
    """What differs by one of the usual names where there is no `up`."""
    found = dict[Target, dict[frozenset[tuple[str, str]], _Source]]()
    for number in named:
        labels = series[number].labels
        own = {name: labels[name] for name in LIKELY if name in labels}
        if target[number] < 0 and own:
            sources = found.setdefault(target_of(labels), {})
            sources.setdefault(frozenset(own.items()), _Source(own)).series.append(number)
    for sources in found.values():
        yield [*sources.values()]


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> Names:
    return frozenset(name for name in {*one, *other} if one.get(name) != other.get(name))


def _started_apart(one: Samples | None, other: Samples | None) -> bool:
    """Whether two processes started at different times, as far as both were seen at the same time."""
    if not one or not other:
        return False
    begin, end = max(one.times[0], other.times[0]), min(one.times[-1], other.times[-1])
    mine, theirs = ({v for at, v in zip(s.times, s.values, strict=True) if begin <= at <= end} for s in (one, other))
    return bool(mine and theirs) and all(abs(a - b) > TREMBLE for a in mine for b in theirs)


def _known(source: _Source, series: Samples | None) -> Values:
    """The values of one counter: zero where it was not there though its target was up."""
    times, values = (series.times, series.values) if series else ([], [])
    scrapes = source.scrapes
    # A series with timestamps of its own has samples between scrapes.
    if len(times) == len(scrapes) or (times and times[-1] not in scrapes):
        return times, values
    there = dict.fromkeys(scrapes, 0.0) | dict(zip(times, values, strict=True))
    every = sorted(there)
    return every, [there[at] for at in every]


def _tell(one: Values, other: Values) -> bool:
    """Whether their values say anything: not when nothing moves and both are equal."""
    return bool(one[1] and other[1]) and len({*one[1], *other[1]}) > 1


def _falls(one: Values, other: Values) -> Iterator[bool]:
    """Whether the value falls from each scrape of `other` to the next of `one`, where neither says it was restarted."""
    (own_times, own), (times, values) = one, other
    for place in range(1, len(own)):
        last = bisect_right(times, own_times[place] - SLACK) - 1
        neighbours = 0 <= last < len(times) - 1 and times[last] > own_times[place - 1] - SLACK
        if neighbours and own[place] >= own[place - 1] and values[last + 1] >= values[last]:
            yield own[place] < values[last]
