"""How fast an explanation is, and how much memory it takes: an incident of usual size, and one of a million spans."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice, repeat
from pathlib import Path
from random import Random
from typing import Any

import orjson

from bench.explain import bundles, otlp, running
from bench.explain.chain import CHAIN
from bench.explain.faults import Fault, Slow, Where
from bench.explain.records import LogRecord, SpanRecord
from bench.explain.simulation import run
from bench.explain.story import Flaws
from bench.explain.world import Plan, Recording

EPOCH = datetime(2026, 3, 4, 12, tzinfo=UTC)
# Of about 500 traces of 40 spans each.
STRETCH = 200.0
RATE = 2.5
GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Size:
    """So many stretches of normal requests and of bad ones, with so many traces each, and log lines in all.

    `seconds` and `bytes` are what an explanation may take.
    """

    name: str
    normal: int
    bad: int
    traces: int
    lines: int
    seconds: float
    bytes: float


SIZES = (
    Size("500 traces of 40 spans, 20,000 log lines", 1, 1, 250, 20_000, 5, GIB),
    Size("1 million spans", 35, 15, 500, 100_000, 60, GIB),
)


def main(argv: Sequence[str], folder: Path) -> int:
    print("| bundle | spans | log lines | seconds | allowed | peak memory, MiB | allowed | said |")
    print("|---|---:|---:|---:|---:|---:|---:|---|")
    return max(_measured(argv, folder, size) for size in SIZES)


def _measured(argv: Sequence[str], folder: Path, size: Size) -> int:
    bundle = folder / f"speed-{size.normal + size.bad}"
    spans, lines = write(size, bundle)
    began = time.perf_counter()
    answer = running.explain(argv, bundle, folder)
    seconds, peak = time.perf_counter() - began, running.peak_bytes()
    print(
        f"| {size.name} | {spans:,} | {lines:,} | {seconds:.1f} | {size.seconds:.0f} | {peak / 2**20:.0f} "
        f"| {size.bytes / 2**20:.0f} | {answer.failure or answer.headline} |",
        flush=True,
    )
    return int(bool(answer.failure) or seconds > size.seconds or peak > size.bytes)


def write(size: Size, bundle: Path) -> tuple[int, int]:
    """Write a bundle of this size: its numbers of spans and log lines."""
    bundle.mkdir(parents=True)
    normal = _recorded(size.traces, ())
    bad = _recorded(size.traces, (Slow(0, Where("visit", "curves"), 0.8, 0.3, 0.8),))
    stretches = [normal] * size.normal + [bad] * size.bad
    random = Random(2)
    clocks = otlp.Clocks(round(EPOCH.timestamp()), 0.004, random)
    times = -(-size.lines // sum(len(stretch.logs) for stretch in stretches))
    traces = (trace for number, stretch in enumerate(stretches) for trace in _traces(stretch, number))
    lines = (line for number, stretch in enumerate(stretches) for line in _lines(stretch, number, times))
    bundles.save(bundle / "traces.jsonl", otlp.traces(traces, clocks, Flaws(), random))
    bundles.save(bundle / "logs.jsonl", otlp.logs(islice(lines, size.lines), clocks, False))
    (bundle / "case.json").write_bytes(orjson.dumps(_case(size)))
    return sum(len(trace) for stretch in stretches for trace in stretch.traces), size.lines


def _recorded(traces: int, faults: tuple[Fault, ...]) -> Recording:
    """A stretch of time, with so many traces."""
    plan = Plan(CHAIN, CHAIN.flows[0].name, ((0.0, STRETCH),), RATE * 1.3, faults)
    recording = run(plan, Random(1))
    # Those of the whole stretch, not its first ones.
    kept = sorted(Random(1).sample(recording.traces, traces), key=lambda trace: trace[0].start)
    ids = {trace[0].trace_id for trace in kept}
    logs = sorted((line for line in recording.logs if line.trace_id in ids), key=lambda line: line.at)
    return Recording(recording.world, kept, logs)


def _traces(stretch: Recording, number: int) -> Iterator[list[SpanRecord]]:
    """The traces as those of a later stretch, with ids of their own."""
    later = number * STRETCH
    for trace in stretch.traces:
        trace_id = _other_id(trace[0].trace_id, number)
        yield [replace(one, trace_id=trace_id, start=one.start + later, end=one.end + later) for one in trace]


def _lines(stretch: Recording, number: int, times: int) -> Iterator[LogRecord]:
    for line in stretch.logs:
        moved = replace(line, trace_id=_other_id(line.trace_id, number), at=line.at + number * STRETCH)
        yield from repeat(moved, times)


def _other_id(trace_id: str, number: int) -> str:
    return f"{int(trace_id, 16) ^ number:032x}"


def _case(size: Size) -> dict[str, Any]:
    flow = CHAIN.flows[0]
    onset, end = (EPOCH + timedelta(seconds=STRETCH * number) for number in (size.normal, size.normal + size.bad))
    return {
        "id": "speed",
        "flow": {"name": flow.name, "root": {"service": flow.service, "operation": flow.operation}},
        "bad": {"slower_than_ms": 400},
        "baseline": [[bundles.rfc3339(EPOCH), bundles.rfc3339(onset)]],
        "incident": [bundles.rfc3339(onset), bundles.rfc3339(end)],
        "changes": [],
    }
