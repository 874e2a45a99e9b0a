"""Spans and log lines as OTLP/JSON export requests, with the flaws that telemetry has."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random
from typing import Any

import orjson

from bench.explain.records import LogRecord, Pod, SpanRecord
from bench.explain.story import Flaws

KINDS = {"unspecified": 0, "internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
# Log lines are sent in batches of a pod.
BATCH = 50
LEVELS = {9: "INFO", 13: "WARN", 17: "ERROR"}
# OTLP writes 64-bit integers as strings.
NANOSECONDS = 1_000_000_000


class Clocks:
    """Each pod's clock is wrong in its own way; `epoch` is the Unix time of the simulation's begin."""

    def __init__(self, epoch: int, skew: float, random: Random) -> None:
        self.epoch, self.skew, self.random = epoch, skew, random
        self._offsets: dict[str, float] = {}

    def ns(self, pod: Pod, at: float) -> str:
        if pod.name not in self._offsets:
            self._offsets[pod.name] = self.random.uniform(-self.skew, self.skew)
        return str(self.epoch * NANOSECONDS + round((at + self._offsets[pod.name]) * NANOSECONDS))


def traces(recorded: Iterable[Sequence[SpanRecord]], clocks: Clocks, flaws: Flaws, random: Random) -> Iterator[bytes]:
    """One export request a trace, by time; some spans are lost, and some traces have lost their root."""
    for spans in recorded:
        rootless = random.random() < flaws.rootless
        kept = [span for span in spans if random.random() >= (float(rootless) if not span.parent_id else flaws.lost)]
        if not kept:
            continue
        by_pod: dict[Pod, list[dict[str, Any]]] = defaultdict(list)
        for span in kept:
            by_pod[span.pod].append(_span(span, clocks, flaws.bare))
        groups = [
            {"resource": _resource(pod, flaws.bare), "scopeSpans": [{"scope": {"name": "traced"}, "spans": of_pod}]}
            for pod, of_pod in by_pod.items()
        ]
        yield orjson.dumps({"resourceSpans": groups}) + b"\n"


def logs(recorded: Iterable[LogRecord], clocks: Clocks, bare: bool) -> Iterator[bytes]:
    """Export requests of log lines that come by time; their batches, one of a pod each, come only nearly so."""
    waiting: dict[Pod, list[dict[str, Any]]] = defaultdict(list)
    for line in recorded:
        waiting[line.pod].append(_line(line, clocks))
        if len(waiting[line.pod]) == BATCH:
            yield _batch(line.pod, waiting.pop(line.pod), bare)
    for pod, lines in waiting.items():
        yield _batch(pod, lines, bare)


def _batch(pod: Pod, lines: list[dict[str, Any]], bare: bool) -> bytes:
    group = {"resource": _resource(pod, bare), "scopeLogs": [{"logRecords": lines}]}
    return orjson.dumps({"resourceLogs": [group]}) + b"\n"


def _span(span: SpanRecord, clocks: Clocks, bare: bool) -> dict[str, Any]:
    written: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "startTimeUnixNano": clocks.ns(span.pod, span.start),
        "endTimeUnixNano": clocks.ns(span.pod, span.end),
    }
    if span.parent_id:
        written["parentSpanId"] = span.parent_id
    if bare:
        return written
    written |= {"kind": KINDS[span.kind], "attributes": _attributes(span.attributes)}
    if span.error:
        kind, _, message = span.error.partition(": ")
        written["status"] = {"code": 2, "message": span.error}
        if message and span.kind != "client":
            written["events"] = [_exception(kind, message, written["endTimeUnixNano"])]
    return written


def _exception(kind: str, message: str, at: str) -> dict[str, Any]:
    told = _attributes({"exception.type": kind, "exception.message": message})
    return {"timeUnixNano": at, "name": "exception", "attributes": told}


def _line(line: LogRecord, clocks: Clocks) -> dict[str, Any]:
    return {
        "timeUnixNano": clocks.ns(line.pod, line.at),
        "severityNumber": line.severity,
        "severityText": LEVELS[line.severity],
        "body": {"stringValue": line.body},
        "traceId": line.trace_id,
        "spanId": line.span_id,
    }


def _resource(pod: Pod, bare: bool) -> dict[str, Any]:
    named = {"service.name": pod.service, "k8s.pod.name": pod.name, "k8s.node.name": pod.node}
    return {"attributes": _attributes(named if bare else named | {"service.version": pod.version})}


def _attributes(values: Mapping[str, str | int]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
        for key, value in values.items()
    ]
