"""Finds the few parts of the traffic that explain where the bad events are: minimal conjunctions of attribute values.

The problem is known as multi-dimensional root cause localisation. Here it is Bayesian model selection. A model says:
in each of a few segments a share δ of the requests that would have gone well goes bad, everywhere else a smaller (or
no) share δ₀ does. All leaves of a segment are hit alike, up to a factor, so that neither a part of the true segment
(its other leaves are hit too) nor a larger one (its other leaves are not) explains the counts as well.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Self

import numpy as np

from evidence.beta_binomial import log_likelihood, log_sum
from evidence.case import Mask
from evidence.count_table import NOT_KNOWN, Floats
from evidence.leaves import Leaves, Places, grouped

# The shares δ that are tried, besides none: evenly spaced in their logarithm.
SHARES = np.geomspace(1e-5, 0.99, 40)
STEP = math.log(SHARES[1] / SHARES[0])
# In a segment at least about twice the share of requests goes newly bad than elsewhere.
LEAST_CONTRAST = 2.0
CONTRAST = round(math.log(LEAST_CONTRAST) / STEP)
# How much δ may differ between the leaves of one segment: standard deviations of its logarithm.
SPREADS = (0.2, 0.4)
MOST_CONDITIONS = 3
MOST_SEGMENTS = 4
# A segment is believed when the counts make it e³ (20) times more likely than the model without it.
LEAST_EVIDENCE = 3.0
# … and is worth naming when its additional bad events are at least this part of all bad ones.
LEAST_PART = 0.05
ABOUT_AS_WELL = 0.8
# How much is looked at in detail: pairs of so many attributes, triples of so many, cells of the tables of likelihoods.
PAIRED, TRIPLED = 16, 8
MOST_CELLS = 20_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A conjunction, as {place of the attribute: code of its value}, and which leaves have it.

    `evidence` is the logarithm of how much more likely it is, after what was seen, than the model without it; the
    number of other conjunctions that could have been picked is taken off, so that thousands of values do not win by
    chance.
    """

    conditions: Mapping[int, int]
    members: Mask
    evidence: float

    def among(self, leaves: Leaves) -> Self:
        """The same conjunction and its members among other leaves."""
        members = np.ones(len(leaves.codes), dtype=np.bool_)
        for place, code in self.conditions.items():
            members &= leaves.codes[:, place] == code
        return replace(self, members=members)


@dataclass(frozen=True, slots=True, eq=False)
class Localization:
    """What explains the counts: `segments` together (best first, none when no part stands out).

    `ranked` are the best single segments, whether or not believed. `rise` is the logarithm of how much more likely
    it is that all traffic is hit alike than that nothing has changed.
    """

    segments: tuple[Candidate, ...]
    ranked: tuple[Candidate, ...]
    rise: float


@dataclass(frozen=True, slots=True, eq=False)
class _Cuboid:
    """All conjunctions of the same attributes. `group` numbers the leaves' values, -1 where one is not known."""

    attributes: tuple[int, ...]
    group: Places
    groups: int
    # ln of how many conjunctions could have been picked in its place, or better.
    choices: float
    # The best that a quick look finds in it.
    promise: float


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """The log-likelihood of each leaf's counts for each δ (first none), one table for each of `SPREADS`."""

    alike: tuple[Floats, ...]

    @classmethod
    def of(cls, leaves: Leaves) -> Self:
        rate = leaves.rate[:, None]
        added = 1 - (1 - rate) * (1 - SHARES[None, :])
        return cls(_smoothed(_likelihoods(leaves, added, (1 - added) / (1 - rate), STEP / 2), STEP))

    def rise(self) -> float:
        """ln of how much likelier it is that one share was added to all the traffic than that nothing changed."""
        sums = np.stack([table.sum(axis=0) for table in self.alike])
        gains = log_sum(sums[:, 1:], axis=1) - sums[:, 0]
        return float(log_sum(gains[None, :], axis=1)[0]) - math.log(len(SHARES) * len(self.alike))


def localize(leaves: Leaves, most_ranked: int = 20) -> Localization:
    """The segments that together explain the incident's counts best, added one by one.

    Each further one explains what those before it leave.
    """
    everything, leaves = leaves, leaves.where(leaves.total > 0)
    tables = _Tables.of(leaves)
    cuboids = _promising(leaves, tables)
    ranked = _ranked(leaves, tables, cuboids, [], most_ranked)
    chosen: list[Candidate] = []
    found = ranked
    while len(chosen) < MOST_SEGMENTS and (best := _outstanding(leaves, chosen, found)):
        chosen.append(best)
        found = _ranked(leaves, tables, cuboids, chosen, most_ranked)
    segments, others = (tuple(candidate.among(everything) for candidate in found) for found in (chosen, ranked))
    return Localization(segments, others, tables.rise())


