"""A history as arrays, which answer a window for each of many instants at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slo.instants import EPOCH

if TYPE_CHECKING:
    from slo.history import History

# Microseconds since the epoch, or long.
type Times = NDArray[np.int64]
type Numbers = NDArray[np.float64]
type Flags = NDArray[np.bool_]

_MICROSECOND = timedelta(microseconds=1)


def microseconds(length: timedelta) -> int:
    return length // _MICROSECOND


def times(instants: Sequence[datetime]) -> Times:
    return np.array([microseconds(at - EPOCH) for at in instants], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Windows:
    """One window for each of many instants: what `windows.Totals` is, in arrays."""

    bad: Numbers
    total: Numbers
    measured: Times
    span: Times
    excluded: Times

    @property
    def coverage(self) -> Numbers:
        return np.where(self.span > 0, self.measured / np.maximum(self.span, 1), 0.0)


@dataclass(frozen=True, slots=True)
class _Sums:
    """Running totals, each row for one instant."""

    bad: Numbers
    total: Numbers
    measured: Times
    time: Times

    def __sub__(self, other: "_Sums") -> "_Sums":
        return _Sums(
            self.bad - other.bad, self.total - other.total, self.measured - other.measured, self.time - other.time
        )

    def __add__(self, other: "_Sums") -> "_Sums":
        return _Sums(
            self.bad + other.bad, self.total + other.total, self.measured + other.measured, self.time + other.time
        )

    def at(self, rows: NDArray[np.intp]) -> "_Sums":
        return _Sums(self.bad[rows], self.total[rows], self.measured[rows], self.time[rows])

    def running(self) -> "_Sums":
        """Before the first row, after it, after the second …"""
        bad, total = (np.concatenate(([0.0], np.cumsum(one))) for one in (self.bad, self.total))
        measured, time = (np.concatenate(([0], np.cumsum(one))) for one in (self.measured, self.time))
        return _Sums(bad, total, measured, time)


class Columns:
    """The arrays of one history."""

    def __init__(self, history: "History") -> None:
        marks, first = history.marks, history.origin
        self._ends = times([mark.at for mark in marks])
        self._bad = np.array([first.bad if first else 0.0, *(mark.bad for mark in marks)])
        self._total = np.array([first.total if first else 0.0, *(mark.total for mark in marks)])
        self._measured = np.array(
            [microseconds(first.measured) if first else 0, *(microseconds(mark.measured) for mark in marks)]
        )
        self._left = times([left for left, _ in history.excluded])
        self._right = times([right for _, right in history.excluded])
        self._gone = (self._sums(self._right) - self._sums(self._left)).running()

    @cached_property
    def noise(self) -> float:
        """By how much counts may differ from sums in another order; 0 for whole numbers."""
        whole = not (self._bad % 1).any() and not (self._total % 1).any()
        if whole or not len(self._left):
            return 0.0
        return 1e-12 * float(np.abs(self._total).max())

    def between(self, start: Times, end: Times) -> Windows:
        """`History.between` for each pair of instants."""
        whole = self._sums(end) - self._sums(start)
        gone = self._excluded(end) - self._excluded(start)
        total = np.maximum(whole.total - gone.total, 0.0)
        return Windows(
            np.minimum(total, np.maximum(whole.bad - gone.bad, 0.0)),
            total,
            np.maximum(whole.measured - gone.measured, 0),
            whole.time - gone.time,
            gone.time,
        )

    def in_maintenance(self, at: Times) -> Flags:
        """`History.in_maintenance` for each instant."""
        if not len(self._left):
            return np.zeros(len(at), dtype=np.bool_)
        last = np.searchsorted(self._left, at, side="left") - 1
        inside: Flags = (last >= 0) & (at <= self._right[last])
        return inside

    def _sums(self, at: Times) -> _Sums:
        """Everything up to each instant."""
        rows = np.searchsorted(self._ends, at, side="right")
        return _Sums(self._bad[rows], self._total[rows], self._measured[rows], at)

    def _excluded(self, at: Times) -> _Sums:
        """Everything that is excluded up to each instant: the intervals before it, and its part of the last one."""
        if not len(self._left):
            nothing, never = np.zeros(len(at)), np.zeros(len(at), dtype=np.int64)
            return _Sums(nothing, nothing, never, never)
        count = np.searchsorted(self._left, at, side="left")
        last = np.maximum(count - 1, 0)
        part = self._sums(np.minimum(at, self._right[last])) - self._sums(self._left[last])
        before = self._gone.at(last)
        some = before + part
        return _Sums(
            np.where(count > 0, some.bad, 0.0),
            np.where(count > 0, some.total, 0.0),
            np.where(count > 0, some.measured, 0),
            np.where(count > 0, some.time, 0),
        )
