"""The slices of one group in arrays: a month of minutes in less than a megabyte."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from math import isnan, nan

from slo.history import History, snapped
from slo.periods import Interval
from slo.slices import Measured, sound
from slo.windows import ZERO, Mark


def _numbers() -> "array[float]":
    return array("d")


@dataclass(slots=True)
class Tape:
    """Slices that follow each other from `start`. What was not measured is NaN here, and nowhere else."""

    start: datetime
    # Where each slice ends, in seconds after `start`.
    ends: "array[float]" = field(default_factory=_numbers)
    bad: "array[float]" = field(default_factory=_numbers)
    total: "array[float]" = field(default_factory=_numbers)
    # Why the last slice that was not measured was not.
    reason: str = ""

    @classmethod
    def of(cls, slices: Sequence[Measured]) -> "Tape":
        """Raises `ValueError` for slices that do not follow each other."""
        tape = cls(slices[0].start)
        tape.extend(slices)
        return tape

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.ends[-1]) if self.ends else self.start

    def extend(self, slices: Iterable[Measured]) -> None:
        """Append slices. Raises `ValueError` for one that does not follow the last."""
        until = self.end
        for one in map(sound, slices):
            if one.start != until:
                raise ValueError(f"The slice that starts at {one.start:%F %T} does not follow {until:%F %T}.")
            until = one.end
            self.ends.append((until - self.start).total_seconds())
            self.bad.append(nan if one.bad is None else one.bad)
            self.total.append(nan if one.total is None else one.total)
            self.reason = one.reason if one.total is None else self.reason

    def pad(self, end: datetime, length: timedelta, reason: str) -> None:
        """Append unmeasured slices until `end`."""
        while self.end < end:
            start = self.end
            self.extend([Measured(start, min(end, start + length), None, None, reason)])

    def slices(self) -> list[Measured]:
        """The slices as they were measured, but for the reasons."""
        edges = pairwise([0.0, *self.ends])
        return [
            Measured(self._at(left), self._at(right), *((None, None) if isnan(total) else (bad, total)))
            for (left, right), bad, total in zip(edges, self.bad, self.total, strict=True)
        ]

    def history(self, excluded: Iterable[Interval] = ()) -> History:
        """The history of these slices; `excluded` may lie anywhere."""
        marks = self._marks()
        return History(marks, snapped(excluded, [mark.at for mark in marks]), self.start)

    def _marks(self) -> list[Mark]:
        known = [not isnan(total) for total in self.total]
        lengths = (
            right - left if one else 0.0 for (left, right), one in zip(pairwise([0.0, *self.ends]), known, strict=True)
        )
        sums = zip(
            self.ends,
            accumulate(bad if one else 0.0 for bad, one in zip(self.bad, known, strict=True)),
            accumulate(total if one else 0.0 for total, one in zip(self.total, known, strict=True)),
            accumulate(lengths),
            strict=True,
        )
        ends = [Mark(self._at(at), bad, total, timedelta(seconds=measured)) for at, bad, total, measured in sums]
        return [Mark(self.start, 0.0, 0.0, ZERO), *ends]

    def _at(self, seconds: float) -> datetime:
        return self.start + timedelta(seconds=seconds)
