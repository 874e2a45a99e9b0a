"""Chooses the few requests that stand for many: the bad ones first, as different from each other as they come."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from connectors.telemetry import Span

type Role = Literal["bad", "slow", "normal"]

# What usually tells the parts of a flow's traffic apart. OpenTelemetry's names, then those that many people use.
PARTS = (
    "service.version",
    "deployment.environment",
    "deployment.environment.name",
    "http.route",
    "cloud.region",
    "region",
    "tenant",
    "tenant.id",
    "payment.method",
    "payment.provider",
    "payment_method",
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request that could be shown. `part` says which part of the traffic it belongs to: {"region": "eu-west"}."""

    trace_id: str
    role: Role
    start_ns: int
    part: Mapping[str, str] = field(default_factory=dict)
    # An exemplar of the objective's own series: certain to be one of the counted requests.
    exemplar: bool = False


def choose(candidates: Sequence[Candidate], bad: int = 6, normal: int = 2) -> list[Candidate]:
    """At most `bad` failed or slow requests (failed before slow), then at most `normal` normal ones.

    Within a role each next one is the one whose attribute values were seen least so far; exemplars, then the newest,
    decide a tie. A trace is chosen once, in its worst role.
    """
    seen: Counter[tuple[str, str]] = Counter()
    chosen: list[Candidate] = []
    worse: set[str] = set()
    roles: tuple[Role, ...] = ("bad", "slow", "normal")
    for role in roles:
        fitting = [candidate for candidate in candidates if candidate.role == role and candidate.trace_id not in worse]
        room = normal if role == "normal" else bad - len(chosen)
        chosen += _spread(fitting, room, seen)
        # Also those that found no room: a failed request must not pass for a normal one.
        worse |= {candidate.trace_id for candidate in fitting}
    return chosen


def _spread(candidates: Sequence[Candidate], room: int, seen: Counter[tuple[str, str]]) -> list[Candidate]:
    chosen: list[Candidate] = []
    left = list(candidates)
    while left and len(chosen) < room:
        best = min(left, key=lambda candidate: _familiarity(candidate, seen))
        seen.update(best.part.items())
        chosen.append(best)
        left = [candidate for candidate in left if candidate.trace_id != best.trace_id]
    return chosen


def _familiarity(candidate: Candidate, seen: Counter[tuple[str, str]]) -> tuple[int, bool, int, str]:
    """Least for what adds most: few values seen before, an exemplar, recent."""
    known = sum(seen[pair] for pair in candidate.part.items())
    return known, not candidate.exemplar, -candidate.start_ns, candidate.trace_id


def part_of(spans: Sequence[Span], names: Sequence[str] = PARTS) -> dict[str, str]:
    """Which part of the traffic a trace belongs to: the first value of each name, outermost spans first."""
    part: dict[str, str] = {}
    ordered = sorted(spans, key=lambda span: (bool(span.parent_id), span.start_ns))
    for name in names:
        for span in ordered:
            value = span.attributes.get(name, span.resource.get(name))
            if isinstance(value, str | int | bool) and value != "":
                part[name] = str(value)
                break
    return part
