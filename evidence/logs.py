"""What was said? Log patterns of bad requests against those of normal ones, and statements that follow no more."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evidence import departures
from evidence.case import Inquiry, within
from evidence.chance import believable, fewer, more
from evidence.distinct import distinct
from evidence.divergence import places
from evidence.findings import Finding, NotInvestigated, Reference, Report, Subject, Suspicion
from evidence.log_table import ERROR, WARN, LogTable
from evidence.origins import following, origins
from evidence.own_time import own_time
from evidence.samples import Sample, sample
from evidence.sequences import pairs, trace_codes
from evidence.span_places import NO_ROW
from evidence.span_table import SpanTable
from evidence.wording import share

FALSE_SHARE = 0.01
MOST_FINDINGS = 8
# A pattern must have become so much more (or less) frequent to be told.
FACTOR = 2.0
# New lines alone do not tell whose fault they are: a caller complains of its callee.
MOST_BY_LINES = 0.6


@dataclass(frozen=True)
class _Pattern:
    """In how many units (requests, or slices of time) a template was written, of those in which its service spoke."""

    template: int
    bad: int
    bad_total: int
    normal: int
    normal_total: int
    chance: float

    @property
    def rates(self) -> tuple[float, float]:
        return self.normal / max(self.normal_total, 1), self.bad / max(self.bad_total, 1)

    @property
    def grown(self) -> bool:
        return self.rates[1] > self.rates[0]


@dataclass(frozen=True)
class _Units:
    """By log line what it is counted to (-1: nothing); by unit whether it is bad, otherwise it is normal."""

    of_line: NDArray[np.int64]
    bad: NDArray[np.bool_]
    word: str


def investigate(inquiry: Inquiry, logs: LogTable, spans: SpanTable | None = None) -> Report:
    """With the spans, lines are counted by request and their order is compared; without, by slices of time."""
    if not len(logs):
        raise NotInvestigated("No log lines were recorded.")
    units = _units(inquiry, logs, spans)
    if not units.bad.any() or units.bad.all():
        raise NotInvestigated("Log lines were recorded only before or only during the incident.")
    patterns = _patterns(logs, units)
    found = [_finding(one, logs, units) for one in patterns]
    blamed = _by_first_line(patterns, logs, units)
    if spans is not None and units.word == "requests":
        chosen = sample(inquiry, spans)
        followed = pairs(chosen, logs)
        since = following(spans, origins(chosen, own_time(spans)))
        departed = [place for place in places(chosen, followed, since) if place.rows]
        said = [place for place in departed if place.written]
        found = [departures.finding(place, followed, "logs", chosen.bad_count) for place in said] + found
        # What came first in a request is a better witness than what is new.
        first = departures.suspicions(departed, followed)
        blamed = (
            first + [one for one in blamed if one.service not in {other.service for other in first}]
            if first
            else blamed
        )
        if first:
            blamed = _below(blamed, len(first))
    return Report(tuple(found[:MOST_FINDINGS]), tuple(blamed))


def _below(blamed: Sequence[Suspicion], certain: int) -> list[Suspicion]:
    """The first ones as they are, and the others no more likely than half the least likely of them."""
    limit = blamed[certain - 1].score / 2
    rest = [Suspicion(one.service, one.kind, min(one.score, limit), one.operation) for one in blamed[certain:]]
    return [*blamed[:certain], *rest]


def _units(inquiry: Inquiry, logs: LogTable, spans: SpanTable | None) -> _Units:
    chosen = _sample(inquiry, spans)
    if chosen is not None:
        trace = trace_codes(chosen.spans, logs)[logs.trace]
        compared = (trace != NO_ROW) & (chosen.window[trace] >= 0)
        if compared.any():
            return _Units(np.where(compared, trace, NO_ROW), chosen.bad, "requests")
    return _slices(inquiry, logs)


def _sample(inquiry: Inquiry, spans: SpanTable | None) -> Sample | None:
    try:
        return sample(inquiry, spans) if spans is not None and len(spans) else None
    except NotInvestigated:
        return None


def _slices(inquiry: Inquiry, logs: LogTable) -> _Units:
    """Slices of a twentieth of the incident."""
    bad, normal = inquiry.incident.covers(logs.at_ns), within(inquiry.baseline, logs.at_ns)
    length = max(int(inquiry.incident.length.total_seconds() * 1e9) // 20, 1)
    number = logs.at_ns // length * 2 + bad
    kept = bad | normal
    if not kept.any():
        return _Units(np.full(len(logs), NO_ROW), np.zeros(1, dtype=np.bool_), "slices")
    numbers, unit = np.unique(number[kept], return_inverse=True)
    of_line = np.full(len(logs), NO_ROW, dtype=np.int64)
    of_line[kept] = unit
    return _Units(of_line, numbers % 2 == 1, "slices")


def _patterns(logs: LogTable, units: _Units) -> list[_Pattern]:
    """Those that changed, errors and warnings first, then by how much."""
    candidates = list(_counted(logs, units))
    adjusted = believable([one.chance for one in candidates])
    changed = [
        one
        for one, chance in zip(candidates, adjusted, strict=True)
        if chance <= FALSE_SHARE and max(one.rates) > FACTOR * min(one.rates)
    ]
    severity = logs.template_severity
    return sorted(
        changed,
        key=lambda one: (-one.grown * min(int(severity[one.template]), ERROR), -abs(one.rates[1] - one.rates[0])),
    )


def _counted(logs: LogTable, units: _Units) -> Iterator[_Pattern]:
    kept = units.of_line >= 0
    said, _ = distinct(logs.template[kept], units.of_line[kept])
    spoke, _ = distinct(logs.service[kept], units.of_line[kept])
    templates, services = len(logs.templates), len(logs.services)
    bad, normal = (np.bincount(said[0][units.bad[said[1]] == is_bad], minlength=templates) for is_bad in (True, False))
    of_bad, of_normal = (
        np.bincount(spoke[0][units.bad[spoke[1]] == is_bad], minlength=services) for is_bad in (True, False)
    )
    for template in range(templates):
        service = logs.template_service[template]
        counts = int(bad[template]), int(of_bad[service]), int(normal[template]), int(of_normal[service])
        if counts[1] and counts[3]:
            chance = min(1.0, 2 * min(fewer(*counts), more(*counts)))
            yield _Pattern(template, *counts, chance)


def _finding(one: _Pattern, logs: LogTable, units: _Units) -> Finding:
    service = logs.services[int(logs.template_service[one.template])]
    lines = np.flatnonzero(logs.template == one.template)
    during = lines[(units.of_line[lines] >= 0) & units.bad[units.of_line[lines]]]
    before, now = one.rates
    level = _level(int(logs.template_severity[one.template]))
    seen = "never seen before" if not one.normal else f"before: {share(before)}"
    gone = (
        f"is gone from {service}'s lines" if not one.bad else f"is written in {share(now)} of {service}'s {units.word}"
    )
    statement = f"{len(during)} × {level}“{logs.templates[one.template]}” {gone} ({seen})."
    return Finding(
        "logs",
        statement,
        score=abs(now - before),
        confidence=0.5 + 0.4 * (one.grown and int(logs.template_severity[one.template]) >= WARN),
        subject=Subject(service),
        numbers={
            "template": logs.templates[one.template],
            "lines_during": len(during),
            "units": units.word,
            "bad": one.bad,
            "bad_total": one.bad_total,
            "normal": one.normal,
            "normal_total": one.normal_total,
            "chance": one.chance,
        },
        references=_examples(one.template, logs, during),
    )


def _level(severity: int) -> str:
    if severity >= ERROR:
        return "ERROR "
    return "WARN " if severity >= WARN else ""


def _examples(template: int, logs: LogTable, during: NDArray[np.int64]) -> tuple[Reference, ...]:
    """Lines of the incident with their text where they were kept, else the last known ones."""
    times = set(logs.at_ns[during].tolist())
    kept = [one for one in logs.examples[template] if one.at_ns in times] or list(logs.examples[template][-1:])
    return tuple(Reference("log", one.trace_id, one.span_id, one.text) for one in kept[-3:])


def _by_first_line(patterns: Sequence[_Pattern], logs: LogTable, units: _Units) -> list[Suspicion]:
    """Of each bad unit the service that first wrote a warning or error that has become frequent."""
    wrong = [one for one in patterns if one.grown and logs.template_severity[one.template] >= WARN]
    if not wrong:
        return []
    excess = {one.template: one.rates[1] - one.rates[0] for one in wrong}
    lines = np.flatnonzero(np.isin(logs.template, list(excess)) & (units.of_line >= 0) & units.bad[units.of_line])
    first = lines[np.unique(units.of_line[lines], return_index=True)[1]]
    votes: Counter[str] = Counter()
    weight: dict[str, float] = defaultdict(float)
    for line in first.tolist():
        service = logs.services[int(logs.service[line])]
        votes[service] += 1
        weight[service] = max(weight[service], excess[int(logs.template[line])])
    return [
        Suspicion(service, "code", MOST_BY_LINES * count / votes.total() * weight[service] ** 0.5)
        for service, count in votes.most_common()
    ]
