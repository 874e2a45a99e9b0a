"""Copies of the same series from several Prometheus servers: by which labels they differ, and how they count once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from connectors.raw_samples import Samples

# What operators and the servers' own documentation call it; and what may be called so, but other things are, too.
SURE = ("prometheus_replica", "__replica__")
LIKELY = ("replica", "prometheus")
# So many copies convince when most go the same way. Some always look apart: with one scrape each, say, which saw more
# and less of a quick start. Of different processes nearly all are.
ENOUGH, DOUBTFUL = 200, 0.5

type Key = frozenset[tuple[str, str]]


def labels_of_replicas(targets: Iterable[Sequence[Mapping[str, str]]], series: Sequence[Samples]) -> frozenset[str]:
    """The labels that only tell copies apart. `targets`: the labels of each target that has several `up`.

    Unless its name says it all, a label is believed only when the series that differ by it alone count the same: pods
    of one name, or clusters with the same addresses, look alike otherwise.
    """
    candidates = {_differing(several[0], other) for several in targets for other in several[1:]}
    candidates |= {frozenset({name}) for name in LIKELY}
    return frozenset(SURE).union(*(names for names in candidates if names and _same(copies(series, names), series)))


def copies(series: Sequence[Samples], names: frozenset[str]) -> list[list[int]]:
    """The numbers of the series that are the same but for the labels `names`, where there are several."""
    if not names or not any(name in one.labels for one in series for name in names):
        return []
    found = dict[Key, list[int]]()
    for number, one in enumerate(series):
        found.setdefault(frozenset(pair for pair in one.labels.items() if pair[0] not in names), []).append(number)
    return [numbers for numbers in found.values() if len(numbers) > 1]


def merged(steps: Iterable[tuple[int, int, float, bool, bool]]) -> Iterator[tuple[int, float]]:
    """When and how much copies counted together. Steps are instant, copy, value, whether it counts from zero, whether
    it is the copy's first; in order.

    The copy that is ahead counts. One that lags behind adds nothing, and its lower value is no restart: only a copy
    that falls below its own value, or is born anew, tells of one.
    """
    level, life = 0.0, 0
    lives = dict[int, int]()
    for at, copy, value, anew, first in steps:
        if not lives:
            lives[copy] = life
            yield at, value if anew else 0.0
            level = value
            continue
        lives[copy] = lives.get(copy, life) + (anew and not first)
        if lives[copy] > life:
            life, level = lives[copy], 0.0
        if lives[copy] == life and value > level:
            yield at, value - level
            level = value


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name for name in {*one, *other} if one.get(name) != other.get(name))


def _same(groups: Sequence[Sequence[int]], series: Sequence[Samples]) -> bool:
    """Whether copies have values that could be one counter's: no further apart than both of them move."""
    pairs = [(series[one].values, series[other].values) for one, other, *_ in groups]
    telling = [pair for pair in pairs if any(map(max, pair))][:ENOUGH]
    return bool(telling) and sum(_apart(*pair) for pair in telling) <= DOUBTFUL * len(telling)


def _apart(one: Sequence[float], other: Sequence[float]) -> bool:
    gap = max(min(one), min(other)) - min(max(one), max(other))
    # One event more: between the scrapes of a counter that hardly moves.
    return gap > max(one) - min(one) + max(other) - min(other) + 1
