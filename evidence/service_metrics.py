"""Who is to blame when there are only metrics of services and a call graph: the question of dependencies.

Each service's latency and errors in the incident are compared with its normal; the cause is the service that best
explains which services are out of the ordinary and which are not.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from evidence import quantities
from evidence.call_blame import CallGraph, Trouble, call_graph, causes
from evidence.case import Inquiry, within
from evidence.coupling import Losses, couplings
from evidence.deviation import Deviation, deviation, together
from evidence.findings import Finding, NotInvestigated, Reference, Report, Subject, Suspicion
from evidence.series import SeriesTable
from evidence.signals import Role, Signal, at, signals

# How much the other role counts: a failing service is often slow as well, and a slow one fails.
OTHER_ROLE = 0.5
# Below this chance something else counts as out of the ordinary; a p-value much above it argues for nothing.
UNUSUAL = 0.05
# Above it, it is as always.
USUAL = 0.2
# A cause less likely than this is in the ranking only.
LEAST_TOLD = 0.05
# Candidates are named when a cause is that likely, or half as likely and the flow itself is out of the ordinary.
EVIDENT = 0.7
# Relative to a service that was measured and is under the flow.
UNMEASURED, ELSEWHERE = 0.1, 0.1
# A surge: that much more traffic, and hardly by chance.
SURGE_RATIO, SURGE_CHANCE = 1.5, 0.001
MOST_NAMED = 20


@dataclass(frozen=True)
class Compared:
    signal: Signal
    deviation: Deviation


@dataclass(frozen=True)
class Condition:
    """How one service did in the incident, by role; what was measured by its callers comes with their names."""

    compared: Mapping[Role, Sequence[Compared]] = field(default_factory=dict)

    def chance(self, role: Role) -> float | None:
        """How likely it would be so without a cause, from its own view and that of its callers."""
        views = [
            together([one.deviation.p for one in found])
            for _, found in groupby(self.compared.get(role, ()), key=lambda one: bool(one.signal.source))
        ]
        return together(views) if views else None

    def telling(self, role: Role) -> Compared | None:
        """What to show: the average, since it adds up; otherwise what is farthest from its normal."""
        found = self.compared.get(role, ())
        return min(found, key=lambda one: (one.signal.stat != "average", one.deviation.p), default=None)

    def excess(self, role: Role) -> float | None:
        """Seconds waited or requests failed beyond the normal, by all requests of one sample together."""
        told, asked = self.telling(role), self.telling("requests")
        if told is None or asked is None or told.signal.stat != "average":
            return None
        return told.deviation.rise * asked.deviation.after


@dataclass(frozen=True)
class Analysis:
    """What the metrics say of each service, and how likely each is the cause, best first."""

    blamed: Mapping[str, float]
    seen: Mapping[str, Condition]
    troubles: Mapping[str, Trouble]
    graph: CallGraph
    # What makes the flow's requests bad: the first thing to look at.
    role: Role


def investigate(inquiry: Inquiry, table: SeriesTable, topology: Sequence[tuple[str, str]] = ()) -> Report:
    """Ranks every service of the call graph or the metrics; empty when nothing is out of the ordinary.

    Raises `NotInvestigated` when no metric tells how requests fared.
    """
    told = analyse(inquiry, signals(table), topology)
    surge = _surge(told.seen.get(inquiry.service))
    if not _evident(told.blamed, told.troubles.get(inquiry.service)) and surge is None:
        return Report(findings=tuple(_fine(told)))
    return _report(inquiry, told, surge)


def analyse(inquiry: Inquiry, found: Sequence[Signal], topology: Sequence[tuple[str, str]] = ()) -> Analysis:
    """The signals of services and edges compared with their normal, and explained by the call graph."""
    if not any(signal.role != "requests" for signal in found):
        raise NotInvestigated("No metric tells how long requests took or how many failed.")
    seen = conditions(found, inquiry)
    role, other = roles(inquiry, seen)
    edges = [*topology, *{(signal.source, signal.service) for signal in found if signal.source}]
    graph = call_graph(edges, passed_on(found, inquiry, role, edges))
    troubles = {name: told for name, one in seen.items() if (told := trouble(one, role, other)) is not None}
    names = sorted(set(seen) | {name for edge in edges for name in edge})
    blamed = causes(inquiry.service, priors(inquiry, names, graph, troubles), troubles, graph)
    return Analysis(blamed, seen, troubles, graph, role)


def conditions(found: Iterable[Signal], inquiry: Inquiry) -> dict[str, Condition]:
    """What of each service can be compared, own measurements before those of callers."""
    held = list(found)
    asked = {signal.service: signal for signal in held if signal.role == "requests" and not signal.source}
    compared: dict[str, dict[Role, list[Compared]]] = defaultdict(lambda: defaultdict(list))
    for signal in sorted(held, key=lambda one: bool(one.source)):
        told = _compared(signal, asked.get(signal.service), inquiry)
        if told is not None:
            compared[signal.service][signal.role].append(Compared(signal, told))
    return {service: Condition(by_role) for service, by_role in compared.items()}


def _compared(signal: Signal, asked: Signal | None, inquiry: Inquiry) -> Deviation | None:
    if signal.role != "errors":
        return deviation(signal.times, signal.values, inquiry.baseline, inquiry.incident)
    least = _one_request(asked, inquiry)
    return deviation(signal.times, signal.values, inquiry.baseline, inquiry.incident, "linear", least)


def _one_request(asked: Signal | None, inquiry: Inquiry) -> float:
    """The share that one request is of a sample's, by which errors move at least."""
    if asked is None:
        return 0.0
    counts = asked.values[within([inquiry.incident], asked.times)]
    # Below one it is a rate, of which the number of requests is not known.
    return 1 / float(counts.mean()) if len(counts) and counts.mean() >= 1 else 0.0