def _outstanding(leaves: Leaves, chosen: Sequence[Candidate], ranked: Sequence[Candidate]) -> Candidate | None:
    """The first that stands out, of those that explain the counts about as well as the best."""
    near = [candidate for candidate in ranked if candidate.evidence >= ABOUT_AS_WELL * ranked[0].evidence]
    return next((candidate for candidate in near if _stands_out(leaves, chosen, candidate)), None)


def _stands_out(leaves: Leaves, chosen: Sequence[Candidate], candidate: Candidate) -> bool:
    """Whether it is likely, explains enough that the others do not, and rose more than the rest in proportion too.

    The last is for a load that doubles every part's errors: what always fails more then fails most, but is no cause.
    """
    covered = _covered(leaves, chosen)
    own, rest = candidate.members & ~covered, ~(candidate.members | covered)
    excess = leaves.bad - leaves.expected
    if candidate.evidence < LEAST_EVIDENCE or excess[own].sum() < LEAST_PART * leaves.bad.sum():
        return False
    inside, outside = (excess[part].sum() / (leaves.expected[part].sum() + 1) for part in (own, rest))
    return bool(inside >= LEAST_CONTRAST * outside)


def _covered(leaves: Leaves, chosen: Sequence[Candidate]) -> Mask:
    covered = np.zeros(len(leaves.bad), dtype=np.bool_)
    for candidate in chosen:
        covered |= candidate.members
    return covered


def _likelihoods(leaves: Leaves, rates: Floats, slope: Floats, spread: float) -> Floats:
    """Per leaf (rows), for its usual rate and for each of `rates`.

    `slope` says how uncertainty of the usual rate carries over; `spread`, how finely new shares are told apart.
    """
    usual = leaves.rate[:, None]
    all_rates = np.clip(np.concatenate([usual, rates], axis=1), 1e-9, 1 - 1e-9)
    carried = (usual * (1 - usual) / leaves.weight[:, None]) * np.concatenate([np.ones_like(usual), slope], axis=1) ** 2
    variance = carried + (spread * np.concatenate([np.zeros_like(usual), rates - usual], axis=1)) ** 2
    weight = np.maximum(all_rates * (1 - all_rates) / variance, 2.0)
    return log_likelihood(leaves.bad[:, None], leaves.total[:, None], all_rates, weight)


def _smoothed(table: Floats, step: float) -> tuple[Floats, ...]:
    """For each of `SPREADS`, the table in which a leaf's δ varies around the segment's (log-normally)."""
    position = np.arange(table.shape[1] - 1) * step
    top = table[:, 1:].max(axis=1, keepdims=True)
    likelihood = np.exp(table[:, 1:] - top)
    result = []
    for spread in SPREADS:
        kernel = np.exp(-0.5 * ((position[:, None] - position[None, :]) / spread) ** 2)
        varied = top + np.log(likelihood @ (kernel / kernel.sum(axis=0)) + 1e-300)
        result.append(np.concatenate([table[:, :1], varied], axis=1))
    return tuple(result)


def _cuboid(leaves: Leaves, attributes: tuple[int, ...], known: int) -> _Cuboid:
    codes = leaves.codes[:, list(attributes)]
    complete = (codes != NOT_KNOWN).all(axis=1)
    group = np.full(len(codes), -1, dtype=np.int64)
    group[complete] = grouped(codes[complete])
    groups = int(group.max(initial=-1)) + 1
    values = sum(math.log(max(leaves.seen[attribute], 1)) for attribute in attributes)
    choices = values + math.log(math.comb(known, len(attributes))) + math.log(MOST_CONDITIONS)
    return _Cuboid(attributes, group, groups, choices, _promise(leaves, group, groups) - choices)


def _promise(leaves: Leaves, group: Places, groups: int) -> float:
    """The best log-likelihood ratio of one group failing more than the rest (Kulldorff's scan statistic, 1997)."""
    if not groups:
        return -math.inf
    inside = group >= 0
    bad = np.bincount(group[inside], leaves.bad[inside], groups)
    expected = np.bincount(group[inside], leaves.expected[inside], groups)
    expected *= leaves.bad.sum() / max(leaves.expected.sum(), 1e-9)
    more = (bad > expected) & (expected > 0)
    return float(np.max(bad[more] * np.log(bad[more] / expected[more]) - (bad - expected)[more], initial=0.0))


