"""What each series of a read counted in each slice, reckoned once for all objectives that share the read.

Whole arrays at a time: a round may hold hundreds of thousands of series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from connectors.raw_samples import Samples
from slo import replicas
from slo.selection import Selection
from slo.targets import Bools, Ints, Targets, milliseconds, target_of

if TYPE_CHECKING:
    from slo.samples import Fetched

type Floats = NDArray[np.float64]

# A series is there for so many of its target's scrape intervals after its last sample, as Prometheus's look-back has
# it for the usual ones; at most so many milliseconds.
REACH, LONGEST_REACH = 2.5, 300_000


@dataclass(slots=True)
class Steps:
    """All samples, series by series: whose each is, when (milliseconds after the chunk's start), its value.

    `anew`: it counts from zero, as its series was born or its process restarted since the sample before. `first`: there
    is no sample before. `added`: what it counts.
    """

    series: Ints
    at: Ints
    value: Floats
    first: Bools
    anew: Bools
    added: Floats


class Counts:
    """The counts of every series in every slice of a chunk. Series are named by their number in `fetched.series`."""

    def __init__(self, fetched: "Fetched") -> None:
        self.fetched = fetched
        self._origin = fetched.chunk.start.timestamp()
        self._targets = Targets(fetched.ups, fetched.starts, self._origin)
        self._target = np.array([self._targets.of(one.labels) for one in fetched.series], np.int64)
        self._steps = self._walked()
        self._slice = self._slices()
        self._leader = np.arange(len(fetched.series))
        self._table = self._tabled(self._steps.added)
        self._merge_copies()
        self.natives = {number for number, one in enumerate(fetched.series) if one.histograms is not None}

    @cached_property
    def selection(self) -> Selection:
        return Selection([one.labels for one in self.fetched.series])

    @cached_property
    def past(self) -> frozenset[int]:
        """The series without a sample in the chunk or in the look-back before it; they only tell who was there."""
        ends = np.array([one.times[-1] for one in self.fetched.series])
        return frozenset(np.flatnonzero((ends - self._origin) * 1000 <= -LONGEST_REACH).tolist())

    @cached_property
    def _awaited(self) -> frozenset[int]:
        awaited = self._targets.awaited(self._length * self.fetched.chunk.count)[self._target]
        return frozenset(np.flatnonzero(awaited).tolist())

    def awaits(self, rows: Sequence[int]) -> bool:
        """Whether a scrape of any of these series is still to come that belongs into the chunk."""
        return not self._awaited.isdisjoint(rows)

    def of(self, rows: Sequence[int]) -> Floats:
        """What these series counted together in each slice."""
        leaders = np.unique(self._leader[np.asarray(rows, np.int64)])
        return np.asarray(self._table[leaders].sum(axis=0))

    def at_most(self, rows: Sequence[int], limit: float) -> Floats:
        """How many of the events that native histograms counted in each slice were at most `limit`."""
        leaders = np.unique(self._leader[np.asarray(rows, np.int64)])
        steps, series = self._steps, self.fetched.series
        where = np.flatnonzero(np.isin(steps.series, leaders))
        found = (one for row in leaders.tolist() for one in series[row].histograms or ())
        good = np.fromiter((one.at_most(limit) for one in found), np.float64)
        # Buckets merge when a histogram grows, which moves what is interpolated, but never past all events.
        grown = np.where(steps.anew[where], good, good - np.concatenate(([0.0], good[:-1])))
        added = np.zeros(len(steps.at))
        added[where] = np.clip(grown, 0, steps.added[where])
        return np.asarray(self._tabled(added)[leaders].sum(axis=0))

    def there(self, rows: Sequence[int]) -> Bools:
        """In which slices any of the series was there: scraped in it, or not yet due again."""
        chosen = np.asarray(rows, np.int64)
        found: Bools = self._sampled[chosen].any(axis=0)
        if not found.all():
            mask = np.isin(self._steps.series, chosen)
            at, series = self._steps.at[mask], self._steps.series[mask]
            order = np.argsort(at, kind="stable")
            found |= self._reached(at[order], series[order])
        return found

    def _reached(self, at: Ints, series: Ints) -> Bools:
        """Whether each slice's end is within reach of the last sample before it, and its target not gone since."""
        ends = (1 + np.arange(self.fetched.chunk.count)) * self._length
        last = np.searchsorted(at, ends, "right") - 1
        known = last >= 0
        last = np.maximum(last, 0)
        target = self._target[series[last]]
        reach = np.minimum(REACH * self._targets.intervals[target], LONGEST_REACH)
        gone = self._targets.is_scrape(target, at[last]) & self._targets.scraped_between(target, at[last], ends)
        return np.asarray(known & (ends - at[last] <= reach) & ~gone)

    @property
    def _length(self) -> int:
        return round(self.fetched.chunk.length.total_seconds() * 1000)

    def _walked(self) -> Steps:
        series = self.fetched.series
        sizes = np.array([len(one.times) for one in series], np.int64)
        at = milliseconds(chain.from_iterable(one.times for one in series), self._origin)
        value = np.fromiter(chain.from_iterable(one.values for one in series), np.float64)
        owner = np.repeat(np.arange(len(series)), sizes)
        first = np.zeros(len(at), bool)
        first[np.cumsum(sizes) - sizes] = True
        anew = self._reborn(owner, at, value, first)
        births = np.flatnonzero(first & (at > 0))
        anew[births] = self._born(owner[births], at[births])
        added = np.where(anew, value, np.where(first, 0.0, np.diff(value, prepend=0.0)))
        return Steps(owner, at, value, first, anew, added)

    def _reborn(self, owner: Ints, at: Ints, value: Floats, first: Bools) -> Bools:
        """Which samples count from zero although their series has an earlier one: it fell, its process restarted, or
        it was missing in a scrape that went well."""
        before = np.concatenate((at[:1], at[:-1]))
        target = self._target[owner]
        anew = ~first & (np.diff(value, prepend=0.0) < 0)
        anew |= ~first & self._targets.restarted(target, before, at)
        missing = np.flatnonzero(~first & self._targets.up_between(target, before, at))
        whose = target[missing]
        # A series with timestamps of its own has samples between scrapes: nothing says in which one it was missing.
        sure = self._targets.is_scrape(whose, before[missing]) & self._targets.is_scrape(whose, at[missing])
        anew[missing[sure]] = True
        return anew

    def _born(self, owner: Ints, at: Ints) -> Bools:
        """Which first samples count from zero: those of series that are new on a target that was there before."""
        target = self._target[owner]
        own_clock = ~self._targets.is_scrape(target, at)
        margin = np.where(own_clock, 2 * self._targets.intervals[target], 0)
        known = self._targets.up_between(target, np.full(len(at), -(1 << 38)), at - margin)
        return known | self._targets.born_fresh(target, at) | ((target < 0) & self._pushed_before(owner, at))

    def _pushed_before(self, owner: Ints, at: Ints) -> Bools:
        """Whether any series of the same job and instance, where there is no `up`, has an earlier sample."""
        series = self.fetched.series
        earliest = dict[tuple[str, str], float]()
        for number in np.flatnonzero(self._target < 0).tolist():
            one = series[number]
            name = target_of(one.labels)
            earliest[name] = min(earliest.get(name, one.times[0]), one.times[0])
        begun = [earliest.get(target_of(series[number].labels), np.inf) for number in owner.tolist()]
        return np.asarray(milliseconds(np.minimum(begun, 1e11), self._origin) < at)

    def _slices(self) -> Ints:
        """The number of the slice that holds each sample; negative before the chunk."""
        return np.asarray((self._steps.at + self._length - 1) // self._length - 1)

    def _tabled(self, added: Floats) -> Floats:
        """The sum of each series and slice."""
        count = self.fetched.chunk.count
        inside = (self._slice >= 0) & (self._slice < count)
        cells = self._steps.series[inside] * count + self._slice[inside]
        size = len(self.fetched.series) * count
        return np.bincount(cells, added[inside], size).reshape(-1, count)

    @cached_property
    def _sampled(self) -> Bools:
        return np.asarray(self._tabled(np.ones(len(self._steps.at))) > 0)

    def _merge_copies(self) -> None:
        series: list[Samples] = self.fetched.series
        names = replicas.labels_of_replicas(self._targets.with_several(), series)
        steps, ends = self._steps, np.cumsum([len(one.times) for one in series])
        for numbers in replicas.copies(series, names):
            longest = max(numbers, key=lambda number: len(series[number].times))
            self._leader[numbers] = longest
            if series[longest].histograms is not None:
                # Buckets of several copies cannot be merged: the longest counts alone.
                continue
            where = np.concatenate([np.arange(ends[n] - len(series[n].times), ends[n]) for n in numbers])
            where = where[np.argsort(steps.at[where], kind="stable")]
            columns = (steps.at, steps.series, steps.value, steps.anew, steps.first)
            rows = zip(*(column[where].tolist() for column in columns), strict=True)
            self._table[numbers] = 0
            for at, added in replicas.merged(rows):
                if 0 < at <= self._length * self.fetched.chunk.count:
                    self._table[longest, (at - 1) // self._length] += added
