"""Which change did it: by when it came, where in the call graph it is, and what its pods do differently since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from connectors.telemetry import from_ns
from evidence import quantities
from evidence.call_blame import CAUSED, CallGraph, bayes_factor, call_graph
from evidence.case import Change, Inquiry
from evidence.deviation import together
from evidence.findings import Finding, NotInvestigated, Number, Reference, Report, Subject, Suspicion
from evidence.metric_onset import stepped
from evidence.rollout import Effect, Rollout, rollout
from evidence.series import SeriesTable
from evidence.service_metrics import Analysis, Condition, analyse
from evidence.signals import Role, Signal, signals
from evidence.versions import VersionSeen, known_changes, seen_version

# About 70 % of outages are due to changes in a live system (Beyer et al., Site Reliability Engineering, 2016, ch. 1).
BY_CHANGE = 0.7
# Most changes that do harm do it at once; slow leaks and rare paths take longer. Once the onset is that much later, a
# change counts a quarter.
FADES_AFTER = timedelta(minutes=12)
# How much later than the onset a change may be recorded, as clocks and slices are not exact.
LATE = timedelta(minutes=1)
# A change far from what is blamed may still do it by ways that nobody measured.
LEAST_SCOPE = 0.02
# What a change counts whose service nobody measures, or that names none, as a flag of the whole system.
ELSEWHERE = 0.1
# What a service under the one that is blamed counts of it.
UNDER = 0.3
# A version's share of bad requests over its share of all says at most this much, as few requests prove little.
MOST_LIFT = 20.0
# What a difference between pods in the other role counts, as in the metrics of services.
OTHER_ROLE = 0.5
# How often a change that does harm shows between the pods with and without it, and in its service as a whole.
SHOWN_BY_PODS, SHOWN_BY_SERVICE = 0.8, 0.5
# What a service that fares worse than before counts at most, when no pods without the change tell that it would not.
MOST_UNCONTROLLED = 10.0
# What a new pod uses differs for many reasons: empty caches, code that is compiled anew.
MOST_BY_RESOURCES, MOST_BY_RESOURCES_ALONE = 3.0, 30.0
# Changes are blamed when together they are that likely the cause.
EVIDENT = 0.3
# Or when the pods of one of them speak that clearly for it, though nobody knows what they have to do with the flow.
MOVED = 3.0
# Changes less likely than this are told as what was looked at and is fine.
LEAST_TOLD = 0.05


@dataclass(frozen=True)
class Judged:
    """One change and what speaks for and against it; `score` is the probability that it is the cause."""

    change: Change
    weight: float
    rollout: Rollout | None = None
    seen: VersionSeen | None = None
    # It came after the onset, so it cannot be the cause.
    late: bool = False
    # How much more likely its pods' metrics are when it did something.
    moved: float = 1.0
    score: float = 0.0


@dataclass(frozen=True)
class _Scene:
    """What all changes are judged by."""

    inquiry: Inquiry
    onset: datetime
    # From when on a change is too late to be the cause.
    too_late: datetime
    graph: CallGraph
    # The probability of each service to be where it is wrong; empty when nobody knows.
    blamed: Mapping[str, float]
    role: Role
    signals: Sequence[Signal] = ()
    table: SeriesTable = field(default_factory=SeriesTable)
    versions: Mapping[str, Mapping[str, VersionSeen]] = field(default_factory=dict)


def investigate(
    inquiry: Inquiry,
    table: SeriesTable | None = None,
    topology: Sequence[tuple[str, str]] = (),
    versions: Mapping[str, Mapping[str, VersionSeen]] | None = None,
    blamed: Mapping[str, float] | None = None,
    onset: datetime | None = None,
    latest: datetime | None = None,
) -> Report:
    """Ranks all changes that were announced or can be seen in the telemetry.

    `versions` is what traces tell, by service and version; `blamed` how likely other investigators hold each service
    to be where it is wrong, if they have been asked, else the metrics tell; `onset` is read from the metrics when it is
    not given, and may be as late as `latest`. Raises `NotInvestigated` when no change is known.
    """
    held = table or SeriesTable()
    changes = known_changes(inquiry, held, versions or {})
    if not changes:
        raise NotInvestigated("No change was announced, and none can be seen in the telemetry.")
    began = (onset, max(latest or onset, onset + LATE)) if onset else None
    scene = _scene(inquiry, held, topology, versions or {}, blamed, began)
    return _report(scene, _scored([_judged(change, scene) for change in changes], scene))


def _scene(
    inquiry: Inquiry,
    table: SeriesTable,
    topology: Sequence[tuple[str, str]],
    versions: Mapping[str, Mapping[str, VersionSeen]],
    blamed: Mapping[str, float] | None,
    began: tuple[datetime, datetime] | None,
) -> _Scene:
    told = _analysis(inquiry, table, topology)
    role: Role = told.role if told else "errors" if inquiry.bad.error else "latency"
    seen = began or _onset(inquiry, told, role)
    return _Scene(
        inquiry=inquiry,
        onset=seen[0],
        too_late=seen[1],
        graph=told.graph if told else call_graph(topology),
        blamed=blamed if blamed is not None else told.blamed if told else {},
        role=role,
        signals=signals(table, per_pod=True),
        table=table,
        versions=versions,
    )


def _onset(inquiry: Inquiry, told: Analysis | None, role: Role) -> tuple[datetime, datetime]:
    """When it began, and from when on a change is too late: nothing is when metrics do not show when it began."""
    start = inquiry.incident.start
    if told is None:
        return start, start + LATE
    own = [one.signal for one in told.seen.get(inquiry.service, Condition()).compared.get(role, ())]
    found = stepped(inquiry, own)
    if found is None:
        return start, inquiry.incident.end
    signal, told_step = found
    interval = timedelta(microseconds=float(np.median(np.diff(signal.times))) / 1000)
    began = max(start, from_ns(told_step.at_ns))
    return began, began + max(LATE, interval)


def _analysis(inquiry: Inquiry, table: SeriesTable, topology: Sequence[tuple[str, str]]) -> Analysis | None:
    try:
        return analyse(inquiry, signals(table), topology)
    except NotInvestigated:
        return None


def _judged(change: Change, scene: _Scene) -> Judged:
    seen = seen_version(scene.versions, change.service, change.version)
    if change.at > scene.too_late:
        return Judged(change, 0.0, seen=seen, late=True)
    rolled = (
        rollout(change, scene.inquiry, scene.table.series, scene.signals, scene.onset) if len(scene.table) else None
    )
    moved = _moved(rolled, scene)
    weight = _recency(scene.onset - change.at) * _scope(change.service, scene) * _lift(seen) * moved
    return Judged(change, weight, rolled, seen, moved=moved)


def _recency(gap: timedelta) -> float:
    """How dense the onsets of harmful changes are so long after them (Lomax, of shape 1), compared with at once.

    Changes that do no harm come at any time, so this is how much more likely the gap is for a harmful one.
    """
    return 1 / (1 + max(gap, timedelta()) / FADES_AFTER) ** 2


def _scope(service: str, scene: _Scene) -> float:
    """How likely it is wrong where the change is, or in what depends on it."""
    if not scene.blamed:
        return 1 / max(len(scene.inquiry.changes), 1)
    if service not in scene.blamed:
        return ELSEWHERE * sum(scene.blamed.values())
    above = max((scene.blamed.get(name, 0.0) for name in scene.graph.above(service) - {service}), default=0.0)
    return LEAST_SCOPE + (1 - LEAST_SCOPE) * max(scene.blamed.get(service, 0.0), UNDER * above)


def _lift(seen: VersionSeen | None) -> float:
    """How much more of the bad requests than of all have the version."""
    if seen is None or seen.bad_share is None:
        return 1.0
    if not seen.incident_share:
        return 1 / MOST_LIFT
    lift = (seen.bad_share + 0.05) / (seen.incident_share + 0.05)
    return float(np.clip(lift, 1 / MOST_LIFT, MOST_LIFT))


def _moved(rolled: Rollout | None, scene: _Scene) -> float:
    """How much more likely the metrics are when the change did something, the flow's kind of trouble first.

    Pods beside each other say it for and against. Before and after only say that it began then, which where it is
    wrong says already.
    """
    if rolled is None:
        return 1.0
    main = rolled.chance(scene.role)
    side = rolled.chance("latency" if scene.role == "errors" else "errors")
    factor = 1.0 if main is None else _seen_in(main, SHOWN_BY_PODS if rolled.beside else SHOWN_BY_SERVICE)
    factor *= 1.0 if side is None else max(_seen_in(side, SHOWN_BY_PODS), 1.0) ** OTHER_ROLE
    return (factor if rolled.beside else min(factor**0.5, MOST_UNCONTROLLED)) * _used_more(rolled)


def _used_more(rolled: Rollout) -> float:
    """The same of what the pods use, which proves less, unless it is all that is known of them."""
    if not rolled.resources:
        return 1.0
    used = max(bayes_factor(together([effect.p for effect in rolled.resources]), CAUSED), 1.0)
    return float(min(used**OTHER_ROLE, MOST_BY_RESOURCES) if rolled.beside else min(used, MOST_BY_RESOURCES_ALONE))


def _seen_in(chance: float, shown: float) -> float:
    return shown * bayes_factor(chance, CAUSED) + 1 - shown


def _scored(judged: Sequence[Judged], scene: _Scene) -> list[Judged]:
    """Probabilities, against a cause that is no change and against nothing being wrong at all."""
    weights = [BY_CHANGE * one.weight for one in judged]
    somewhere = sum(scene.blamed.values()) if scene.blamed else 1.0
    whole = sum(weights) + (1 - BY_CHANGE) * somewhere + max(1 - somewhere, 0.0)
    scored = [replace(one, score=weight / whole) for one, weight in zip(judged, weights, strict=True)]
    return sorted(scored, key=lambda one: (one.late, -one.score, -one.change.at.timestamp(), one.change.service))


def _report(scene: _Scene, judged: Sequence[Judged]) -> Report:
    evident = sum(one.score for one in judged) >= EVIDENT or any(one.moved >= MOVED for one in judged)
    findings = tuple(_finding(one, scene, evident) for one in judged)
    suspicions: dict[str, Suspicion] = {}
    for one in judged:
        if one.score > 0 and one.change.service:
            suspicions.setdefault(one.change.service, Suspicion(one.change.service, "change", one.score))
    return Report(findings, tuple(suspicions.values()) if evident else ())


def _finding(judged: Judged, scene: _Scene, evident: bool) -> Finding:
    change = judged.change
    return Finding(
        question="changes",
        statement=_statement(judged, scene),
        score=judged.score,
        confidence=judged.score,
        subject=Subject(service=change.service),
        numbers=_numbers(judged, scene),
        references=(Reference("change", change.id or change.title or name_of(change)),),
        fine=not evident or judged.late or judged.score < LEAST_TOLD,
    )


def name_of(change: Change) -> str:
    """As a sentence names it: "checkout 2026.11.3", or its title when it has no version."""
    named = f"{change.service} {change.version}".strip() if change.version else ""
    return named or change.title or f"{change.service} {change.kind}".strip()


def _statement(judged: Judged, scene: _Scene) -> str:
    change, gap = judged.change, scene.onset - judged.change.at
    distance = quantities.seconds(abs(gap.total_seconds()))
    came = f"{name_of(change)} ({change.kind}) came"
    if judged.late:
        return f"{came} {distance} after the onset, so it is not the cause."
    when = f"{distance} before the onset" if gap > timedelta() else f"{distance} after the first bad minute began"
    parts = [f"{came} {when if abs(gap) >= timedelta(seconds=1) else 'at the onset'}"]
    if judged.seen is not None and judged.seen.bad_share is not None:
        bad, all_ = quantities.percent(judged.seen.bad_share), quantities.percent(judged.seen.incident_share)
        parts.append(f"{bad} of the bad requests have it, and {all_} of all")
    if judged.rollout is not None and judged.rollout.effects:
        parts.append(_difference(judged.rollout, scene.role))
    return "; ".join(parts) + "."


def _difference(rolled: Rollout, role: Role) -> str:
    """What the pods that have it do and those that do not, or the service before and after it."""
    effect = _telling(rolled, role)
    who = _count(len(rolled.changed), "pod") if rolled.beside else "service"
    against = f"{_count(len(rolled.unchanged), 'pod')} without it" if rolled.beside else "before it"
    several = rolled.beside and len(rolled.changed) > 1
    if effect.p > LEAST_TOLD:
        return f"its {who} {'are' if several else 'is'} no worse than {against}"
    shown = quantities.percent if effect.role == "errors" else quantities.seconds
    verb = "fail" if effect.role == "errors" else "take"
    does = f"{verb if several else verb + 's'}{' in' if effect.role == 'errors' else ''}"
    return f"its {who} {does} {shown(effect.changed)} ({against}: {shown(effect.normal)})"


def _telling(rolled: Rollout, role: Role) -> Effect:
    """The most unlikely difference, in the flow's kind of trouble when that is unlikely enough to be told."""
    main = [effect for effect in rolled.effects if effect.role == role and effect.p <= LEAST_TOLD]
    return (main or rolled.effects)[0]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _numbers(judged: Judged, scene: _Scene) -> dict[str, Number]:
    change = judged.change
    numbers: dict[str, Number] = {
        "version": change.version,
        "title": change.title,
        "kind": change.kind,
        "at": change.at.isoformat(),
        "seconds_before_onset": (scene.onset - change.at).total_seconds(),
    }
    if judged.seen is not None:
        numbers["incident_share"] = judged.seen.incident_share
        numbers["bad_share"] = judged.seen.bad_share
    if judged.rollout is not None and judged.rollout.effects:
        effect = _telling(judged.rollout, scene.role)
        numbers |= {"pods_with_it": len(judged.rollout.changed), "pods_without_it": len(judged.rollout.unchanged)}
        numbers |= {"metric": effect.metric, "normal": effect.normal, "changed": effect.changed, "chance": effect.p}
    return numbers
