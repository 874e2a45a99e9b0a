"""How many requests of each kind the past days saw, minute by minute, and how many failed. No clock, no I/O."""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from demo import traffic
from demo.measuring import SECONDS
from demo.past import Past
from demo.traffic import Origin, Share

# What fails on a good day, as a share of all requests, and as what.
NORMALLY_FAILING = {"checkout": (0.00005, "503"), "login": (0.00003, "502"), "search": (0.00001, "503")}
NO_METHOD = (Share("", 1.0),)


@dataclass(frozen=True, slots=True)
class Latency:
    """The share of requests within each boundary of `SECONDS`, and the mean in seconds; measured on the live shop."""

    within: tuple[float, ...]
    mean: float


NORMAL = {
    "search": Latency((0.990, 0.998, 0.9995, 1, 1, 1, 1), 0.016),
    "login": Latency((0.770, 0.997, 1, 1, 1, 1, 1), 0.043),
    "checkout": Latency((0, 0.24, 0.99, 0.9995, 1, 1, 1), 0.133),
}
WAITING = {
    "search": Latency((0.30, 0.38, 0.50, 0.68, 0.97, 1, 1), 0.31),
    "checkout": Latency((0, 0.08, 0.35, 0.60, 0.90, 1, 1), 0.47),
}
FAILED = {"502": Latency((0.9, 1, 1, 1, 1, 1, 1), 0.02), "503": Latency((0, 0, 0, 0, 0.02, 1, 1), 1.03)}


@dataclass(slots=True)
class Requests:
    """The requests of one kind: how many were answered 200 and how many failed, at each instant."""

    flow: str
    origin: Origin
    payment_method: str
    good: list[int] = field(default_factory=list)
    bad: dict[str, list[int]] = field(default_factory=dict)
    # Where the successful ones had to wait.
    slow: list[bool] = field(default_factory=list)

    def latency(self) -> list[Latency]:
        normal, waiting = NORMAL[self.flow], WAITING.get(self.flow, NORMAL[self.flow])
        return [waiting if slow else normal for slow in self.slow]


def imagine(happened: Past, times: Sequence[int], step: int) -> Iterator[Requests]:
    """Every kind of request; the same for the same arguments. `step` in seconds."""
    moments = [datetime.fromtimestamp(at, UTC) for at in times]
    rates = [traffic.rate(at) * step for at in moments]
    for flow in traffic.FLOWS:
        for origin in traffic.ORIGINS:
            for method in traffic.METHODS if flow.what == "checkout" else NO_METHOD:
                kind = Requests(flow.what, origin.what, method.what)
                _fill(kind, happened, moments, rates, flow.share * origin.share * method.share)
                yield kind


def _fill(kind: Requests, happened: Past, moments: list[datetime], rates: list[float], share: float) -> None:
    chance = random.Random(f"{kind.flow} {kind.origin} {kind.payment_method} {moments[0]}")
    normal_share, normal_status = NORMALLY_FAILING[kind.flow]
    statuses = {normal_status, *(episode.status for episode in happened.episodes if kind.flow in episode.failing)}
    kind.bad = {status: [0] * len(moments) for status in statuses}
    for index, (at, rate) in enumerate(zip(moments, rates, strict=True)):
        total = poisson(chance, rate * share)
        failing, status, slow = normal_share, normal_status, False
        for episode in happened.episodes:
            if during := episode.share(kind.flow, kind.payment_method, at):
                failing, status, slow = during, episode.status, during < 1
        bad = min(total, poisson(chance, total * failing)) if failing < 1 else total
        kind.good.append(total - bad)
        kind.slow.append(slow)
        kind.bad[status][index] = bad


def poisson(chance: random.Random, mean: float) -> int:
    """A Poisson-distributed number; the normal approximation from 30 on."""
    if mean > 30:
        return max(0, round(chance.gauss(mean, math.sqrt(mean))))
    limit, product, number = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        number += 1
    return number


def spread(
    counts: Sequence[int], latency: Sequence[Latency], boundaries: Sequence[float] = SECONDS
) -> dict[float, list[int]]:
    """How many of `counts` lie within each boundary. Rounds by one draw an instant, so that buckets stay cumulative."""
    chance = random.Random(len(counts))
    draws = [chance.random() for _ in counts]
    return {
        boundary: [
            math.floor(count * shape.within[place] + draw)
            for count, shape, draw in zip(counts, latency, draws, strict=True)
        ]
        for place, boundary in enumerate(boundaries)
    }
