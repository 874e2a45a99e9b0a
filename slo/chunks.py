"""Which slices to ask for next: the newest in the usual length, history in coarse ones, from the newest backwards."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from slo.instants import floor

# Alerts look at the last hours slice by slice; what is older only has to add up over long windows.
HISTORY = timedelta(hours=6)
COARSE = timedelta(minutes=5)
# Prometheus answers at most 11,000 points a series; far fewer keep a query short.
MOST_POINTS = 2_000
# What is asked for at once of the past: little enough to be counted from samples, and not to keep a worker.
STRETCH = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Chunk:
    """`count` slices of equal `length`, one after the other, the first from `start`."""

    start: datetime
    length: timedelta
    count: int

    @property
    def end(self) -> datetime:
        return self.start + self.count * self.length

    @property
    def first_end(self) -> datetime:
        return self.start + self.length

    def slices(self) -> list[tuple[datetime, datetime]]:
        return [(self.start + n * self.length, self.start + (n + 1) * self.length) for n in range(self.count)]


@dataclass(frozen=True, slots=True)
class Lengths:
    """How long an objective's slices are: the newest, and those of history. Equal where slices are judged."""

    slice: timedelta
    history: timedelta


def lengths(slice: timedelta, judged: timedelta | None = None) -> Lengths:
    """The lengths for an objective whose events are counted in slices, or whose slices of length `judged` are."""
    return Lengths(judged, judged) if judged else Lengths(slice, coarse(slice))


def coarse(slice: timedelta) -> timedelta:
    """The length of a slice of history: 5 minutes, or the next longer multiple of the usual slice."""
    return max(1, -(-COARSE // slice)) * slice


def beginning(now: datetime, goal: datetime, length: Lengths) -> datetime:
    """Where a new objective's ledgers begin, of which the past is wanted until `goal`: with the last hours.

    They come first, so that alerts need not wait for the rest.
    """
    return max(floor(now - HISTORY, length.history), floor(goal, length.history))


def following(
    measured_until: datetime, now: datetime, length: Lengths, settle: timedelta, most: int = MOST_POINTS
) -> Chunk | None:
    """The next slices after `measured_until` that ended at least `settle` before `now`; `None` if none did.

    Slices end at multiples of their length since the epoch. Where the ledger ends elsewhere (the length was changed,
    or a gap begins in the middle of a coarse slice), shorter ones lead to the next multiple.
    """
    slice, long = length.slice, length.history
    due = floor(now - settle, slice)
    history = floor(now - HISTORY, long)
    if measured_until < history and measured_until == floor(measured_until, long):
        count = min(most, max(1, STRETCH // long), (history - measured_until) // long)
        return Chunk(measured_until, long, count)
    if measured_until != floor(measured_until, slice):
        rest = floor(measured_until, slice) + slice - measured_until
        return Chunk(measured_until, rest, 1) if measured_until + rest <= due else None
    until = min(due, floor(measured_until, long) + long) if measured_until < history else due
    count = min(most, (until - measured_until) // slice)
    return Chunk(measured_until, slice, count) if count > 0 else None


def preceding(measured_from: datetime, goal: datetime, length: Lengths, most: int = MOST_POINTS) -> Chunk | None:
    """The slices of history that lead to `measured_from`, the last of those not asked for yet; `None` at the goal."""
    long = length.history
    if measured_from <= goal:
        return None
    if measured_from != floor(measured_from, long):
        start = floor(measured_from, long)
        return Chunk(start, measured_from - start, 1)
    count = min(most, max(1, STRETCH // long), -(-(measured_from - goal) // long))
    return Chunk(measured_from - count * long, long, count)
