"""Whom to blame, by all that requests tell: time, failures and lines, with what others suspect besides."""

from collections.abc import Callable, Sequence

from evidence import dependencies, logs, time_spent
from evidence.case import Inquiry
from evidence.findings import NotInvestigated, Report, Suspicion
from evidence.log_table import LogTable
from evidence.span_table import SpanTable

# So many candidates are named when there is any suspicion; those without evidence come last, by how much they are seen.
LEAST_CANDIDATES = 10
UNSUSPECTED = 1e-3


def rank(
    inquiry: Inquiry, spans: SpanTable, lines: LogTable | None = None, others: Sequence[Suspicion] = ()
) -> list[Suspicion]:
    """All suspicions of the three investigators of requests and `others`, by service, most likely first."""
    reports = [
        _report(lambda: time_spent.investigate(inquiry, spans)),
        _report(lambda: dependencies.investigate(inquiry, spans, lines)),
    ]
    if lines is not None:
        reports.append(_report(lambda: logs.investigate(inquiry, lines, spans)))
    return fuse([*(report.suspicions for report in reports), others], spans)


def _report(investigated: Callable[[], Report]) -> Report:
    try:
        return investigated()
    except NotInvestigated:
        return Report()


def fuse(suspicions: Sequence[Sequence[Suspicion]], spans: SpanTable) -> list[Suspicion]:
    """One suspicion for each service: how likely it is that at least one of the investigators is right about it.

    As if they erred independently (a noisy or). Operation and kind are those of the strongest suspicion. Empty if
    nobody suspects anything.
    """
    clear: dict[str, float] = {}
    best: dict[str, Suspicion] = {}
    for group in suspicions:
        for one in _strongest(group):
            clear[one.service] = clear.get(one.service, 1.0) * (1 - min(max(one.score, 0.0), 0.999))
            if one.service not in best or one.score > best[one.service].score:
                best[one.service] = one
    ranked = sorted(best, key=lambda service: (clear[service], service))
    found = [_scored(best[service], 1 - clear[service]) for service in ranked]
    return [*found, *_unsuspected(found, spans)] if found else []


def _strongest(group: Sequence[Suspicion]) -> list[Suspicion]:
    best: dict[str, Suspicion] = {}
    for one in group:
        if one.service and (one.service not in best or one.score > best[one.service].score):
            best[one.service] = one
    return list(best.values())


def _scored(one: Suspicion, score: float) -> Suspicion:
    return Suspicion(one.service, one.kind, score, one.operation, one.instance, one.resource)


def _unsuspected(found: Sequence[Suspicion], spans: SpanTable) -> list[Suspicion]:
    """Other services that send spans, those that many spans come from first, below all that are suspected."""
    known = {one.service for one in found}
    counts: dict[str, int] = {name: 0 for name in spans.services if name not in known}
    for code, name in enumerate(spans.services):
        if name in counts:
            counts[name] = int((spans.service == code).sum())
    lowest = min(UNSUSPECTED, min(one.score for one in found) / 2)
    ranked = sorted(counts, key=lambda name: (-counts[name], name))[: max(LEAST_CANDIDATES - len(found), 0)]
    return [Suspicion(name, "dependency", lowest / (place + 1)) for place, name in enumerate(ranked, 1)]
