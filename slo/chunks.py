"""Which slices to ask for next, in one range query: coarse ones for history, the usual ones for the last hours."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from slo.instants import floor

# Alerts look at the last hours slice by slice; what is older only has to add up over long windows.
HISTORY = timedelta(hours=6)
COARSE = timedelta(minutes=5)
# Prometheus answers at most 11,000 points a series; far fewer keep a query short.
MOST_POINTS = 2_000


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


def coarse(slice: timedelta) -> timedelta:
    """The length of a slice of history: 5 minutes, or the next longer multiple of the usual slice."""
    return max(1, -(-COARSE // slice)) * slice


def beginning(now: datetime, window: timedelta, slice: timedelta) -> datetime:
    """Where the ledger of an objective over `window` begins."""
    return floor(now - window, coarse(slice))


def following(
    measured_until: datetime, now: datetime, slice: timedelta, settle: timedelta, most: int = MOST_POINTS
) -> Chunk | None:
    """The next slices after `measured_until` that ended at least `settle` before `now`; `None` if none did.

    Slices end at multiples of their length since the epoch. Where the ledger ends elsewhere (the length was changed,
    or a gap begins in the middle of a coarse slice), shorter ones lead to the next multiple.
    """
    due = floor(now - settle, slice)
    history, long = floor(now - HISTORY, coarse(slice)), coarse(slice)
    if measured_until < history and measured_until == floor(measured_until, long):
        return Chunk(measured_until, long, min(most, (history - measured_until) // long))
    if measured_until != floor(measured_until, slice):
        rest = floor(measured_until, slice) + slice - measured_until
        return Chunk(measured_until, rest, 1) if measured_until + rest <= due else None
    until = min(due, floor(measured_until, long) + long) if measured_until < history else due
    count = min(most, (until - measured_until) // slice)
    return Chunk(measured_until, slice, count) if count > 0 else None
