"""What is simulated, and what requests meet: who arrives when, pods and their versions, faults, chance."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from bench.explain.faults import Effect, Fault, Place, Rollout, What
from bench.explain.meters import Meters
from bench.explain.records import Ended, LogRecord, Pod, SpanRecord
from bench.explain.system import Column, Flow, System

SPREAD = 0.3
# Now and then a request of the flow meets a pause (garbage collection, a lost packet) and is slow for no reason.
PAUSES = 0.004
PAUSE_SECONDS = 0.9
WIRE = 0.0006


@dataclass(frozen=True)
class Plan:
    """What is simulated: `windows` in seconds from the begin, `rate` in requests a second, and what happens."""

    system: System
    flow: str
    windows: tuple[tuple[float, float], ...]
    rate: float
    faults: tuple[Fault, ...] = ()
    rollouts: tuple[Rollout, ...] = ()
    sampled: float = 1.0
    pauses: float = PAUSES


@dataclass(slots=True)
class Request:
    at: float
    flow: Flow
    attributes: Mapping[str, str]
    trace_id: str
    sampled: bool
    touched: bool = False


@dataclass
class Recording:
    """Everything that was recorded: the sampled traces, all log lines, all requests of the flow, all meters."""

    world: "World"
    traces: list[list[SpanRecord]] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    meters: Meters = field(default_factory=Meters)


class World:
    """What requests meet: pods and their versions, faults at work, chance."""

    def __init__(self, plan: Plan, random: Random) -> None:
        self.plan, self.random = plan, random
        self._nodes = {service.name: plan.system.nodes_of(service.name) for service in plan.system.services}
        self._names: dict[tuple[str, int, str], Pod] = {}
        self._suffixes = Random(random.getrandbits(32))

    def pod(self, service: str, number: int, at: float) -> Pod:
        """The pod of this number at this time."""
        known = self.plan.system.service(service)
        version = known.version
        for rollout in self.plan.rollouts:
            if rollout.service == service and rollout.reached(number, known.pods, at):
                version = rollout.version
        key = (service, number, version)
        if key not in self._names:
            name = f"{service}-{self._suffixes.getrandbits(36):09x}-{self._suffixes.getrandbits(20):05x}"
            self._names[key] = Pod(service, number, version, name, self._nodes[service][number])
        return self._names[key]

    def any_pod(self, service: str, at: float) -> Pod:
        return self.pod(service, self.random.randrange(self.plan.system.service(service).pods), at)

    def effect(self, what: What, service: str, operation: str, pod: Pod, at: float, request: Request) -> Effect:
        effect = Effect()
        place = Place(what, service, operation, pod, at, request.attributes)
        for fault in self.plan.faults:
            if at >= fault.begin:
                fault.touch(place, effect, self.random)
        request.touched |= effect.touched
        return effect

    def hits(self, cache: str, usual: float, at: float) -> float:
        lost = [fault.hits(cache) for fault in self.plan.faults if at >= fault.begin]
        return min([usual, *(left for left in lost if left is not None)])

    def blocked_until(self, service: str, at: float) -> float:
        return max([at, *(fault.blocked_until(service, at) for fault in self.plan.faults)])

    def about(self, seconds: float) -> float:
        """A time that is log-normally distributed about a median."""
        return seconds * math.exp(self.random.gauss(0, SPREAD))


class Arrivals:
    """Who comes, and when: a Poisson process, slightly busier in some minutes than in others."""

    def __init__(self, plan: Plan, random: Random) -> None:
        self.plan, self.random = plan, random

    def __iter__(self) -> Iterator[Request]:
        for begin, end in self.plan.windows:
            at = begin
            while (at := at + self.random.expovariate(self._rate(at))) < end:
                yield self._request(at)

    def _crowds(self, at: float) -> list[tuple[float, float, Mapping[str, str]]]:
        return [fault.traffic() for fault in self.plan.faults if at >= fault.begin]

    def _rate(self, at: float) -> float:
        wave = 1 + 0.1 * math.sin(at / 173)
        return self.plan.rate * wave * math.prod(factor for factor, _, _ in self._crowds(at))

    def _request(self, at: float) -> Request:
        flows = self.plan.system.flows
        flow = self.random.choices(flows, [flow.share for flow in flows])[0]
        attributes = {"enduser.id": f"u-{self.random.randrange(flow.users):04}"}
        for column in flow.columns:
            attributes |= self._drawn(column)
        for _, share, wanted in self._crowds(at):
            if flow.name == self.plan.flow and self.random.random() < share:
                attributes |= wanted
        trace_id = f"{self.random.getrandbits(128):032x}"
        return Request(at, flow, attributes, trace_id, self.random.random() < self.plan.sampled)

    def _drawn(self, column: Column) -> dict[str, str]:
        values, shares = zip(*column.rows, strict=True)
        return dict(zip(column.names, self.random.choices(values, shares)[0], strict=True))
