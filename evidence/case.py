"""What is investigated: a flow, what a bad request of it is, when it was normal and when it was not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from connectors.telemetry import to_ns

type Times = NDArray[np.int64]
type Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interval:
    """From `start` until just before `end`."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def covers(self, times_ns: Times) -> Mask:
        """Which of these instants (Unix nanoseconds) lie within."""
        inside: Mask = (times_ns >= to_ns(self.start)) & (times_ns < to_ns(self.end))
        return inside


def within(intervals: Sequence[Interval], times_ns: Times) -> Mask:
    """Which of these instants (Unix nanoseconds) lie in any of the intervals."""
    inside = np.zeros(len(times_ns), dtype=np.bool_)
    for interval in intervals:
        inside |= interval.covers(times_ns)
    return inside


@dataclass(frozen=True, slots=True)
class Bad:
    """What makes a request bad: it failed, it took longer than `slower_than`, or nobody knows (both unset)."""

    error: bool = False
    slower_than: timedelta | None = None

    @property
    def known(self) -> bool:
        return self.error or self.slower_than is not None


@dataclass(frozen=True, slots=True)
class Change:
    """A deploy, flag flip or config edit that was announced, or seen in the telemetry."""

    at: datetime
    kind: str
    service: str = ""
    version: str = ""
    title: str = ""
    # Where it can be looked up; empty for one that nobody announced.
    id: str = ""


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What is asked about: which flow, what is bad, and which times are to be compared."""

    flow: str
    service: str
    operation: str
    bad: Bad
    baseline: tuple[Interval, ...]
    incident: Interval
    changes: tuple[Change, ...] = ()
