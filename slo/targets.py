"""Which target each series comes from, when the target was up, and when its process started anew."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise

import numpy as np
from numpy.typing import NDArray

from connectors.raw_samples import Samples

type Ints = NDArray[np.int64]
type Bools = NDArray[np.bool_]
type Target = tuple[str, str]

# Keys of (target, instant) sort by target, then by instant; milliseconds of 34 years fit below.
SPAN = 1 << 40
# Processes reckon when they started from clocks that tremble, and that differ from Prometheus's: seconds.
TREMBLE, SKEW = 2.0, 60.0
# A process that started this long before its first scrape counted nothing that is older than that.
FRESH = 300.0
# For series with timestamps of their own, which say little about which scrape brought them.
USUAL_INTERVAL = 60_000
NEVER = -SPAN
# Without a scrape for longer than so many intervals, a target is gone rather than late.
GONE = 2.5


def target_of(labels: Mapping[str, str]) -> Target:
    """The job and the instance."""
    return labels.get("job", ""), labels.get("instance", "")


class Targets:
    """The targets of one read, by number, as `up` tells them; `-1` is a series without one.

    Instants are milliseconds after `origin` (Unix seconds).
    """

    def __init__(self, ups: Sequence[Samples], starts: Sequence[Samples], origin: float) -> None:
        self.ups = ups
        self.labels = [_own(one.labels) for one in ups]
        self._by_name: dict[Target, list[int]] = {}
        for number, one in enumerate(ups):
            self._by_name.setdefault(target_of(one.labels), []).append(number)
        self._scraped, well = _keys(ups, origin)
        self._up = self._scraped[well]
        self.started = own = {target: one for one in starts if (target := self.of(one.labels)) >= 0}
        moves = [(target, at) for target, one in own.items() for at in _moves(one)]
        keys = np.array([target for target, _ in moves], np.int64) * SPAN + milliseconds(
            (at for _, at in moves), origin
        )
        self._restarts = np.sort(keys)
        # The last is for series without a target.
        self.intervals = np.array([*(interval(one.times) for one in ups), USUAL_INTERVAL], np.int64)
        fresh = _fresh(ups, own)
        self._fresh = np.full(len(ups) + 1, NEVER)
        self._fresh[[*fresh]] = milliseconds(fresh.values(), origin)
        self._began = np.full(len(ups) + 1, NEVER)
        self._began[[*fresh]] = milliseconds((own[target].values[0] - SKEW for target in fresh), origin)
        self._last = milliseconds((one.times[-1] for one in ups), origin)

    def of(self, labels: Mapping[str, str]) -> int:
        """The target whose labels a series carries: those of a target are all on its series."""
        known = self._by_name.get(target_of(labels), ())
        if len(known) == 1:
            return known[0]
        fitting = [number for number in known if self.labels[number].items() <= labels.items()]
        return fitting[0] if len(fitting) == 1 else -1

    def with_several(self) -> list[list[int]]:
        """The targets of each job and instance that has several."""
        return [found for found in self._by_name.values() if len(found) > 1]

    def is_scrape(self, target: Ints, at: Ints) -> Bools:
        """Whether the instants are scrapes of the targets: not so for series with timestamps of their own."""
        return np.isin(target * SPAN + at, self._scraped)

    def up_between(self, target: Ints, after: Ints, before: Ints) -> Bools:
        """Whether each target had a scrape that went well after one instant and before another."""
        low = np.searchsorted(self._up, target * SPAN + after, "right")
        return np.asarray(np.searchsorted(self._up, target * SPAN + before, "left") > low)

    def absent_until(self, target: Ints, at: Ints) -> Ints:
        """Until when a series was not there that was born `at`: its target's last good scrape before it, or else the
        start of a process that had just begun. `NEVER` if nothing tells."""
        if not len(self._up):
            return self._began[target]
        place = np.searchsorted(self._up, target * SPAN + at, "left") - 1
        found = self._up[np.maximum(place, 0)] - target * SPAN
        return np.where((place >= 0) & (found > NEVER // 2), found, self._began[target])

    def scraped_between(self, target: Ints, after: Ints, until: Ints) -> Bools:
        """Whether each target was scraped, well or not, after one instant, until another."""
        low = np.searchsorted(self._scraped, target * SPAN + after, "right")
        return np.asarray(np.searchsorted(self._scraped, target * SPAN + until, "right") > low)

    def away_between(self, target: Ints, after: Ints, until: Ints) -> Bools:
        """Whether each target did not answer between two of its good scrapes, or was not scraped for long."""
        tried = np.searchsorted(self._scraped, target * SPAN + until, "left")
        failed = tried > np.searchsorted(self._scraped, target * SPAN + after, "right")
        there = self.is_scrape(target, after) & self.is_scrape(target, until)
        late = until - after > GONE * self.intervals[target]
        return np.asarray(there & (failed | late) & ~self.up_between(target, after, until))

    def awaited(self, end: int) -> Bools:
        """Of which targets a scrape is still to come that belongs before `end`; of series without one nobody knows."""
        due = self._last + self.intervals[:-1]
        gone = end - self._last > GONE * self.intervals[:-1]
        return np.append((due <= end) & ~gone, True)

    def restarted(self, target: Ints, after: Ints, until: Ints) -> Bools:
        """Whether each target's process started anew after one instant, until another."""
        low = np.searchsorted(self._restarts, target * SPAN + after, "right")
        return np.asarray(np.searchsorted(self._restarts, target * SPAN + until, "right") > low)

    def born_fresh(self, target: Ints, at: Ints) -> Bools:
        """Whether the first good scrape of each target is at this instant and of a process that had just started."""
        return np.asarray(self._fresh[target] == at)


