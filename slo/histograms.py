"""The two forms of a histogram, and which series of one process are the same histogram."""

from collections.abc import Sequence

import numpy as np

from connectors.raw_samples import Samples
from slo.targets import NEVER, Ints

_EDGE = "le"


def identities(series: Sequence[Samples]) -> Ints:
    """The number of the histogram that each series belongs to, whether it is its count, a bucket or all of it."""
    known = dict[tuple[str, frozenset[tuple[str, str]]], int]()
    found = np.empty(len(series), np.int64)
    for number, one in enumerate(series):
        name = one.labels.get("__name__", "").removesuffix("_count").removesuffix("_bucket")
        rest = frozenset(pair for pair in one.labels.items() if pair[0] not in ("__name__", _EDGE))
        found[number] = known.setdefault((name, rest), len(known))
    return found


def seen_otherwise(series: Sequence[Samples], owner: Ints, at: Ints, born: Ints, since: Ints) -> Ints:
    """When the same histogram was last seen in its other form before each series was `born`, or `NEVER`.

    `owner` and `at` are those of all samples. A histogram that changes its form goes on counting: what it counted
    before must not count as new.
    """
    native = np.array([one.histograms is not None for one in series], bool)
    found = np.full(len(born), NEVER)
    if len(born) and native.any() and not native.all():
        identity = identities(series)
        for place, (number, start) in enumerate(zip(born.tolist(), since.tolist(), strict=True)):
            other = (identity == identity[number]) & (native != native[number])
            seen = at[other[owner] & (at < start)]
            found[place] = seen.max(initial=NEVER)
    return found
