"""What an incident's examples say together: which span explains how many of them, and what was said in them.

Reading spans and lines is the dear part, and they change only when an example is kept or refreshed: so what they say
is remembered in the process, by when they were kept.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from alerts import frozen
from alerts.models import Example
from connectors.telemetry import LogLine
from dashboards import span_facts, waterfall
from evidence.spans import tree

# Lines that are shown at once; the others are in a fold.
MOST_SAID = 8
# Numbers and identifiers, which differ between requests that say the same.
_NUMBER = re.compile(r"\b[0-9a-f]{8}[0-9a-f-]{8,}\b|\d+(?:\.\d+)?")
LEVELS = ("error", "warn", "info", "debug")
TELLING = ("error", "warn")


@dataclass(frozen=True, slots=True)
class Reading:
    """One example as it was read."""

    trace_id: str
    bad: bool
    # The span that explains it; empty for a normal request and for one without spans.
    party: str
    operation: str
    failed: bool
    failure: str
    self_ns: int
    # (service, version) of every span.
    versions: frozenset[tuple[str, str]]
    lines: tuple[LogLine, ...]


@dataclass(frozen=True, slots=True)
class Culprit:
    """The span that explains most of the bad examples, and in how many of them it is."""

    party: str
    operation: str
    failed: bool
    failure: str
    seen: int
    of: int


@dataclass(frozen=True, slots=True)
class Said:
    """A log line that examples have in common, numbers aside: how many requests said it, and one to look at."""

    level: str
    service: str
    body: str
    requests: int
    trace_id: str
    span_id: str
    at_ns: int


@dataclass(frozen=True, slots=True)
class Lines:
    """What was said, worst first: what to read, and what is folded away because it adds little."""

    shown: tuple[Said, ...] = ()
    folded: tuple[Said, ...] = ()


def readings(incident_id: int, examples: Sequence[Example]) -> tuple[Reading, ...]:
    """What the examples say; `examples` may come without their spans and lines."""
    if not examples:
        return ()
    key = tuple((example.pk, example.trace_id, example.kept_at.isoformat()) for example in examples)
    return _read(incident_id, key)


@lru_cache(maxsize=64)
def _read(incident_id: int, key: tuple[tuple[int, str, str], ...]) -> tuple[Reading, ...]:
    rows = Example.objects.filter(incident_id=incident_id, pk__in=[pk for pk, _, _ in key])
    return tuple(_reading(row) for row in rows)


def _reading(example: Example) -> Reading:
    whole = tree(frozen.thaw_spans(example.spans))
    bad = example.role != Example.Role.NORMAL
    node = whole.find(example.span_id) if bad and example.span_id else None
    return Reading(
        trace_id=example.trace_id,
        bad=bad,
        party=waterfall.party(whole, node) if node else "",
        operation=node.span.name if node else "",
        failed=bool(node and node.failed),
        failure=span_facts.failure(node) if node else "",
        self_ns=node.self_ns if node else 0,
        versions=frozenset(
            (one.span.service, str(version)) for one in whole if (version := one.span.resource.get("service.version"))
        ),
        lines=tuple(frozen.thaw_lines(example.lines)),
    )


def culprit(read: Iterable[Reading]) -> Culprit | None:
    """What explains most of the bad examples; `None` when no span tells."""
    bad = [one for one in read if one.bad]
    counted = Counter((one.party, one.operation, one.failed) for one in bad if one.operation)
    if not counted:
        return None
    (party, operation, failed), seen = counted.most_common(1)[0]
    failure = next(
        (one.failure for one in bad if (one.party, one.operation, one.failed) == (party, operation, failed)), ""
    )
    return Culprit(party, operation, failed, failure, seen, len(bad))


def carrying(read: Iterable[Reading], service: str, version: str) -> tuple[int, int] | None:
    """In how many of the bad examples this version of the service ran; `None` when the service is in none."""
    bad = [one for one in read if one.bad and any(name == service for name, _ in one.versions)]
    if not bad or not version:
        return None
    return sum((service, version) in one.versions for one in bad), len(bad)


def parts(examples: Sequence[Example]) -> dict[str, str]:
    """By trace id, the attribute values that tell an example from the others."""
    values: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        for name, value in example.part.items():
            values[name].add(str(value))
    telling = [name for name, found in values.items() if len(found) > 1]
    return {
        example.trace_id: " · ".join(str(example.part[name]) for name in telling if name in example.part)
        for example in examples
    }


def said(read: Iterable[Reading]) -> Lines:
    """The log lines of the bad examples, equal ones together: errors first, then the most widespread."""
    # Lines that differ only in numbers say the same; the first one stands for all.
    first: dict[tuple[str, str, str], tuple[LogLine, str]] = {}
    requests: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for one in read:
        for line in one.lines if one.bad else ():
            key = (line.level, line.service, _NUMBER.sub("#", line.body))
            first.setdefault(key, (line, one.trace_id))
            requests[key].add(one.trace_id)
    found = [
        Said(line.level, line.service, line.body, len(requests[same]), trace_id, line.span_id, line.at_ns)
        for same, (line, trace_id) in first.items()
    ]
    return _folded(sorted(found, key=lambda one: (LEVELS.index(one.level), -one.requests, one.at_ns)))


def _folded(ordered: Sequence[Said]) -> Lines:
    """Beside errors or warnings, what every request says anyway is noise."""
    telling = [one for one in ordered if one.level in TELLING] or ordered
    shown = telling[:MOST_SAID]
    return Lines(tuple(shown), tuple(one for one in ordered if one not in shown))
