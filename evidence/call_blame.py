"""Which service explains what is out of the ordinary in a call graph: the deepest cause, not the loudest symptom.

Each service is tried as the cause. It would have to be out of the ordinary itself; its callers may be so because of it,
the more likely the more of their trouble it can account for; all else is a coincidence. How well this fits what was
measured, by Bayes' rule, is the probability of the cause. The idea of inferring a cause through a dependency graph is
that of Sherlock (Bahl et al. 2007) and Shrink (Kandula et al. 2005), here for one cause at a time.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# How often something is out of the ordinary by coincidence while an incident lasts.
COINCIDENCE = 0.05
# A cause shows in its own metrics nearly always; its caller follows in half of the cases when nothing is known of how
# much of the caller's work it does, and hardly ever when it accounts for none of the caller's trouble.
SHOWS = 0.95
FOLLOWS = 0.5
FOLLOWS_LEAST = 0.05
FOLLOWS_MOST = 0.9
# Half of what is wrong with a service does not show in what is measured of it.
VISIBLE = 0.5
# The shape xi of the alternative in the Bayes factor of a p-value, xi * p^(xi - 1) (Sellke, Bayarri and Berger 2001):
# the smaller, the stronger what is wrong. Coincidences are mostly mild.
CAUSED, COINCIDENTAL = 0.2, 0.5
_LONGEST_CHAIN = 30
_LEAST_CHANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is known of one service: how likely it would be as it is without any cause, and how much it adds up to.

    `excess` is what the flow's requests lose by it altogether, in any one unit (seconds waited or requests failed in a
    unit of time); None when that is not known.
    """

    chance: float
    excess: float | None = None

    @property
    def factor(self) -> float:
        """How much more likely the measurement is when something is wrong than when nothing is."""
        return VISIBLE * bayes_factor(self.chance, CAUSED) + 1 - VISIBLE

    def by_chance(self, prior: float = COINCIDENCE) -> float:
        """The same of *something unrelated may be wrong*, which is mostly milder."""
        return prior * bayes_factor(self.chance, COINCIDENTAL) + 1 - prior


def bayes_factor(chance: float, shape: float) -> float:
    """Of *something is wrong* against *nothing is*, from a p-value."""
    return shape * math.pow(max(chance, _LEAST_CHANCE), shape - 1)


@dataclass(frozen=True)
class CallGraph:
    """Who calls whom. Edges from a service to itself are left out."""

    callees: Mapping[str, frozenset[str]]
    callers: Mapping[str, frozenset[str]]
    # By (caller, callee): the share of the callee's loss that its caller loses too; 1 when it is not known.
    passed: Mapping[tuple[str, str], float] = field(default_factory=dict)

    def below(self, service: str) -> frozenset[str]:
        """The service and all that it depends on, however indirectly."""
        return _reach(service, self.callees)

    def above(self, service: str) -> frozenset[str]:
        """The service and all that depend on it."""
        return _reach(service, self.callers)


def call_graph(edges: Iterable[tuple[str, str]], passed: Mapping[tuple[str, str], float] | None = None) -> CallGraph:
    callees: dict[str, set[str]] = defaultdict(set)
    callers: dict[str, set[str]] = defaultdict(set)
    for caller, callee in edges:
        if caller and callee and caller != callee:
            callees[caller].add(callee)
            callers[callee].add(caller)
    return CallGraph(_frozen(callees), _frozen(callers), passed or {})


