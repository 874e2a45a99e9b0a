"""Meters as OpenMetrics text with timestamps, in one of two customs: counters and histograms, or gauges."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from random import Random

import numpy as np

from bench.explain.meters import Handled
from bench.explain.records import Pod
from bench.explain.world import Recording, World

STEP = 30.0
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, math.inf)
# How much processor time a simulated second of work stands for, so that a pod is usually used by about a third.
GAIN = 4.0
IDLE = 0.06
MEMORY = 3.2e8

type Labels = tuple[tuple[str, str], ...]


class Exposition:
    """Samples by family and series; `text` puts them in order. `epoch` is the Unix time of the simulation's begin."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self._kinds: dict[str, str] = {}
        self._samples: dict[str, dict[tuple[str, Labels], list[str]]] = defaultdict(lambda: defaultdict(list))

    def add(self, family: str, kind: str, labels: Mapping[str, str], at: float, value: float, suffix: str = "") -> None:
        self._kinds[family] = kind
        series = (suffix, tuple((name, value) for name, value in labels.items() if value))
        self._samples[family][series].append(f"{value:.6g} {self.epoch + round(at)}")

    def text(self) -> Iterator[str]:
        for family, kind in sorted(self._kinds.items()):
            yield f"# TYPE {family} {kind}\n"
            for (suffix, labels), samples in sorted(self._samples[family].items()):
                named = ",".join(f'{name}="{value}"' for name, value in labels)
                for sample in samples:
                    yield f"{family}{suffix}{{{named}}} {sample}\n"
        yield "# EOF\n"


def expose(recording: Recording, epoch: int, random: Random) -> Iterator[str]:
    """The text, line by line."""
    written = Exposition(epoch)
    counters = recording.world.plan.system.dialect.metrics == "counters"
    for pod, handled in sorted(recording.meters.served.items(), key=lambda item: item[0].name):
        labels = {"service": pod.service, "pod": pod.name}
        _requests(written, "http_server" if counters else "service", labels, handled, recording.world, counters)
    for (source, destination), handled in sorted(recording.meters.called.items()):
        labels = {"source": source, "destination": destination}
        _requests(written, "http_client" if counters else "edge", labels, handled, recording.world, counters)
    _processors(written, recording, random, counters)
    _shared(written, recording)
    return written.text()


