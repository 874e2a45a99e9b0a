"""Who is to blame when there are only metrics of services and a call graph."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from evidence.blame import CallGraph, Trouble, call_graph, causes
from evidence.case import Inquiry
from evidence.deviation import Deviation, deviation, together
from evidence.series import SeriesTable
from evidence.coupling import couplings
from evidence.case import within
from evidence.signals import at, Role, Signal, signals

# How much the other role counts: a failing service is often slow as well, and a slow one fails.
OTHER_ROLE = 0.5


@dataclass
class Condition:
    """How one service did: its deviations by role, the one with the telling statistic first."""

    deviations: dict[Role, list[tuple[Signal, Deviation]]] = field(default_factory=lambda: defaultdict(list))

    def chance(self, role: Role) -> float | None:
        found = self.deviations.get(role)
        return together([deviation.p for _, deviation in found]) if found else None

    def rise(self, role: Role) -> float | None:
        for signal, found in self.deviations.get(role, ()):
            if signal.stat == "average":
                return found.rise
        return None

    @property
    def requests(self) -> float | None:
        return next((found.after for _, found in self.deviations.get("requests", ())), None)

    def excess(self, role: Role) -> float | None:
        rise, requests = self.rise(role), self.requests
        return None if rise is None or requests is None else rise * requests


def conditions(found: Iterable[Signal], inquiry: Inquiry) -> dict[str, Condition]:
    result: dict[str, Condition] = defaultdict(Condition)
    for signal in found:
        scale = "linear" if signal.role == "errors" else "log"
        told = deviation(signal.times, signal.values, inquiry.baseline, inquiry.incident, scale)
        if told is not None:
            result[signal.service].deviations[signal.role].append((signal, told))
    return result


def trouble(condition: Condition, role: Role, other: Role) -> Trouble | None:
    main, side = condition.chance(role), condition.chance(other)
    if main is None and side is None:
        return None
    if main is None:
        assert side is not None
        return Trouble(max(side ** OTHER_ROLE, side))
    chance = main
    if side is not None:
        chance = min(main, 1.0) * min(1.0, (side / 0.37)) ** OTHER_ROLE
    return Trouble(chance, condition.excess(role))


def rank(inquiry, table, topology):
    found = signals(table)
    seen = conditions(found, inquiry)
    role, other = ("errors", "latency") if inquiry.bad.error else ("latency", "errors")
    troubles = {}
    for s, c in seen.items():
        t = trouble(c, role, other)
        if t: troubles[s] = t
    graph = call_graph(topology, passed(found, inquiry, role, topology))
    names = sorted(set(seen) | {n for e in topology for n in e})
    below = graph.below(inquiry.service)
    root = troubles.get(inquiry.service)
    def prior(n):
        v = 1.0 if len(below) == 1 or n in below else 0.1
        t = troubles.get(n)
        if t is None: return v*.1
        if root and root.excess and root.excess>0:
            v *= .1+.9*min(max(t.excess,0)/root.excess,1) if t.excess is not None else .5
        return v
    priors = {n: prior(n) for n in names}
    return causes(inquiry.service, names, troubles, graph, priors), troubles


def losses(found, inquiry, role):
    asked = {s.service: s for s in found if s.role == "requests" and not s.source}
    result = {}
    for s in found:
        n = asked.get(s.service)
        if s.role != role or s.stat != "average" or n is None or s.source: continue
        m = within(inquiry.baseline, s.times)
        times = s.times[m]
        count = np.nan_to_num(at(times, n.times, n.values))
        result[s.service] = ((times, s.values[m] * count), (times, count))
    return result


def passed(found, inquiry, role, topology):
    lost = losses(found, inquiry, role)
    callees = defaultdict(list)
    for a, b in topology:
        if a in lost and b in lost: callees[a].append(b)
    shares = {}
    for a, bs in callees.items():
        for b, v in couplings(*lost[a], {b: lost[b][0] for b in bs}).items():
            shares[a, b] = v
    return shares
