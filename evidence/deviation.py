"""How far a metric in an incident is from its normal, and how often it is as far without one.

The baseline may be long and of another season, or one row from just before the onset. Each alone misleads: the first
by its level, the second by its small number. So an incident has to differ from both, and how much that means is read
from all other times at which the same comparison can be made.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from connectors.telemetry import to_ns
from evidence.case import Interval, Times, within
from evidence.series import Values

type Scale = Literal["log", "linear"]

# With fewer comparisons than this, their spread says little and that of single values is used.
LEAST_COMPARISONS = 20
# The shape of the tail beyond what was seen (generalised Pareto; Pickands 1975): metrics of systems have heavier tails
# than an exponential one (0), and rarely as heavy as 0.5, where the variance is infinite.
TAIL_SHAPE = 0.25
# A ratio below this, or a share, is never remarkable, however still the baseline.
LEAST_RATIO = 0.05
LEAST_SHARE = 0.005
# What is below this quantile of the long baseline was not made by the same system.
OTHER_TIMES = 0.01


@dataclass(frozen=True, slots=True)
class Deviation:
    """From `before` to `after` (the metric's unit). `p`: how likely a rise like this is when nothing is wrong."""

    before: float
    after: float
    p: float
    # How many values of the incident and of the baseline it stands on.
    count: int = 0
    baseline_count: int = 0

    @property
    def rise(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Windows:
    """The same metric in the incident, just before it, and in the rest of the baseline (both may be empty)."""

    incident: Values
    recent: Values
    long: Values


def windows(times: Times, values: Values, baseline: Sequence[Interval], incident: Interval) -> Windows:
    """Recent is what the baseline has within twice the incident's length before it; all else of it is long."""
    start, length = to_ns(incident.start), to_ns(incident.end) - to_ns(incident.start)
    normal = within(baseline, times)
    recent = normal & (times < start) & (times >= start - 2 * length)
    return Windows(values[within([incident], times)], values[recent], values[normal & ~recent])


def deviation(
    times: Times,
    values: Values,
    baseline: Sequence[Interval],
    incident: Interval,
    scale: Scale = "log",
    least: float = 0.0,
) -> Deviation | None:
    """How much higher than normal the metric is in the incident; None when either was not measured.

    `scale` "log" is for what varies by factors (latencies, rates), "linear" for shares. For what is bad when low, give
    the negative. `least` is the smallest step the metric can make (one failed request of a few), on the same scale.
    """
    seen = windows(times, values, baseline, incident)
    if not len(seen.incident) or not len(seen.recent) + len(seen.long):
        return None
    floor = _floor(np.concatenate([seen.recent, seen.long, seen.incident])) if scale == "log" else 0.0
    told = Windows(*(_scaled(part, scale, floor) for part in (seen.incident, seen.recent, seen.long)))
    distance = _distance(told)
    return Deviation(
        before=_normal(seen.recent, seen.long),
        after=float(seen.incident.mean()),
        p=_chance(told, distance, max(least, LEAST_RATIO if scale == "log" else LEAST_SHARE)),
        count=len(seen.incident),
        baseline_count=len(seen.recent) + len(seen.long),
    )


def _floor(values: Values) -> float:
    """What is added before the logarithm, so that zeros and tiny values do not look like great factors."""
    positive = values[values > 0]
    return 0.01 * float(np.median(positive)) if len(positive) else 1.0


def _scaled(values: Values, scale: Scale, floor: float) -> Values:
    if scale == "linear":
        return values
    logs: Values = np.log(np.maximum(values, 0) + floor)
    return logs


def _peak(values: Values) -> float:
    """The mean of the higher half: a fault may begin late in the window or end before it."""
    return float(np.sort(values)[len(values) // 2 :].mean())


def _distance(told: Windows) -> float:
    """How far the incident is above normal; negative when it is below."""
    return _peak(told.incident) - _normal(told.recent, told.long)


def _normal(recent: Values, long: Values) -> float:
    """The higher of just before and ever before; just before alone when that was never seen to be as good.

    Then the long baseline is of another time, in which this was slower or failed more.
    """
    if not len(recent) or not len(long):
        return float(np.median(recent if len(recent) else long))
    level = float(np.median(recent))
    return level if level < np.quantile(long, OTHER_TIMES) else max(level, float(np.median(long)))


def _chance(told: Windows, distance: float, least: float) -> float:
    """The probability of such a distance without an incident, from the same comparison at every other time."""
    others = _comparisons(told)
    if len(others) < LEAST_COMPARISONS:
        spread = max(_spread(np.concatenate([told.recent, told.long])), least)
        few = 1 + 2 / max(len(told.recent) + len(told.long), 1)
        return tail(max(distance, 0.0) / (spread * few), 0.5)
    others = np.sort(others)
    share = float(np.mean(others >= distance))
    bulk, rest = float(np.quantile(others, 0.9)), 0.1
    if distance <= bulk:
        return share
    mean_excess = max(float((others[others > bulk] - bulk).mean()) if np.any(others > bulk) else 0.0, least / 2)
    return tail((distance - bulk) / mean_excess, rest)


def tail(excess: float, at_start: float = 0.5) -> float:
    """The probability of what lies `excess` spreads beyond a point that is exceeded with probability `at_start`."""
    return at_start * math.pow(1 + TAIL_SHAPE * excess, -1 / TAIL_SHAPE)


def _spread(values: Values) -> float:
    """A robust standard deviation: 1.4826 × the median absolute deviation (Rousseeuw and Croux 1993)."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values)))) if len(values) else 0.0


def _comparisons(told: Windows) -> Values:
    """The distance of every run of the long baseline that is as long as the incident, made in the same way.

    Each run has its own recent values, as many as the incident's, one value before its start: onsets fall between.
    """
    run, recent = len(told.incident), len(told.recent)
    gap = 1 if recent else 0
    if len(told.long) < run + recent + gap:
        return np.empty(0)
    windowed = sliding_window_view(told.long, run + recent + gap)
    peaks = np.sort(windowed[:, recent + gap :], axis=1)[:, run // 2 :].mean(axis=1)
    normal = np.full(len(windowed), np.median(told.long))
    if recent:
        normal = np.maximum(normal, np.median(windowed[:, :recent], axis=1))
    compared: Values = peaks - normal
    return compared


def together(chances: Sequence[float]) -> float:
    """One probability for several dependent comparisons of the same thing: their harmonic mean (Wilson 2019)."""
    return len(chances) / sum(1 / max(chance, 1e-12) for chance in chances) if chances else 1.0