def _frozen(sets: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    return {name: frozenset(members) for name, members in sets.items()}


def _reach(start: str, edges: Mapping[str, frozenset[str]]) -> frozenset[str]:
    reached, waiting = {start}, [start]
    while waiting:
        for other in edges.get(waiting.pop(), frozenset()):
            if other not in reached:
                reached.add(other)
                waiting.append(other)
    return frozenset(reached)


def _follows(callee: Trouble | None, caller: Trouble | None, share: float) -> float:
    """How likely a caller is out of the ordinary because its callee is."""
    if callee is None or caller is None or callee.excess is None or caller.excess is None or caller.excess <= 0:
        return FOLLOWS_LEAST + (FOLLOWS - FOLLOWS_LEAST) * share
    accounted = min(share * max(callee.excess, 0.0) / caller.excess, 1.0)
    return FOLLOWS_LEAST + (FOLLOWS_MOST - FOLLOWS_LEAST) * accounted


def _updated(prior: float, trouble: Trouble | None, coincidence: float) -> float:
    if trouble is None:
        return prior
    caused = prior * trouble.factor
    return caused / (caused + (1 - prior) * coincidence)


def coincidences(flow: str, troubles: Mapping[str, Trouble], graph: CallGraph) -> dict[str, float]:
    """How likely what was measured of each service is without the cause, relative to its being fine.

    A caller follows its callee in coincidences too, so that a chain of services counts as one of them. The service of
    the flow itself is exempt: its trouble is what asks for a cause.
    """
    priors = dict.fromkeys(troubles, COINCIDENCE)
    for _ in range(_LONGEST_CHAIN):
        risen = {
            caller: max(priors[caller], *(_carried(callee, caller, priors, troubles, graph) for callee in callees))
            for caller, callees in graph.callees.items()
            if caller in troubles and caller != flow
        }
        if all(risen[caller] <= priors[caller] + 1e-6 for caller in risen):
            break
        priors |= risen
    return {name: trouble.by_chance(priors[name]) for name, trouble in troubles.items()}


def _carried(
    callee: str, caller: str, priors: Mapping[str, float], troubles: Mapping[str, Trouble], graph: CallGraph
) -> float:
    """How likely the caller follows a coincidence of its callee."""
    trouble = troubles.get(callee)
    if trouble is None:
        return 0.0
    strange = priors[callee] * bayes_factor(trouble.chance, COINCIDENTAL)
    share = graph.passed.get((caller, callee), 1.0)
    return _follows(trouble, troubles[caller], share) * strange / (strange + 1 - priors[callee])


def likelihood(cause: str, troubles: Mapping[str, Trouble], graph: CallGraph, by_chance: Mapping[str, float]) -> float:
    """The logarithm of how much better `cause` fits the measurements than coincidences alone."""
    affected: dict[str, float] = {}
    wave, gained = {cause: SHOWS}, 0.0
    while wave:
        for service, prior in wave.items():
            trouble, coincidence = troubles.get(service), by_chance.get(service, 1.0)
            affected[service] = _updated(prior, trouble, coincidence)
            if trouble is not None:
                gained += math.log(prior * trouble.factor / coincidence + 1 - prior)
        wave = _next_wave(wave, affected, troubles, graph)
    return gained


def _next_wave(
    wave: Iterable[str], affected: Mapping[str, float], troubles: Mapping[str, Trouble], graph: CallGraph
) -> dict[str, float]:
    """The callers of a wave that no wave has reached yet, each with how likely it follows any of its callees."""
    reached: dict[str, float] = {}
    for callee in wave:
        for caller in graph.callers.get(callee, frozenset()) - affected.keys():
            share = graph.passed.get((caller, callee), 1.0)
            follows = affected[callee] * _follows(troubles.get(callee), troubles.get(caller), share)
            reached[caller] = 1 - (1 - reached.get(caller, 0.0)) * (1 - follows)
    return reached


def causes(
    flow: str, priors: Mapping[str, float], troubles: Mapping[str, Trouble], graph: CallGraph
) -> dict[str, float]:
    """The probability of each service to be the cause of the flow's trouble, best first; the rest to 1 is that none is.

    `priors` are relative to each other; together they are as likely as no cause at all.
    """
    by_chance = coincidences(flow, troubles, graph)
    whole = sum(priors.values()) or 1.0
    logs = {
        name: math.log(prior / whole) + likelihood(name, troubles, graph, by_chance)
        for name, prior in priors.items()
        if prior > 0
    }
    highest = max([0.0, *logs.values()])
    total = math.exp(-highest) + sum(math.exp(value - highest) for value in logs.values())
    ranked = sorted(logs.items(), key=lambda item: (-item[1], item[0]))
    return {name: math.exp(value - highest) / total for name, value in ranked}
