"""Which part of the traffic is affected? The fewest attribute values that the bad requests share."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evidence.breadth import INSTANCES, entities, spread
from evidence.case import Inquiry, within
from evidence.count_table import NOT_KNOWN, CountTable
from evidence.findings import Finding, NotInvestigated, Number, Report, Subject, Suspicion
from evidence.leaves import Leaves, leaves
from evidence.localization import Candidate, Localization, localize
from evidence.wording import Words, percent, spoken

VERSIONS = ("service.version", "version")
ALTERNATIVES = 5
# A believed segment scores at least this, and what was not chosen at most half of it.
LEAST_SCORE = 0.2
OTHER_INSTANCES = 9
# Other descriptions of the same requests that are worth saying.
MOST_SAME = 2
# Confidence grows with the evidence and with the part of it by which the next best conjunction is behind; these scales
# were calibrated on recorded incidents (of those above 0.88 nearly all were right, of those below four of five).
CLEARLY_AHEAD, CLEAR_EVIDENCE = 0.2, 8.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the traffic, in the incident and (`_before`) in the quiet part of the baseline.

    `expected` are the bad events it would have had at its usual rates, `excess` is its share (0…1) of all those above
    what is usual, `evidence` as in `localization.Candidate`.
    """

    attributes: Mapping[str, str]
    bad: float
    total: float
    bad_before: float
    total_before: float
    expected: float
    excess: float
    evidence: float


def investigate(inquiry: Inquiry, counts: CountTable) -> Report:
    """Which conjunctions of attribute values the bad events share, compared with what is usual for them.

    Raises `NotInvestigated` when there is nothing to compare.
    """
    parts = leaves(_comparable(inquiry, counts), inquiry.baseline, inquiry.incident)
    words = Words.of(inquiry.bad)
    found = localize(parts)
    segments = [_segment(counts, parts, candidate) for candidate in found.segments]
    findings = [
        *(_finding(counts, parts, found, candidate, words) for candidate in found.segments),
        *([] if segments else spread(counts, parts, found.rise, words)),
        *entities(counts.where(inquiry.incident.covers(counts.time_ns)), parts, words),
        *_alternatives(counts, parts, found, words),
    ]
    ordered = _in_order(findings)
    return Report(ordered, _suspicions(inquiry, counts, segments, [finding.confidence for finding in ordered]))


def _comparable(inquiry: Inquiry, counts: CountTable) -> CountTable:
    """The rows of the two windows; raises `NotInvestigated` when one of them has no events."""
    now = inquiry.incident.covers(counts.time_ns)
    before = within(inquiry.baseline, counts.time_ns) & ~now
    if not (counts.codes[now] != NOT_KNOWN).any():
        raise NotInvestigated("Nothing is known of the requests by which parts of them could be told apart.")
    if counts.total[now].sum() <= 0:
        raise NotInvestigated("No requests were counted in the incident.")
    if counts.total[before].sum() <= 0:
        raise NotInvestigated("No requests were counted in the baseline, so nothing says what is usual.")
    return counts.where(now | before)