def roles(inquiry: Inquiry, seen: Mapping[str, Condition]) -> tuple[Role, Role]:
    """What to look at first: what makes a request bad, or when nobody knows, what changed more for the flow."""
    ways: tuple[tuple[Role, Role], tuple[Role, Role]] = (("errors", "latency"), ("latency", "errors"))
    if inquiry.bad.known:
        return ways[0] if inquiry.bad.error else ways[1]
    own = seen.get(inquiry.service, Condition())
    errors, latency = own.chance("errors"), own.chance("latency")
    return ways[0] if (1.0 if errors is None else errors) < (1.0 if latency is None else latency) else ways[1]


def trouble(condition: Condition, role: Role, other: Role) -> Trouble | None:
    """The chance in the role that counts, lowered by the other when that is out of the ordinary too."""
    main, side = condition.chance(role), condition.chance(other)
    if main is None:
        return None if side is None else Trouble(side**OTHER_ROLE)
    # 1/e is where a p-value begins to argue for the alternative (Sellke, Bayarri and Berger 2001).
    support = 1.0 if side is None else min(side * np.e, 1.0) ** OTHER_ROLE
    return Trouble(main * support, condition.excess(role))


def passed_on(
    found: Sequence[Signal], inquiry: Inquiry, role: Role, edges: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], float]:
    """By (caller, callee): the share of the callee's loss that its caller loses too, as far as the baseline tells."""
    lost = _losses(found, inquiry, role)
    callees: dict[str, set[str]] = defaultdict(set)
    for caller, callee in edges:
        if caller in lost and callee in lost and caller != callee:
            callees[caller].add(callee)
    return {
        (caller, callee): share
        for caller, names in callees.items()
        for callee, share in couplings(*lost[caller], {name: lost[name][0] for name in sorted(names)}).items()
    }


def _losses(found: Sequence[Signal], inquiry: Inquiry, role: Role) -> dict[str, tuple[Losses, Losses]]:
    """What each service lost over the baseline, and how many requests it had."""
    own = [signal for signal in found if not signal.source]
    asked = {signal.service: signal for signal in own if signal.role == "requests"}
    lost = {}
    for signal in own:
        if signal.role != role or signal.stat != "average" or signal.service not in asked:
            continue
        normal = within(inquiry.baseline, signal.times)
        times, requests = signal.times[normal], asked[signal.service]
        counts = np.nan_to_num(at(times, requests.times, requests.values))
        lost[signal.service] = ((times, signal.values[normal] * counts), (times, counts))
    return lost


def priors(
    inquiry: Inquiry, names: Iterable[str], graph: CallGraph, troubles: Mapping[str, Trouble]
) -> dict[str, float]:
    """How likely each service is the cause before it is seen which are out of the ordinary, relative to the others."""
    below, flow = graph.below(inquiry.service), troubles.get(inquiry.service)
    return {name: _prior(troubles.get(name), flow, len(below) == 1 or name in below) for name in names}


def _prior(own: Trouble | None, flow: Trouble | None, below: bool) -> float:
    """Higher for what lies under the flow and accounts for what the flow loses."""
    place = 1.0 if below else ELSEWHERE
    if own is None:
        return place * UNMEASURED
    if flow is None or flow.excess is None or flow.excess <= 0:
        return place
    if own.excess is None:
        return place * 0.5
    return place * (0.1 + 0.9 * min(max(own.excess, 0.0) / flow.excess, 1.0))