def milliseconds(times: Iterable[float], origin: float) -> Ints:
    return np.rint((np.fromiter(times, np.float64) - origin) * 1000).astype(np.int64)


def _keys(ups: Sequence[Samples], origin: float) -> tuple[Ints, Bools]:
    """All scrapes as sorted keys, and which of them went well."""
    owner = np.repeat(np.arange(len(ups)), [len(one.times) for one in ups])
    keys = owner * SPAN + milliseconds(chain.from_iterable(one.times for one in ups), origin)
    well = np.fromiter(chain.from_iterable(one.values for one in ups), np.float64) == 1
    return keys.astype(np.int64), well


def _moves(one: Samples) -> Iterator[float]:
    """When a process is first seen with a later start, which lies between its two scrapes as far as clocks agree."""
    for (before, old), (at, new) in pairwise(zip(one.times, one.values, strict=True)):
        if new - old > TREMBLE and before - SKEW <= new <= at + SKEW:
            yield at


def interval(times: Sequence[float]) -> int:
    """The usual time between two scrapes, in milliseconds."""
    gaps = sorted(later - earlier for earlier, later in pairwise(times[-9:]))
    return round(gaps[len(gaps) // 2] * 1000) if gaps else USUAL_INTERVAL


def _fresh(ups: Sequence[Samples], starts: Mapping[int, Samples]) -> dict[int, float]:
    """When the targets were first up of which the process had just started then, under no other name before."""
    before = dict[float, list[tuple[int, float]]]()
    for target, one in starts.items():
        before.setdefault(round(one.values[0], 3), []).append((target, one.times[-1]))
    fresh = dict[int, float]()
    for target, one in starts.items():
        first = next((at for at, value in zip(ups[target].times, ups[target].values, strict=True) if value == 1), None)
        started = one.values[0]
        if first is None or one.times[0] != first or not first - FRESH <= started <= first + SKEW:
            continue
        if not any(last < first and other != target for other, last in before[round(started, 3)]):
            fresh[target] = first
    return fresh


def _own(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name != "__name__"}
