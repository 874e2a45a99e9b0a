"""What a change did to the pods that got it, compared with those that did not: a difference in differences.

In a staged roll-out the pods of one service run both versions side by side, with the same traffic, callees and time of
day. What differs between them after the change and did not before is what the change did (Card and Krueger 1994).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from connectors.telemetry import from_ns, to_ns
from evidence.case import Change, Inquiry, Interval, Times
from evidence.deviation import LEAST_RATIO, LEAST_SHARE, Deviation, deviation, tail, together
from evidence.resources import meter_of
from evidence.series import Series, Values
from evidence.signals import Role, Signal, averaged, signals

# Pods are scraped and listed a little before or after the instant that a change is given.
TOLERANCE_NS = 60_000_000_000
LEAST_SAMPLES = 3
_PRIOR_PODS = 4

type Usual = Mapping[tuple[str, ...], float]


@dataclass(frozen=True)
class Pod:
    """A pod, by what is measured of it: its version where that is known, and from when to when it was seen."""

    name: str
    version: str
    first_ns: int
    last_ns: int


@dataclass(frozen=True)
class Effect:
    """What changed pods do differently: `normal` is that of unchanged ones, or before the change when all have it."""

    role: Role
    metric: str
    selector: str
    normal: float
    changed: float
    # How likely such a difference is without the change having done anything.
    p: float


@dataclass(frozen=True)
class Rollout:
    """A change in the metrics of its service; `effects` are the most unlikely first."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    effects: tuple[Effect, ...]
    # Whether the effects are those of changed pods against unchanged ones, or of the service against itself before.
    beside: bool
    # The same of what the pods use and what waits in them, where pods are beside each other.
    resources: tuple[Effect, ...] = ()

    def chance(self, role: Role) -> float | None:
        found = [effect.p for effect in self.effects if effect.role == role]
        return together(found) if found else None


def pods(table: Iterable[Series]) -> dict[str, list[Pod]]:
    """By service, the pods of which anything is measured."""
    seen: dict[tuple[str, str], Pod] = {}
    for series in table:
        if not series.pod or not len(series):
            continue
        service = pod_owner(series.pod, series.source, series.destination or series.service)
        found = Pod(series.pod, series.version, int(series.times[0]), int(series.times[-1]))
        known = seen.get((service, series.pod), found)
        seen[service, series.pod] = Pod(
            series.pod,
            known.version or found.version,
            min(known.first_ns, found.first_ns),
            max(known.last_ns, found.last_ns),
        )
    by_service: dict[str, list[Pod]] = defaultdict(list)
    for (service, _), pod in seen.items():
        by_service[service].append(pod)
    return by_service


def pod_owner(pod: str, source: str, service: str) -> str:
    """Whose pod it is, when an edge has one: that of the caller if it is named after it and not after the callee."""
    return source if source and pod.startswith(source) and not pod.startswith(service) else service


def split(change: Change, known: Sequence[Pod], began_ns: int) -> tuple[set[str], set[str]]:
    """The pods that have the change and those that do not, by version or else by when they were first seen.

    When nothing tells them apart all have it. `began_ns` is when anything was first measured: a pod that was there
    then was there before.
    """
    by_version = {pod.name for pod in known if change.version and same_version(pod.version, change.version)}
    if by_version:
        return by_version, {pod.name for pod in known} - by_version
    at = to_ns(change.at)
    new = {pod.name for pod in known if pod.first_ns >= at - TOLERANCE_NS and pod.first_ns > began_ns + TOLERANCE_NS}
    if not new:
        return {pod.name for pod in known}, set()
    return new, {pod.name for pod in known if pod.last_ns > at} - new


def same_version(seen: str, announced: str) -> bool:
    """Whether a label says the version that was announced: as it is, as an image's tag, or without the leading v."""
    tag = seen.rsplit(":", 1)[-1]
    return (bool(seen) and announced in (seen, tag)) or tag.lstrip("v") == announced.lstrip("v") != ""