def _promising(leaves: Leaves, tables: _Tables) -> list[_Cuboid]:
    """The cuboids worth a detailed look: all of them, unless there is too much to look at."""
    told_apart = [place for place in range(leaves.codes.shape[1]) if (leaves.codes[:, place] != NOT_KNOWN).any()]
    known = len(told_apart)
    cuboids = [_cuboid(leaves, (place,), known) for place in told_apart]
    for conditions, most in ((2, PAIRED), (3, TRIPLED)):
        places = _leading(cuboids, most)
        cuboids += [_cuboid(leaves, chosen, known) for chosen in combinations(places, conditions)]
    cuboids.sort(key=lambda cuboid: -cuboid.promise)
    cells = sum(table.size for table in tables.alike)
    return cuboids[: max(TRIPLED, MOST_CELLS // max(cells, 1))]


def _leading(cuboids: Sequence[_Cuboid], most: int) -> list[int]:
    """The attributes of the most promising cuboids."""
    ordered = sorted(cuboids, key=lambda cuboid: -cuboid.promise)
    places = list(dict.fromkeys(place for cuboid in ordered for place in cuboid.attributes))
    return sorted(places[:most])


def _ranked(
    leaves: Leaves, tables: _Tables, cuboids: Sequence[_Cuboid], chosen: Sequence[Candidate], most: int
) -> list[Candidate]:
    """The best segments to add to those chosen, which keep the leaves they have."""
    free = ~_covered(leaves, chosen)
    backgrounds = [_Background.of(table, free, chosen) for table in tables.alike]
    scored = [
        (evidence, cuboid, group)
        for cuboid in cuboids
        for group, evidence in _evidence(leaves, tables, cuboid, free, backgrounds)
    ]
    scored.sort(key=lambda score: (-score[0], len(score[1].attributes), score[1].attributes, score[2]))
    return [_candidate(leaves, cuboid, group, evidence) for evidence, cuboid, group in scored[:most]]


@dataclass(frozen=True, slots=True, eq=False)
class _Background:
    """For each δ₀ of the rest: how likely all leaves are that no segment has, and the segments chosen so far."""

    free: Floats
    chosen: Floats

    @classmethod
    def of(cls, table: Floats, free: Mask, chosen: Sequence[Candidate]) -> Self:
        rest = table[free].sum(axis=0)
        taken = np.zeros(len(free), dtype=np.bool_)
        shares = np.zeros(table.shape[1] - CONTRAST)
        for candidate in chosen:
            shares = shares + _above(table[candidate.members & ~taken].sum(axis=0)[None, :])[0]
            taken |= candidate.members
        return cls(rest, _PRIOR + shares)

    @property
    def without(self) -> float:
        return float(log_sum((self.free[:-CONTRAST] + self.chosen)[None, :], axis=1)[0])


# None has half of the prior probability of δ₀; the shares that leave room for a segment above them have the rest.
_PRIOR = np.log(np.array([0.5] + [0.5 / (len(SHARES) - CONTRAST)] * (len(SHARES) - CONTRAST)))


def _above(sums: Floats) -> Floats:
    """ln of the mean likelihood over every δ that stands out from δ₀, for each δ₀ (columns)."""
    tail = np.logaddexp.accumulate(sums[:, ::-1], axis=1)[:, ::-1]
    count = np.arange(sums.shape[1] - CONTRAST, 0, -1)
    above: Floats = tail[:, CONTRAST:] - np.log(count)
    return above


def _evidence(
    leaves: Leaves, tables: _Tables, cuboid: _Cuboid, free: Mask, backgrounds: Sequence[_Background]
) -> Iterator[tuple[int, float]]:
    """Each group of the cuboid that has bad events, with the evidence for it."""
    inside = np.flatnonzero((cuboid.group >= 0) & free)
    if not len(inside):
        return
    order = inside[np.argsort(cuboid.group[inside], kind="stable")]
    group = cuboid.group[order]
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    bad = np.add.reduceat(leaves.bad[order], starts)
    gains = []
    for table, background in zip(tables.alike, backgrounds, strict=True):
        sums = np.add.reduceat(table[order], starts, axis=0)
        joint = background.chosen + background.free[:-CONTRAST] - sums[:, :-CONTRAST] + _above(sums)
        gains.append(log_sum(joint, axis=1))
    without = log_sum(np.array([[background.without for background in backgrounds]]), axis=1)[0]
    evidence = log_sum(np.stack(gains, axis=1), axis=1) - without - cuboid.choices
    for place in np.flatnonzero(bad > 0):
        yield int(group[starts[place]]), float(evidence[place])


def _candidate(leaves: Leaves, cuboid: _Cuboid, group: int, evidence: float) -> Candidate:
    members = cuboid.group == group
    first = int(np.argmax(members))
    conditions = {attribute: int(leaves.codes[first, attribute]) for attribute in cuboid.attributes}
    return Candidate(conditions, members, evidence)
