"""What each series of a read counted in each slice, reckoned once for all objectives that share the read.

Whole arrays at a time: a round may hold hundreds of thousands of series.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

from slo import copies, histograms
from slo.copies import Step
from slo.replicas import Names, Replicas
from slo.selection import Selection
from slo.steps import Floats, walked
from slo.targets import SPAN, Bools, Ints, Targets

if TYPE_CHECKING:
    from slo.samples import Fetched

# A series is there for so many of its target's scrape intervals after its last sample, as Prometheus's look-back has
# it for the usual ones; at most so many milliseconds.
REACH, LONGEST_REACH = 2.5, 300_000


class Counts:
    """The counts of every series in every slice of a chunk. Series are named by their number in `fetched.series`."""

    def __init__(self, fetched: "Fetched") -> None:
        self.fetched = fetched
        self._origin = fetched.chunk.start.timestamp()
        self._targets = Targets(fetched.ups, fetched.starts, self._origin)
        self._target = np.array([self._targets.of(one.labels) for one in fetched.series], np.int64)
        self._replicas = Replicas(self._targets, fetched.series, self._target)
        self._keeping: dict[Names, Self] = {}
        self.natives = {number for number, one in enumerate(fetched.series) if one.histograms is not None}
        self._steps = walked(fetched.series, self._targets, self._target, self._origin)
        self._sizes = np.array([len(one.times) for one in fetched.series], np.int64)
        self._ends = np.cumsum(self._sizes)
        self._slice = self._slices()
        self._each = self._tabled(self._steps.added)
        self._merge(self._replicas.copies())

    def keeping(self, names: Names) -> Self:
        """The same, but what differs by any of these labels counts by itself: an SLI that asks for them means it."""
        names &= self._replicas.names
        if not names:
            return self
        if names not in self._keeping:
            other = self._keeping[names] = copy(self)
            other.__dict__.pop("_histogram", None)
            other._merge(self._replicas.copies(names))
        return self._keeping[names]

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

    def by_bucket(self, total: Sequence[int], bucket: Sequence[int]) -> tuple[Floats, Floats, Bools]:
        """Of histograms with these counts and buckets: all events and those within the buckets in each slice, and
        in which slices nothing was counted as no histogram has such a bucket.

        A histogram counts in the slices in which it has the bucket: what it lacks would count as bad.
        """
        rows, parted = np.asarray([*total, *bucket], np.int64), len(total)
        found, place = np.unique(self._histogram[rows], return_inverse=True)
        has, with_bucket = np.zeros((2, len(found), self.fetched.chunk.count))
        np.add.at(has, place[:parted], self._samples[rows[:parted]])
        np.add.at(with_bucket, place[parted:], self._samples[rows[parted:]])
        lacks = has > with_bucket
        if not np.isin(place[:parted], place[parted:]).any():
            # Buckets with other labels than their counts: nobody can say which belong together.
            lacks[:] = False
        leads = self._leader[rows] == rows
        counted = self._table[rows] * (leads[:, None] & ~lacks[place])
        lost = lacks.any(axis=0) & ~((has > 0) & ~lacks).any(axis=0)
        return np.asarray(counted[:parted].sum(axis=0)), np.asarray(counted[parted:].sum(axis=0)), lost

    def natively(self, rows: Sequence[int], limit: float, apart: Sequence[int]) -> tuple[Floats, Floats]:
        """How many events native histograms counted in each slice, and how many of them were at most `limit`; but not
        while any series in `apart` counts the same histogram."""
        leaders = np.unique(self._leader[np.asarray(rows, np.int64)])
        steps, series = self._steps, self.fetched.series
        where = np.flatnonzero(np.isin(steps.series, leaders))
        found = (one for row in leaders.tolist() for one in series[row].histograms or ())
        good = np.fromiter((one.at_most(limit) for one in found), np.float64)
        # Buckets merge when a histogram grows, which moves what is interpolated, but never past all events.
        grown = np.where(steps.anew[where], good, good - np.concatenate(([0.0], good[:-1])))
        alone = ~self._counted_by(apart, where)
        added = np.zeros((2, len(steps.at)))
        added[:, where] = steps.added[where] * alone, np.clip(grown, 0, steps.added[where]) * alone
        total, within = (self._tabled(one)[leaders].sum(axis=0) for one in added)
        return np.asarray(total), np.asarray(within)

    def _counted_by(self, rows: Sequence[int], where: Ints) -> Bools:
        """Of which steps the histogram is also counted by one of these series, from its first to its last sample."""
        ends = self._ends[np.asarray(rows, np.int64)]
        begun, last = np.full((2, len(self.fetched.series)), SPAN)
        last *= -1
        names = self._histogram[np.asarray(rows, np.int64)]
        np.minimum.at(begun, names, self._steps.at[ends - self._sizes[np.asarray(rows, np.int64)]])
        np.maximum.at(last, names, self._steps.at[ends - 1])
        own, at = self._histogram[self._steps.series[where]], self._steps.at[where]
        return np.asarray((begun[own] <= at) & (at <= last[own]))

    @cached_property
    def _histogram(self) -> Ints:
        """The number of the histogram that each series belongs to; the same for copies."""
        found = histograms.identities(self.fetched.series)
        same = np.arange(len(found))
        for numbers in self._groups:
            same[found[numbers]] = same[found[numbers]].min()
        return np.asarray(same[found])

    def there(self, rows: Sequence[int]) -> Bools:
        """In which slices any of the series was there: scraped in it, or not yet due again."""
        chosen = np.asarray(rows, np.int64)
        found: Bools = (self._samples[chosen] > 0).any(axis=0)
        if rows and not found.all():
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
    def _samples(self) -> Floats:
        """How many samples each series has in each slice."""
        return self._tabled(np.ones(len(self._steps.at)))

    def _merge(self, groups: Sequence[Sequence[int]]) -> None:
        """Make one of each group of copies count for all of them."""
        series, end = self.fetched.series, self._length * self.fetched.chunk.count
        self._leader = np.arange(len(series))
        self._table = self._each.copy() if groups else self._each
        self._groups = groups
        for numbers in groups:
            leader = max(numbers, key=lambda number: len(series[number].times))
            self._leader[numbers] = leader
            # Buckets of several copies cannot be merged: the longest counts alone.
            if series[leader].histograms is None:
                self._table[numbers] = 0
                for at, added in copies.merged(self._read_by(numbers)):
                    if 0 < at <= end:
                        self._table[leader, (at - 1) // self._length] += added

    def _read_by(self, numbers: Sequence[int]) -> Iterator[Step]:
        """The steps of copies, in order."""
        where = np.concatenate([np.arange(self._ends[n] - self._sizes[n], self._ends[n]) for n in numbers])
        where = where[np.argsort(self._steps.at[where], kind="stable")]
        return map(Step, *(column[where].tolist() for column in self._told))

    @cached_property
    def _told(self) -> tuple[Ints | Floats | Bools, ...]:
        """What each sample tells of its copy: the columns of `Step`."""
        steps = self._steps
        gone = self._targets.absent_until(self._target[steps.series], steps.at)
        absent = steps.anew & (steps.first | (gone > steps.before))
        since = np.where(absent, gone, steps.before)
        return steps.at, steps.series, steps.value, steps.first, steps.anew, since, absent