def rollout(
    change: Change,
    inquiry: Inquiry,
    table: Sequence[Series],
    found: Sequence[Signal] = (),
    onset: datetime | None = None,
) -> Rollout:
    """What the change did, in the requests of its service's pods, or of the service when pods are not told apart.

    `found` are the signals of the table by pod, if they are known already. Pods are compared from the `onset` on: what
    was the same as long as nothing was wrong exonerates nobody.
    """
    known = pods(table).get(change.service, [])
    began = min((int(series.times[0]) for series in table if len(series)), default=0)
    changed, unchanged = split(change, known, began)
    held = found or signals(table, per_pod=True)
    own = [one for one in held if _belongs(one, change.service)]
    usual = usual_variances(held, change.at)
    after = Interval(max(change.at, onset or change.at), inquiry.incident.end)
    effects = _side_by_side(own, changed, unchanged, after, to_ns(change.at), usual)
    used = _used(table)
    ours = [one for one in used if one.service == change.service]
    resources = _side_by_side(ours, changed, unchanged, after, to_ns(change.at), usual_variances(used, change.at))
    told = effects or _before_and_after(own, change, inquiry)
    return Rollout(
        changed=tuple(sorted(changed)),
        unchanged=tuple(sorted(unchanged)),
        effects=tuple(sorted(told, key=lambda effect: effect.p)),
        beside=bool(effects),
        resources=tuple(sorted(resources, key=lambda effect: effect.p)),
    )


def _used(table: Iterable[Series]) -> list[Signal]:
    """What pods use of their resources, in the form of signals that vary by factors."""
    return [
        Signal("latency", one.service, rate.times, rate.values, pod=one.pod, metric=one.name, selector=one.selector)
        for one in table
        if one.service and one.pod and meter_of(one) is not None and len(rate := one.as_rate())
    ]


def _belongs(signal: Signal, service: str) -> bool:
    if signal.role == "requests":
        return False
    return (pod_owner(signal.pod, signal.source, signal.service) if signal.pod else signal.service) == service


def _side_by_side(
    own: Sequence[Signal], changed: set[str], unchanged: set[str], after: Interval, at_ns: int, usual: Usual
) -> list[Effect]:
    effects = []
    for alike in _alike(own).values():
        new = {one.pod: one for one in alike if one.pod in changed}
        old = {one.pod: one for one in alike if one.pod in unchanged}
        if new and old and (effect := _difference(new, old, after, at_ns, usual)) is not None:
            effects.append(effect)
    return effects


def _alike(own: Sequence[Signal]) -> Mapping[tuple[str, ...], list[Signal]]:
    """Signals that differ in nothing but their pod and its version."""
    groups: dict[tuple[str, ...], list[Signal]] = defaultdict(list)
    for one in own:
        groups[one.role, one.metric, one.stat, one.source, one.service].append(one)
    return groups


def _difference(
    new: Mapping[str, Signal], old: Mapping[str, Signal], after: Interval, at_ns: int, usual: Usual
) -> Effect | None:
    """How the pods with the change differ from the others now, less how they did before where they were there."""
    shown = next(iter(new.values()))
    after = _both(new, old, after)
    news, olds = ({pod: _level(one, after) for pod, one in group.items()} for group in (new, old))
    now, then = _known(news), _known(olds)
    if not len(now) or not len(then):
        return None
    distance = float(now.mean() - np.median(then)) - _before(new, old, at_ns)
    variance = usual.get((shown.role, shown.metric, shown.stat))
    least = LEAST_SHARE if shown.role == "errors" else LEAST_RATIO
    spread = np.hypot(_spread_of(then, old, after, variance), least)
    few = (1 + 1 / len(now) + 1 / len(then)) ** 0.5 * (1.0 if variance is not None else 1 + 2 / len(then))
    return Effect(
        role=shown.role,
        metric=shown.metric,
        selector=shown.selector,
        normal=_unscaled(float(np.median(then)), shown.role),
        changed=_unscaled(float(now.mean()), shown.role),
        p=tail(max(distance, 0.0) / float(spread * few)),
    )