def _surge(condition: Condition | None) -> Compared | None:
    """The rise of the flow's traffic, when it is one."""
    asked = condition.telling("requests") if condition is not None else None
    if asked is None or asked.deviation.p > SURGE_CHANCE or asked.deviation.before <= 0:
        return None
    return asked if asked.deviation.after >= SURGE_RATIO * asked.deviation.before else None


def _evident(blamed: Mapping[str, float], flow: Trouble | None) -> bool:
    likely = sum(blamed.values())
    return likely >= EVIDENT or (likely >= EVIDENT / 2 and flow is not None and flow.chance < UNUSUAL / 2)


def _report(inquiry: Inquiry, told: Analysis, surge: Compared | None) -> Report:
    load = 0.0 if surge is None else 1 - surge.deviation.before / surge.deviation.after
    suspicions = [
        Suspicion(name, "code" if name == inquiry.service else "dependency", score * (1 - load))
        for name, score in list(told.blamed.items())[:MOST_NAMED]
    ]
    likely = [one for one in suspicions[:3] if one.score >= LEAST_TOLD]
    findings = [found for one in likely if (found := _finding(one, told)) is not None]
    if surge is not None:
        suspicions.append(Suspicion(inquiry.service, "load", load))
        findings.append(_load_finding(inquiry, surge, load))
    suspicions.sort(key=lambda one: -one.score)
    findings.sort(key=lambda one: -one.score)
    return Report((*findings, *_fine(told)), tuple(suspicions))


def _finding(suspicion: Suspicion, analysis: Analysis) -> Finding | None:
    condition = analysis.seen.get(suspicion.service, Condition())
    told = condition.telling(analysis.role) or condition.telling("latency") or condition.telling("errors")
    if told is None:
        return None
    return Finding(
        question="dependencies",
        statement=f"{suspicion.service} {_change(told)}{_around(suspicion.service, analysis)}.",
        score=suspicion.score,
        confidence=suspicion.score,
        subject=Subject(service=suspicion.service),
        numbers={
            "before": told.deviation.before,
            "after": told.deviation.after,
            "unit": "seconds" if told.signal.role == "latency" else "share",
            "statistic": told.signal.stat,
            "chance": condition.chance(told.signal.role),
        },
        references=(Reference("metric", told.signal.selector),),
    )


def _change(told: Compared) -> str:
    before, after = told.deviation.before, told.deviation.after
    if told.signal.role == "errors":
        return f"fails in {quantities.percent(after)} of its requests (before: {quantities.percent(before)})"
    stat = "on average" if told.signal.stat == "average" else f"at {told.signal.stat}"
    rise = "longer" if after >= before else "shorter"
    return (
        f"takes {quantities.seconds(abs(after - before))} {rise} {stat}"
        f" ({quantities.seconds(before)} -> {quantities.seconds(after)})"
    )


def _around(service: str, told: Analysis) -> str:
    """What its callees and callers say for it being the cause."""
    below = told.graph.callees.get(service, frozenset())
    slow = _unusual(below, told.troubles)
    words = f"; below it, {quantities.some(slow)} {'is' if len(slow) == 1 else 'are'} unusual too" if slow else ""
    if not slow and any(name in told.troubles for name in below):
        words = ", although what it calls is as usual"
    callers = _unusual(told.graph.callers.get(service, frozenset()), told.troubles)
    follow = "its caller {} follows" if len(callers) == 1 else "its callers {} follow"
    return words + (f"; {follow.format(quantities.some(callers))}" if callers else "")


def _unusual(names: Iterable[str], troubles: Mapping[str, Trouble]) -> list[str]:
    return sorted(name for name in names if name in troubles and troubles[name].chance < UNUSUAL)


def _load_finding(inquiry: Inquiry, surge: Compared, load: float) -> Finding:
    before, after = surge.deviation.before, surge.deviation.after
    return Finding(
        question="dependencies",
        statement=f"{inquiry.service} has {after / before:.1f} times its usual traffic.",
        score=load,
        confidence=load,
        subject=Subject(service=inquiry.service),
        numbers={"requests_before": before, "requests_after": after, "chance": surge.deviation.p},
        references=(Reference("metric", surge.signal.selector),),
    )


def _fine(told: Analysis) -> Iterable[Finding]:
    """One finding for all services that are as they always are."""
    chances = {name: one.chance(told.role) for name, one in told.seen.items()}
    usual = sorted(name for name, chance in chances.items() if chance is not None and chance > USUAL)
    if usual:
        what = "latency is" if told.role == "latency" else "errors are"
        yield Finding(
            question="dependencies",
            statement=f"The {what} as usual in {len(usual)} services: {quantities.some(usual, 8)}.",
            score=0.0,
            confidence=0.9,
            numbers={"services": list(usual)},
            fine=True,
        )