def _segment(counts: CountTable, parts: Leaves, candidate: Candidate) -> Segment:
    def inside(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        return float(numbers[candidate.members].sum())

    above = float(parts.bad.sum() - parts.expected.sum())
    bad, expected = inside(parts.bad), inside(parts.expected)
    return Segment(
        _named(counts, candidate),
        bad,
        inside(parts.total),
        inside(parts.bad_before),
        inside(parts.total_before),
        expected,
        min(max((bad - expected) / above, 0.0), 1.0) if above > 0 else 0.0,
        candidate.evidence,
    )


def _named(counts: CountTable, candidate: Candidate) -> dict[str, str]:
    return {counts.attributes[place]: counts.values[place][code] for place, code in candidate.conditions.items()}


def _finding(counts: CountTable, parts: Leaves, found: Localization, candidate: Candidate, words: Words) -> Finding:
    segment = _segment(counts, parts, candidate)
    same = [
        spoken(_named(counts, other))
        for other in found.ranked
        if _same(other, candidate) and not candidate.conditions.items() <= other.conditions.items()
    ][:MOST_SAME]
    statement = _sentence(segment, parts, words)
    if same:
        statement = f"{statement} The same requests also have {', or '.join(same)}."
    numbers: dict[str, Number] = {**_numbers(segment, parts), "same_requests": [*same]}
    subject = Subject(attributes=segment.attributes)
    score = max(segment.excess, LEAST_SCORE)
    return Finding("segments", statement, score, _confidence(found, candidate), subject, numbers)


def _same(other: Candidate, candidate: Candidate) -> bool:
    """Whether another conjunction selects just the same requests, such as the only datacenter of a region."""
    return other.conditions != candidate.conditions and np.array_equal(other.members, candidate.members)


def _confidence(found: Localization, candidate: Candidate) -> float:
    """How likely just this conjunction is right: the further behind the best other one is, the likelier."""
    chosen = [segment.members for segment in found.segments]
    rivals = [
        other.evidence
        for other in found.ranked
        if not any(np.array_equal(other.members, members) for members in chosen)
    ]
    ahead = 1 - max(rivals[0], 0.0) / candidate.evidence if rivals else 1.0
    sharpness = 1 - math.exp(-max(ahead, 0.0) / CLEARLY_AHEAD)
    return (0.5 + 0.45 * sharpness) * (1 - math.exp(-candidate.evidence / CLEAR_EVIDENCE))


def _numbers(segment: Segment, parts: Leaves) -> dict[str, Number]:
    bad, total = float(parts.bad.sum()), float(parts.total.sum())
    support, traffic = _ratio(segment.bad, bad), _ratio(segment.total, total)
    bad_before, total_before = float(parts.bad_before.sum()), float(parts.total_before.sum())
    return {
        "bad": segment.bad,
        "total": segment.total,
        "share_of_bad": support,
        "share_of_traffic": traffic,
        "lift": _ratio(support or 0.0, traffic or 0.0),
        "rate": _ratio(segment.bad, segment.total),
        "rate_before": _ratio(segment.bad_before, segment.total_before),
        "rate_of_others": _ratio(bad - segment.bad, total - segment.total),
        "rate_of_others_before": _ratio(bad_before - segment.bad_before, total_before - segment.total_before),
        "expected_bad": segment.expected,
        "share_of_excess": segment.excess,
        "evidence": segment.evidence,
    }


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _sentence(segment: Segment, parts: Leaves, words: Words) -> str:
    """As in: "92 % of the failed requests have region=eu (7 % of all requests); 31 % of those fail, 0.2 % of …"."""
    bad, total = float(parts.bad.sum()), float(parts.total.sum())
    usual = _ratio(segment.bad_before, segment.total_before)
    before = "there were none before" if usual is None else f"before: {percent(usual)}"
    others = total - segment.total
    rest = f", {percent((bad - segment.bad) / others)} of the others" if others > 0 else ""
    return (
        f"{percent(segment.bad / bad)} of the {words.bad} requests have {spoken(segment.attributes)} "
        f"({percent(segment.total / total)} of all requests); "
        f"{percent(segment.bad / segment.total)} of those {words.fail} ({before}){rest}."
    )


def _alternatives(counts: CountTable, parts: Leaves, found: Localization, words: Words) -> list[Finding]:
    """The next best single segments, for a reader who knows better; marked as such and with a low score."""
    chosen = [candidate.conditions for candidate in found.segments]
    others = [candidate for candidate in found.ranked if candidate.conditions not in chosen]
    result = []
    for place, candidate in enumerate([other for other in others if chosen or other.evidence > 0][:ALTERNATIVES]):
        segment = _segment(counts, parts, candidate)
        numbers: dict[str, Number] = {**_numbers(segment, parts), "alternative": True}
        statement = "Explains it less well: " + _sentence(segment, parts, words)
        score = LEAST_SCORE / 2 * 0.8**place
        result.append(Finding("segments", statement, score, score / 2, Subject(attributes=segment.attributes), numbers))
    return result


def _in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings as they come, each with a lower score than the one before."""
    result: list[Finding] = []
    for finding in findings:
        most = result[-1].score * 0.99 if result else 1.0
        result.append(replace(finding, score=min(finding.score, most)))
    return tuple(result)


def _suspicions(
    inquiry: Inquiry, counts: CountTable, segments: Sequence[Segment], confidences: Sequence[float]
) -> tuple[Suspicion, ...]:
    """An instance or a version that the bad requests share is blamed itself, the instance's likes a little."""
    result: list[Suspicion] = []
    for segment, confidence in zip(segments, confidences, strict=False):
        service = segment.attributes.get("service.name", inquiry.service)
        score = confidence * segment.excess
        if any(name in segment.attributes for name in VERSIONS):
            result.append(Suspicion(service, "change", score))
        for name in segment.attributes.keys() & INSTANCES.keys():
            blamed = segment.attributes[name]
            result.append(Suspicion(service, "resource", score, instance=blamed))
            result += [
                Suspicion(service, "resource", score * 0.05 * 0.9**place, instance=other)
                for place, other in enumerate(_others(inquiry, counts, name, blamed))
            ]
    return tuple(sorted(result, key=lambda suspicion: -suspicion.score))


def _others(inquiry: Inquiry, counts: CountTable, name: str, blamed: str) -> list[str]:
    """Other values of the attribute, those with the largest share of bad requests first."""
    now = counts.where(inquiry.incident.covers(counts.time_ns))
    column, values = now.codes[:, now.attributes.index(name)], now.values[now.attributes.index(name)]
    known = column != NOT_KNOWN
    bad, total = (np.bincount(column[known], numbers[known], len(values)) for numbers in (now.bad, now.total))
    order = np.argsort(-(bad / np.maximum(total, 1)), kind="stable")
    return [values[code] for code in order if total[code] > 0 and values[code] != blamed][:OTHER_INSTANCES]
