"""Samples as a store keeps them, before any arithmetic: of counters and of native histograms."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any


@dataclass(frozen=True, slots=True)
class Histogram:
    """A native histogram at one instant: all events so far, and how many were within each (lower, upper) boundary."""

    count: float
    buckets: tuple[tuple[float, float, float], ...]

    def at_most(self, limit: float) -> float:
        """How many events are at most `limit`; within a bucket interpolated linearly, as `histogram_fraction` does."""
        return sum(count * _share(lower, upper, limit) for lower, upper, count in self.buckets)


@dataclass(slots=True)
class Samples:
    """One series: Unix seconds in order, and the value at each; finite numbers only.

    Of a native histogram `values` are the counts of all events, and `histograms` the rest.
    """

    labels: Mapping[str, str]
    times: list[float]
    values: list[float]
    histograms: list[Histogram] | None = None


def read(rows: Iterable[Mapping[str, Any]], after: float) -> Iterable[Samples]:
    """The series of a matrix that have samples later than `after`; only some versions leave out the one at it."""
    for row in rows:
        pairs = row.get("values") or ()
        times = [pair[0] for pair in pairs]
        values = [float(pair[1]) for pair in pairs]
        if times and times[0] <= after:
            # At most one, at the very start.
            late = bisect_right(times, after)
            del times[:late], values[:late]
        if not isfinite(sum(values)):
            times, values = _finite(times, values)
        if times:
            yield Samples(row["metric"], times, values)
        elif native := row.get("histograms"):
            yield from _native(row["metric"], native, after)


def _finite(times: Sequence[float], values: Sequence[float]) -> tuple[list[float], list[float]]:
    kept = [(at, value) for at, value in zip(times, values, strict=True) if isfinite(value)]
    return [at for at, _ in kept], [value for _, value in kept]


def _native(labels: Mapping[str, str], pairs: Sequence[Any], after: float) -> Iterable[Samples]:
    found = [(at, _histogram(one)) for at, one in pairs if at > after]
    sound = [(at, one) for at, one in found if isfinite(one.count)]
    if sound:
        histograms = [one for _, one in sound]
        yield Samples(labels, [at for at, _ in sound], [one.count for one in histograms], histograms)


def _histogram(one: Mapping[str, Any]) -> Histogram:
    buckets = tuple((float(lower), float(upper), float(count)) for _, lower, upper, count in one.get("buckets") or ())
    return Histogram(float(one["count"]), buckets)


def _share(lower: float, upper: float, limit: float) -> float:
    if limit >= upper:
        return 1.0
    if limit <= lower or not isfinite(lower) or not isfinite(upper):
        return 0.0
    return (limit - lower) / (upper - lower)
