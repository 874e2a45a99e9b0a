"""The smallest parts of the traffic: one for each combination of attribute values, when it was normal and now."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import Self

import numpy as np
from numpy.typing import NDArray

from connectors.telemetry import to_ns
from evidence.case import Interval, Mask, within
from evidence.count_table import NOT_KNOWN, Codes, CountTable, Floats

type Places = NDArray[np.int64]

# Rates of parts never vary so much that fewer bad events than this make one's own rate believable.
LEAST_PRIOR = 1.0
# Rates vary between times by more than chance in every system; at least by this intra-class correlation.
LEAST_DISPERSION = 1e-4
# One or two bad events of a value among many say nothing: such values are not told apart.
LEAST_BAD, FEW_VALUES = 3, 30
MOST_LEAVES = 100_000
# Effects of pairs of values are looked at for so many attributes, above that only those of single values.
MOST_PAIRED = 8
MOST_RATE = 0.95
LONGEST_BUCKET = timedelta(minutes=1)
# Fewer bad events in a piece of the baseline cannot tell a burst from chance.
BUCKET_BAD = 10
# Times of the baseline are left out when they are this many standard deviations, and this factor, above its quiet half.
BURST_DEVIATIONS = 3.0
BURST_FACTOR = 1.25


@dataclass(frozen=True, slots=True, eq=False)
class Leaves:
    """Counts of each combination of values: `before` in the quiet part of the baseline, now in the incident.

    `rate` is the share of bad events that is to be expected, known as well as from `weight` events.
    `seen[attribute]` says how many values were there to choose from, also those that are not told apart.
    """

    codes: Codes
    bad_before: Floats
    total_before: Floats
    bad: Floats
    total: Floats
    rate: Floats
    weight: Floats
    seen: tuple[int, ...]

    def where(self, rows: Mask) -> Self:
        """Only these combinations."""
        return type(self)(
            self.codes[rows],
            self.bad_before[rows],
            self.total_before[rows],
            self.bad[rows],
            self.total[rows],
            self.rate[rows],
            self.weight[rows],
            self.seen,
        )

    @property
    def expected(self) -> Floats:
        """Bad events that the incident's traffic would have had at the baseline's rates."""
        return self.rate * self.total


def leaves(counts: CountTable, baseline: Sequence[Interval], incident: Interval) -> Leaves:
    """Sums `counts` by combination of values and says what was to be expected of each."""
    now = incident.covers(counts.time_ns)
    before = within(baseline, counts.time_ns) & ~now
    places = _buckets(counts, baseline, before, incident.length)
    before = np.logical_or.reduce(
        [_quiet(counts, places, interval.covers(counts.time_ns) & before) for interval in baseline]
    )
    codes = _foldable(counts, now | before, now)
    unique, leaf = _unique(codes)

    def summed(rows: Mask, numbers: Floats) -> Floats:
        return np.bincount(leaf[rows], numbers[rows], len(unique))

    bad_before, total_before = summed(before, counts.bad), summed(before, counts.total)
    usual = expected_rates(unique, bad_before, total_before)
    prior = _prior(bad_before, usual * total_before, total_before)
    known = total_before + prior / usual
    rate = np.minimum((bad_before + prior) / known, MOST_RATE)
    spread = _dispersion(counts, before, leaf, places, rate)
    weight = 1 / (1 / known + spread)
    seen = tuple(_count_known(counts.codes[now, column]) for column in range(codes.shape[1]))
    bad, total = summed(now, counts.bad), summed(now, counts.total)
    return Leaves(unique, bad_before, total_before, bad, total, rate, weight, seen)


def expected_rates(codes: Codes, bad: Floats, total: Floats) -> Floats:
    """The rate of each combination from the effects of its values and pairs of values, which multiply.

    Iterative proportional fitting (Deming and Stephan 1940), with each effect drawn towards none by `_prior`. So a
    combination that the baseline never saw is still expected to fail as its values do.
    """
    rate = np.full(len(total), (bad.sum() + 0.5) / (total.sum() + 1))
    columns = range(codes.shape[1])
    singles = [grouped(codes[:, [column]]) for column in columns]
    pairs = [grouped(codes[:, pair]) for pair in combinations(columns, 2)] if len(columns) <= MOST_PAIRED else []
    for groups in (singles, singles + pairs):
        for _ in range(4):
            for group in groups:
                observed, expected = np.bincount(group, bad), np.bincount(group, rate * total)
                prior = _prior(observed, expected, np.bincount(group, total))
                rate = np.minimum(rate * ((observed + prior) / (expected + prior))[group], MOST_RATE)
    return rate


def _prior(bad: Floats, expected: Floats, total: Floats) -> float:
    """How many bad events a part needs before its own rate is believed as much as what is expected of it.

    Empirical Bayes (Clayton and Kaldor 1987): many when the parts differ from what is expected by no more than chance,
    few when they do. The factor by which a part's rate differs has the variance 1 / prior.
    """
    chance = expected * (1 - expected / np.maximum(total, 1e-9))
    trust = 1 / (expected + 1)
    variance = float((((bad - expected) ** 2 - chance) * trust).sum() / max(float((expected**2 * trust).sum()), 1e-9))
    most = max(float(bad.sum()), LEAST_PRIOR)
    return min(max(1 / variance, LEAST_PRIOR), most) if variance > 0 else most


def grouped(codes: Codes) -> Places:
    """Numbers the different rows of `codes` from 0 on and says for each row which it is."""
    key = np.zeros(len(codes), dtype=np.int64)
    for column in codes.T:
        key = key * (int(column.max(initial=0)) + 2) + (column + 1)
        # Numbered anew each time, so that the key never outgrows an integer.
        key = np.unique(key, return_inverse=True)[1].astype(np.int64)
    return key


def _unique(codes: Codes) -> tuple[Codes, Places]:
    leaf = grouped(codes)
    first = np.zeros(int(leaf.max(initial=-1)) + 1, dtype=np.int64)
    first[leaf] = np.arange(len(leaf))
    return codes[first], leaf


def _foldable(counts: CountTable, used: Mask, now: Mask) -> Codes:
    """The codes, without values of too few bad events to tell them apart; if need be without the widest attributes."""
    codes = counts.codes.copy()
    for column, values in enumerate(counts.values):
        known = codes[:, column] != NOT_KNOWN
        bad = np.bincount(codes[known & now, column], counts.bad[known & now], len(values))
        if len(values) > FEW_VALUES:
            codes[known, column] = np.where(bad[codes[known, column]] < LEAST_BAD, NOT_KNOWN, codes[known, column])
    while len(np.unique(grouped(codes[used]))) > MOST_LEAVES:
        widest = max(range(codes.shape[1]), key=lambda column: _count_known(codes[used, column]))
        codes[:, widest] = NOT_KNOWN
    return codes


def _count_known(column: NDArray[np.int32]) -> int:
    return len(np.unique(column[column != NOT_KNOWN]))


def _buckets(counts: CountTable, baseline: Sequence[Interval], rows: Mask, length: timedelta) -> Places:
    """Numbers the pieces of the baseline and says in which one each row lies.

    A piece is as long as the incident and at most a minute, but long enough for `BUCKET_BAD` bad events.
    """
    whole = sum((interval.length for interval in baseline), timedelta())
    enough = whole * BUCKET_BAD / max(float(counts.bad[rows].sum()), BUCKET_BAD)
    step = max(min(length, LONGEST_BUCKET), enough) // timedelta(microseconds=1) * 1000
    places = np.full(len(counts), -1, dtype=np.int64)
    for index, interval in enumerate(baseline):
        inside = interval.covers(counts.time_ns) & rows & (places < 0)
        offset = (counts.time_ns[inside] - to_ns(interval.start)) // step
        places[inside] = index * 1_000_000_000 + offset
    places[rows] = np.unique(places[rows], return_inverse=True)[1]
    return places


def _quiet(counts: CountTable, places: Places, rows: Mask) -> Mask:
    """Which rows of one window of the baseline are normal: those outside earlier bursts of bad events.

    What fails now has often failed before, for a minute or two. Such a baseline would make the fault look usual, so
    pieces are taken from the quietest on, the quieter half always, and the others while they agree with those taken.
    """
    found, place_of = np.unique(places[rows], return_inverse=True)
    bad, total = (np.bincount(place_of, numbers[rows], len(found)) for numbers in (counts.bad, counts.total))
    order = np.argsort(bad / np.maximum(total, 1e-9), kind="stable")
    half = max((len(order) + 1) // 2, min(3, len(order)))
    kept_bad, kept_total = bad[order[:half]].sum(), total[order[:half]].sum()
    taken = half
    for place in order[half:]:
        expected = (kept_bad + 1) / (kept_total + 2) * total[place]
        noise = math.sqrt(expected * (1 + total[place] / max(kept_total, 1)))
        if bad[place] > expected * BURST_FACTOR and bad[place] > expected + BURST_DEVIATIONS * noise:
            break
        taken += 1
        kept_bad, kept_total = kept_bad + bad[place], kept_total + total[place]
    quiet: Mask = rows & np.isin(places, found[order[:taken]])
    return quiet


def _dispersion(counts: CountTable, rows: Mask, leaf: Places, places: Places, rate: Floats) -> float:
    """By how much more than chance the rates of the same leaf vary between times: the intra-class correlation.

    The method of moments for the beta-binomial distribution: Var = n p (1 - p) (1 + (n - 1) ρ).
    """
    cells = grouped(np.stack([leaf[rows], places[rows]], axis=1).astype(np.int32))
    bad, total = np.bincount(cells, counts.bad[rows]), np.bincount(cells, counts.total[rows])
    usual = np.zeros(len(total))
    usual[cells] = rate[leaf[rows]]
    chance = total * usual * (1 - usual)
    trust = 1 / (chance + 1)
    excess = float((((bad - total * usual) ** 2 - chance) * trust).sum())
    most = float((chance * np.maximum(total - 1, 0) * trust).sum())
    return max(excess / most, LEAST_DISPERSION) if most > 0 else LEAST_DISPERSION
