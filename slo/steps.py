"""From samples to what each adds: births, restarts and gaps told apart. Whole arrays at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from connectors.raw_samples import Samples
from slo import histograms
from slo.targets import NEVER, SPAN, Bools, Ints, Targets, milliseconds, target_of

type Floats = NDArray[np.float64]

# A target whose counters held so much of their sum before they fell was restarted with all of them.
MOST = 0.5


@dataclass(slots=True)
class Steps:
    """All samples, series by series: whose each is, when (milliseconds after the chunk's start), its value.

    `anew`: it counts from zero, as its series was born or its process restarted since the sample before. `first`: there
    is no sample before. `before`: when that was, or `NEVER`. `added`: what it counts.
    """

    series: Ints
    at: Ints
    value: Floats
    first: Bools
    before: Ints
    anew: Bools
    added: Floats


def walked(series: Sequence[Samples], targets: Targets, target: Ints, origin: float) -> Steps:
    """The steps of these series; `target` is the number of each one's target, `origin` the chunk's start."""
    sizes = np.array([len(one.times) for one in series], np.int64)
    at = milliseconds(chain.from_iterable(one.times for one in series), origin)
    value = np.fromiter(chain.from_iterable(one.values for one in series), np.float64)
    owner = np.repeat(np.arange(len(series)), sizes)
    first = np.zeros(len(at), bool)
    first[np.cumsum(sizes) - sizes] = True
    before = np.where(first, NEVER, np.concatenate((at[:1], at[:-1])))
    steps = Steps(owner, at, value, first, before, np.zeros(len(at), bool), np.diff(value, prepend=0.0))
    steps.anew = _reborn(steps, targets, target[owner])
    births = np.flatnonzero(first & (at > 0))
    steps.anew[births] = _born(steps, births, series, targets, target)
    steps.added = np.where(steps.anew, value, np.where(first, 0.0, steps.added))
    return steps


# -- Restarts ---------------------------------------------------------------------------------------------------------
def _reborn(steps: Steps, targets: Targets, target: Ints) -> Bools:
    """Which samples count from zero although their series has an earlier one: it fell, its process restarted, or
    it was missing in a scrape that went well."""
    at, before, first = steps.at, steps.before, steps.first
    fell = ~first & (steps.added < 0)
    anew = fell | (~first & targets.restarted(target, before, at))
    missing = np.flatnonzero(~first & targets.up_between(target, before, at))
    whose = target[missing]
    # A series with timestamps of its own has samples between scrapes: nothing says in which one it was missing.
    sure = targets.is_scrape(whose, before[missing]) & targets.is_scrape(whose, at[missing])
    anew[missing[sure]] = True
    anew[_fell_with_others(steps, targets, target, np.flatnonzero(fell))] = True
    return anew


def _fell_with_others(steps: Steps, targets: Targets, target: Ints, fell: Ints) -> Ints:
    """Which samples tell of a restart by others that `fell` in the same scrape, the first after the target was away.

    Those that fell held most of what the target had counted: of an exporter that speaks for many, one alone may be
    reset. Nothing is concluded where the process says itself when it started.
    """
    untold = ~np.isin(target[fell], [*targets.started])
    fell = fell[untold & targets.away_between(target[fell], steps.before[fell], steps.at[fell])]
    if not len(fell):
        return fell
    keys = target * SPAN + steps.at
    together = np.flatnonzero(~steps.first & np.isin(keys, keys[fell]))
    scrapes, place = np.unique(keys[together], return_inverse=True)
    held = steps.value[together] - steps.added[together]
    all_held = np.bincount(place, held, len(scrapes))
    fallen = np.bincount(place, held * np.isin(together, fell), len(scrapes))
    return together[(fallen > MOST * all_held)[place]]


# -- Births -----------------------------------------------------------------------------------------------------------
def _born(steps: Steps, births: Ints, series: Sequence[Samples], targets: Targets, of: Ints) -> Bools:
    """Which first samples count from zero: those of series that are new on a target that was there before."""
    owner, at = steps.series[births], steps.at[births]
    target = of[owner]
    own_clock = ~targets.is_scrape(target, at)
    margin = np.where(own_clock, 2 * targets.intervals[target], 0)
    known = targets.up_between(target, np.full(len(at), -(1 << 38)), at - margin)
    born = known | targets.born_fresh(target, at)
    pushed = np.flatnonzero(target < 0)
    born[pushed] |= _pushed_before(steps, births[pushed], series, of)
    changed = histograms.seen_otherwise(series, steps.series, steps.at, owner, at)
    return np.asarray(born & ((changed == NEVER) | targets.restarted(target, changed, at)))


def _pushed_before(steps: Steps, births: Ints, series: Sequence[Samples], of: Ints) -> Bools:
    """Whether any series of the same job and instance, where there is no `up`, has an earlier sample."""
    earliest = dict[tuple[str, str], int]()
    starts = np.flatnonzero(steps.first)
    for number in np.flatnonzero(of < 0).tolist() if len(births) else ():
        name, at = target_of(series[number].labels), int(steps.at[starts[number]])
        earliest[name] = min(earliest.get(name, at), at)
    begun = (earliest[target_of(series[number].labels)] for number in steps.series[births].tolist())
    return np.asarray(np.fromiter(begun, np.int64, len(births)) < steps.at[births])
