"""What places of divergence say to a reader, and whom they blame; for calls that are missing and lines alike."""

import math
import re
from collections import defaultdict
from collections.abc import Sequence

from evidence.divergence import Place
from evidence.findings import Finding, Kind, Question, Reference, Subject, Suspicion
from evidence.log_table import LogTable
from evidence.sequences import END, START, Pairs
from evidence.wording import span_reference

LONGEST_NAME = 160
# What a line begins with before it says anything: time and level.
_HEAD = re.compile(r"^(?:(?:<\*>|TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL)\s+)+")
# So much evidence (a natural logarithm of a chance) makes a place as likely as not; beyond the most it proves no more.
NOTABLE = 4.0
MOST = 20.0
LATE_ALARM = math.log(4)
# A caller that goes on without an answer is blamed so much less than the callee that no longer answers.
CALLER_SHARE = 0.3


def evidence_of(place: Place) -> float:
    """How strongly it speaks against chance (natural logarithm); less where some baseline looks the same."""
    evidence = min(-math.log(max(place.chance, 1e-300)), MOST)
    return evidence if place.weight == 1 else max(evidence - LATE_ALARM, 0.0)


def likely(evidence: float) -> float:
    """From 0 to 1 with more evidence; a half at NOTABLE."""
    return evidence**2 / (evidence**2 + NOTABLE**2)


def suspicions(places: Sequence[Place], found: Pairs) -> list[Suspicion]:
    """Services by how much of the first departures they show, each with its most certain place.

    Where only few requests depart for reasons of their own, the departures of these few prove little.
    """
    weights: dict[str, float] = defaultdict(float)
    best: dict[str, Place] = {}
    for place in places:
        for service, part in _blamed(place, found):
            weights[service] += _weight(place) * part
            if service not in best or evidence_of(place) > evidence_of(best[service]):
                best[service] = place
    total = sum(_weight(place) for place in places)
    if not total:
        return []
    total /= max(places[0].own_share, 1e-9)
    ranked = sorted(weights, key=lambda service: (-weights[service], service))
    return [_suspicion(service, weights[service] / total, best[service], found) for service in ranked]


def _weight(place: Place) -> float:
    return len(place.rows) * place.weight * evidence_of(place)


def _suspicion(service: str, part: float, place: Place, found: Pairs) -> Suspicion:
    evidence = evidence_of(place)
    kind: Kind = "code" if service == found.spans.services[place.service] else "dependency"
    operation = found.spans.operations[place.operation] if kind == "code" else found.name(place.expected)
    return Suspicion(service, kind, min(part, 1.0) * likely(evidence) * _effect(place) ** 0.25, operation)


def _effect(place: Place) -> float:
    """How much of what came here no longer goes on as it did: faults in code seldom spare many requests."""
    before, now = place.normal_expected / max(place.normal, 1), place.bad_expected / max(place.bad, 1)
    return min(max(1 - now / before, 0.0), 1.0) if before else 0.0


def _blamed(place: Place, found: Pairs) -> list[tuple[str, float]]:
    """The service in whose code it is; rather the callee where the call is still made and nothing answers."""
    own = found.spans.services[place.service]
    wanted, now = found.service_of(place.expected), found.service_of(place.instead)
    unanswered = not found.is_line(place.expected) and wanted not in (-1, place.service) and now == place.service
    if unanswered and not found.is_line(place.instead):
        return [(found.spans.services[wanted], 1.0), (own, CALLER_SHARE)]
    return [(own, 1.0)]


def finding(place: Place, found: Pairs, question: Question, total_bad: int) -> Finding:
    spans = found.spans
    service, operation = spans.services[place.service], spans.operations[place.operation]
    part = len(place.rows) / max(total_bad, 1)
    evidence = evidence_of(place)
    # Of requests that came here, as only they tell what usually follows.
    statement = (
        f"{service} {operation}: after {_said(place.first, found)}, {_said(place.expected, found)} followed in "
        f"{place.normal_expected} of {place.normal} normal requests, and now does in {place.bad_expected} of "
        f"{place.bad}; instead comes {_said(place.instead, found)}."
    )
    return Finding(
        question,
        statement,
        score=part,
        confidence=likely(evidence),
        subject=Subject(service, operation),
        numbers={
            "after": _said(place.first, found),
            "expected": _said(place.expected, found),
            "instead": _said(place.instead, found),
            "normal": place.normal,
            "normal_expected": place.normal_expected,
            "bad": place.bad,
            "bad_expected": place.bad_expected,
            "first_departures": len(place.rows),
            "share_of_bad": round(part, 4),
            "chance": place.chance,
        },
        references=tuple(reference for row in place.rows[:3] for reference in _references(row, found)),
    )


def _said(event: int, found: Pairs) -> str:
    if event in (START, END):
        return ("the start", "the end")[event]
    name = _HEAD.sub("", found.name(event))
    short = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"
    return f"“{short}”" if found.is_line(event) else f"the call of {short}"


def _references(row: int, found: Pairs) -> list[Reference]:
    owner = int(found.owner[row])
    references = [span_reference(found.spans, owner)]
    line = int(found.line[row])
    if found.logs is not None and line >= 0:
        references.append(line_reference(found.logs, line))
    return references


def line_reference(logs: LogTable, line: int) -> Reference:
    """The line, with its text where it was kept as an example and its pattern otherwise."""
    template, trace = int(logs.template[line]), int(logs.trace[line])
    trace_id = logs.trace_ids[trace] if trace >= 0 else ""
    at = int(logs.at_ns[line])
    kept = (one.text for one in logs.examples[template] if one.at_ns == at and one.trace_id == trace_id)
    return Reference("log", trace_id, f"{int(logs.span_id[line]):016x}", next(kept, logs.templates[template]))
