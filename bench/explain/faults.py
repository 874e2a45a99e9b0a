"""What goes wrong, from `begin` on: each fault changes what happens to the requests that it meets."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from bench.explain.records import Pod

type What = Literal["visit", "work", "query", "network"]


@dataclass(frozen=True, slots=True)
class Place:
    """A moment of a request: `service` is visited or works, or is the database asked or the callee on the wire.

    `pod` is the one that serves or asks.
    """

    what: What
    service: str
    operation: str
    pod: Pod
    at: float
    attributes: Mapping[str, str]


@dataclass(slots=True)
class Effect:
    """What faults do to a moment: it takes longer, fails with `error`, and `line` is logged about it."""

    extra: float = 0.0
    factor: float = 1.0
    error: str = ""
    line: str = ""
    touched: bool = False


@dataclass(frozen=True, slots=True)
class Where:
    """The moments that a fault meets; what is empty fits all."""

    what: What
    service: str = ""
    operation: str = ""
    caller: str = ""
    version: str = ""
    node: str = ""
    pods: frozenset[int] = frozenset()
    segment: Mapping[str, str] = field(default_factory=dict)

    def fits(self, place: Place) -> bool:
        pod = place.pod
        return (
            place.what == self.what
            and self.service in ("", place.service)
            and self.operation in ("", place.operation)
            and self.caller in ("", pod.service)
            and self.version in ("", pod.version)
            and self.node in ("", pod.node)
            and (not self.pods or pod.number in self.pods)
            and all(place.attributes.get(name) == value for name, value in self.segment.items())
        )


@dataclass(frozen=True, slots=True)
class Fault:
    """Changes nothing; its kinds override what they change."""

    begin: float

    def touch(self, place: Place, effect: Effect, random: Random) -> None:
        """Change what happens at `place`, which is after the begin."""

    def traffic(self) -> tuple[float, float, Mapping[str, str]]:
        """What the rate is multiplied by, and the share of requests that have these attributes because of it."""
        return 1.0, 0.0, {}

    def hits(self, cache: str) -> float | None:
        """The share of questions that this cache still answers; `None` leaves it as it is."""
        return None

    def blocked_until(self, service: str, at: float) -> float:
        """When the connections of a service's pool come back."""
        return at

    def cpu(self, pod: Pod) -> float:
        """The share of a processor that it takes from a pod, or burns in it."""
        return 0.0


@dataclass(frozen=True, slots=True)
class Slow(Fault):
    """Takes about `seconds` longer, log-normally, for a `share` of those it meets."""

    where: Where
    seconds: float
    spread: float = 0.25
    share: float = 1.0
    line: str = ""

    def touch(self, place: Place, effect: Effect, random: Random) -> None:
        if self.where.fits(place) and random.random() < self.share:
            effect.extra += random.lognormvariate(math.log(self.seconds), self.spread)
            effect.line = effect.line or self.line
            effect.touched = True


@dataclass(frozen=True, slots=True)
class Failing(Fault):
    """Fails for a `share` of those it meets, after `seconds`."""

    where: Where
    error: str
    share: float = 1.0
    line: str = ""
    seconds: float = 0.0

    def touch(self, place: Place, effect: Effect, random: Random) -> None:
        if self.where.fits(place) and random.random() < self.share:
            effect.error = self.error
            effect.extra += self.seconds
            effect.line = effect.line or self.line
            effect.touched = True


@dataclass(frozen=True, slots=True)
class Starved(Fault):
    """Work takes `factor` times as long, unevenly, for want of processor time; `used` is what the meters show."""

    where: Where
    factor: float
    used: float = 0.6

    def touch(self, place: Place, effect: Effect, random: Random) -> None:
        if self.where.fits(place):
            effect.factor *= 1 + (self.factor - 1) * random.lognormvariate(0, 0.4)
            effect.touched = True

    def cpu(self, pod: Pod) -> float:
        return self.used if self.where.fits(Place("work", pod.service, self.where.operation, pod, 0, {})) else 0.0


@dataclass(frozen=True, slots=True)
class Neighbour(Fault):
    """Another service's pod on the same node burns it up. Does nothing but show; `Starved` does the harm."""

    service: str
    used: float = 3.2

    def cpu(self, pod: Pod) -> float:
        return self.used if pod.service == self.service else 0.0


@dataclass(frozen=True, slots=True)
class PoolHeld(Fault):
    """All connections of a service's pool are held for `busy` seconds, come back for `idle`, and are taken again."""

    service: str
    busy: float = 2.0
    idle: float = 0.3

    def blocked_until(self, service: str, at: float) -> float:
        if service != self.service or at < self.begin:
            return at
        into = (at - self.begin) % (self.busy + self.idle)
        return at + max(0.0, self.busy - into)


@dataclass(frozen=True, slots=True)
class Crowd(Fault):
    """`factor` times as many requests; those of `share` have `attributes`."""

    factor: float = 1.0
    share: float = 0.0
    attributes: Mapping[str, str] = field(default_factory=dict)

    def traffic(self) -> tuple[float, float, Mapping[str, str]]:
        return self.factor, self.share, self.attributes


@dataclass(frozen=True, slots=True)
class CacheLost(Fault):
    cache: str
    left: float = 0.05

    def hits(self, cache: str) -> float | None:
        return self.left if cache == self.cache else None


@dataclass(frozen=True, slots=True)
class Rollout:
    """A version that replaces the one before, pod after pod, within `seconds`; `share` of the pods for good."""

    service: str
    version: str
    at: float
    seconds: float = 60.0
    share: float = 1.0

    def reached(self, number: int, pods: int, at: float) -> bool:
        """Whether it runs at this time on the pod of this number, of so many."""
        chosen = max(1, round(self.share * pods))
        return number < chosen and at >= self.at + self.seconds * number / chosen