def times(world: World) -> list[float]:
    """When samples are taken: at the end of each step."""
    return [
        begin + STEP * number
        for begin, end in world.plan.windows
        for number in range(1, int((end - begin) // STEP) + 1)
    ]


def _by_step[T](items: Sequence[T], at: Mapping[int, float], begun: Sequence[float]) -> dict[float, list[T]]:
    """What began in the step before each time."""
    found: dict[float, list[T]] = {when: [] for when in at.values()}
    for item, began in zip(items, begun, strict=True):
        when = at.get(int(began // STEP) + 1)
        if when is not None:
            found[when].append(item)
    return found


def _steps(world: World) -> dict[int, float]:
    return {round(at / STEP): at for at in times(world)}


def _requests(
    written: Exposition, name: str, labels: Mapping[str, str], handled: Sequence[Handled], world: World, counters: bool
) -> None:
    began = [at for at, _, _ in handled]
    # There is nothing to count before the first, and a pod that is replaced is not scraped for long.
    first, last = min(began), max(began) + 2 * STEP
    by_step = _by_step(handled, _steps(world), began)
    alive = {at: found for at, found in by_step.items() if first <= at <= last}
    (_counted if counters else _gauged)(written, name, labels, alive)


def _counted(written: Exposition, name: str, labels: Mapping[str, str], steps: Mapping[float, list[Handled]]) -> None:
    good, bad, total = 0, 0, 0.0
    within = [0] * len(BUCKETS)
    for at, found in steps.items():
        bad += sum(failed for _, _, failed in found)
        good += sum(not failed for _, _, failed in found)
        total += sum(seconds for _, seconds, _ in found)
        for place, limit in enumerate(BUCKETS):
            within[place] += sum(seconds <= limit for _, seconds, _ in found)
        for code, count in (("2xx", good), ("5xx", bad)):
            written.add(f"{name}_requests", "counter", {**labels, "code": code}, at, count, "_total")
        family = f"{name}_request_duration_seconds"
        for limit, count in zip(BUCKETS, within, strict=True):
            le = "+Inf" if math.isinf(limit) else f"{limit:g}"
            written.add(family, "histogram", {**labels, "le": le}, at, count, "_bucket")
        written.add(family, "histogram", labels, at, good + bad, "_count")
        written.add(family, "histogram", labels, at, total, "_sum")


def _gauged(written: Exposition, name: str, labels: Mapping[str, str], steps: Mapping[float, list[Handled]]) -> None:
    for at, found in steps.items():
        written.add(f"{name}_requests_per_second", "gauge", labels, at, len(found) / STEP)
        if not found:
            continue
        failed = sum(failed for _, _, failed in found)
        written.add(f"{name}_availability_percent", "gauge", labels, at, 100 * (1 - failed / len(found)))
        seconds = sorted(seconds for _, seconds, _ in found)
        for stat, value in (
            ("average", sum(seconds) / len(seconds)),
            ("p50", seconds[len(seconds) // 2]),
            ("p95", seconds[int(len(seconds) * 0.95)]),
        ):
            written.add(f"{name}_latency_seconds", "gauge", {**labels, "stat": stat}, at, value)


# -- Pods and nodes ----------------------------------------------------------------------------------------------------
def _processors(written: Exposition, recording: Recording, random: Random, counters: bool) -> None:
    world = recording.world
    busy = {
        pod: _by_step(spent, _steps(world), [at for at, _ in spent]) for pod, spent in recording.meters.busy.items()
    }
    spent: dict[Pod, float] = defaultdict(float)
    for at in times(world):
        nodes: dict[str, float] = defaultdict(float)
        for pod in _pods(world, at):
            worked = sum(seconds for _, seconds in busy.get(pod, {}).get(at, []))
            used = GAIN * worked / STEP + IDLE * random.uniform(0.7, 1.3) + _burnt(world, pod, at)
            nodes[pod.node] += used
            spent[pod] += used * STEP
            labels = {"service": pod.service, "pod": pod.name, "node": pod.node}
            if counters:
                written.add("container_cpu_usage_seconds", "counter", labels, at, spent[pod], "_total")
            else:
                written.add("pod_cpu_usage_percent", "gauge", labels, at, 100 * used)
            memory = MEMORY * (1 + 0.05 * math.sin(at / 900 + pod.number) + random.gauss(0, 0.01))
            written.add("container_memory_working_set_bytes", "gauge", labels, at, memory)
        for node, used in nodes.items():
            share = min(0.99, used / 4 + random.uniform(0.02, 0.06))
            written.add("node_cpu_utilization_ratio", "gauge", {"node": node}, at, share)


def _pods(world: World, at: float) -> Iterator[Pod]:
    for service in world.plan.system.services:
        for number in range(service.pods):
            yield world.pod(service.name, number, at)


def _burnt(world: World, pod: Pod, at: float) -> float:
    return sum(fault.cpu(pod) for fault in world.plan.faults if at - STEP >= fault.begin)


# -- What is shared ----------------------------------------------------------------------------------------------------
def _shared(written: Exposition, recording: Recording) -> None:
    world, meters = recording.world, recording.meters
    for service in world.plan.system.services:
        if service.pool:
            labels = {"service": service.name, "db_client_connection_pool_name": service.pool.name}
            _pool(written, labels, service.pool.size, recording, service.name)
    for queue in world.plan.system.queues:
        labels = {"service": queue.service, "messaging_destination_name": queue.name}
        for at in times(world):
            waiting = sum(sent <= at < begun for sent, begun in meters.queues[queue.name])
            written.add("messaging_queue_depth", "gauge", labels, at, waiting)
            if queue.capacity:
                written.add("messaging_queue_capacity", "gauge", labels, at, queue.capacity)
    for cache, asked in meters.caches.items():
        for at in times(world):
            hits = sum(hit for when, hit in asked if when <= at)
            misses = sum(not hit for when, hit in asked if when <= at)
            for name, count in (("hits", hits), ("misses", misses)):
                written.add(f"redis_keyspace_{name}", "counter", {"service": cache}, at, count, "_total")


def _pool(written: Exposition, labels: Mapping[str, str], size: int, recording: Recording, service: str) -> None:
    asked, got, back = np.array(recording.meters.pools[service]).reshape(-1, 3).T
    for at in times(recording.world):
        held = recording.world.blocked_until(service, at) > at
        used = size if held else int(((got <= at) & (at < back)).sum())
        pending = int(((asked <= at) & (at < got)).sum())
        for state, count in (("used", used), ("idle", size - used)):
            written.add("db_client_connection_count", "gauge", {**labels, "state": state}, at, count)
        written.add("db_client_connection_max", "gauge", labels, at, size)
        written.add("db_client_connection_pending_requests", "gauge", labels, at, pending)