def _both(new: Mapping[str, Signal], old: Mapping[str, Signal], after: Interval) -> Interval:
    """The part of it in which there were pods with and without the change."""
    last = min(max(int(one.times[-1]) for one in group.values()) for group in (new, old))
    return Interval(after.start, max(min(after.end, from_ns(last + 1_000_000)), after.start))


def _scaled(values: Values, role: Role) -> Values:
    """Shares as they are, latencies by factors."""
    scaled: Values = values if role == "errors" else np.log(np.maximum(values, 1e-6))
    return scaled


def _unscaled(value: float, role: Role) -> float:
    return value if role == "errors" else float(np.exp(value))


def _level(one: Signal, when: Interval) -> float | None:
    values = one.values[when.covers(one.times)]
    return float(_scaled(values, one.role).mean()) if len(values) >= LEAST_SAMPLES else None


def _known(levels: Mapping[str, float | None]) -> Values:
    return np.array([level for level in levels.values() if level is not None], dtype=np.float64)


def _before(new: Mapping[str, Signal], old: Mapping[str, Signal], at_ns: int) -> float:
    """How the two differed before the change; 0 when the changed pods are new."""
    levels = []
    for group in (new, old):
        values = [_scaled(one.values[one.times < at_ns - TOLERANCE_NS], one.role) for one in group.values()]
        known = [float(part.mean()) for part in values if len(part)]
        if not known:
            return 0.0
        levels.append(float(np.mean(known)))
    return levels[0] - levels[1]


def _spread_of(then: Values, old: Mapping[str, Signal], after: Interval, usual: float | None) -> float:
    """How much the levels of pods without the change differ, by pods and by chance over so short a time.

    A few pods do not tell, so how much pods of one service `usual`ly differ counts as `_PRIOR_PODS` more of them (the
    moderated variance of Smyth 2004).
    """
    varying = [_scaled(one.values[after.covers(one.times)], one.role) for one in old.values()]
    by_time = float(
        np.median([part.var() / len(part) for part in varying if len(part) >= LEAST_SAMPLES] or [np.float64(0)])
    )
    degrees = len(then) - 1
    own = float(then.var(ddof=1)) if degrees else 0.0
    prior = 0 if usual is None else _PRIOR_PODS
    between = (degrees * own + prior * (usual or 0.0)) / max(degrees + prior, 1)
    return float(np.sqrt(between + 2 * by_time))


def usual_variances(found: Iterable[Signal], before: datetime) -> dict[tuple[str, ...], float]:
    """By role, metric and statistic: the variance between pods of one service, the median over services."""
    levels: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for one in found:
        if one.pod and one.role != "requests":
            values = _scaled(one.values[one.times < to_ns(before)], one.role)
            if len(values) >= LEAST_SAMPLES:
                levels[one.role, one.metric, one.stat, one.source, one.service].append(float(values.mean()))
    variances: dict[tuple[str, ...], list[float]] = defaultdict(list)
    for key, of_pods in levels.items():
        if len(of_pods) > 1:
            variances[key[:3]].append(float(np.var(of_pods, ddof=1)))
    return {key: float(np.median(known)) for key, known in variances.items()}


def _before_and_after(own: Sequence[Signal], change: Change, inquiry: Inquiry) -> list[Effect]:
    """Of a change that all pods got: the service as a whole before it, and from it on."""
    start = min((interval.start for interval in inquiry.baseline), default=change.at)
    before, after = (Interval(start, change.at),), Interval(change.at, inquiry.incident.end)
    effects = []
    for alike in _alike([replace(one, version="") for one in own]).values():
        shown = alike[0]
        times, values = _merged(alike)
        told = deviation(times, values, before, after, "linear" if shown.role == "errors" else "log")
        if told is not None:
            effects.append(_effect(shown, told))
    return effects


def _merged(alike: Sequence[Signal]) -> tuple[Times, Values]:
    return averaged([Series(one.metric, {}, one.times, one.values, "gauge") for one in alike])


def _effect(shown: Signal, told: Deviation) -> Effect:
    return Effect(shown.role, shown.metric, shown.selector, told.before, told.after, told.p)
