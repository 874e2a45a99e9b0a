"""Who is failing? Errors, timeouts and repeats of calls by callee, and failures followed to where they began.

Where nothing is marked as failed, missing calls tell: a request that stopped before a call that always followed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evidence import departures
from evidence.case import Inquiry
from evidence.chance import more
from evidence.divergence import places
from evidence.failures import Calls, calls, timeouts
from evidence.findings import Finding, Kind, Report, Subject, Suspicion
from evidence.instances import concentrated
from evidence.log_table import LogTable
from evidence.origins import FALSE_SHARE, Origin, excess, following, origins
from evidence.own_time import OwnTime, own_time
from evidence.samples import Sample, sample
from evidence.sequences import pairs
from evidence.span_table import CLIENT, CONSUMER, PRODUCER, SpanTable
from evidence.wording import share, span_reference

MOST_FINDINGS = 5


def investigate(inquiry: Inquiry, spans: SpanTable, logs: LogTable | None = None) -> Report:
    """The logs, where given, tell which of several departures came first; then `logs` blames for them all."""
    chosen = sample(inquiry, spans)
    own = own_time(spans)
    began = origins(chosen, own)
    found = pairs(chosen, logs)
    departed = [place for place in places(chosen, found, following(spans, began)) if place.rows]
    stopped = [place for place in departed if not place.written]
    findings = [_finding(one, chosen, own) for one in began[:MOST_FINDINGS]]
    findings += _rates(chosen, own, calls(spans, own))
    findings += [
        departures.finding(place, found, "dependencies", chosen.bad_count) for place in stopped[:MOST_FINDINGS]
    ]
    suspicions = [_suspicion(one, chosen, own) for one in began]
    if logs is None or not len(logs):
        suspicions += departures.suspicions(departed, found)
    return Report(tuple(findings), _merged(suspicions))


def _merged(suspicions: Sequence[Suspicion]) -> tuple[Suspicion, ...]:
    """Each service once, by its strongest suspicion."""
    best: dict[str, Suspicion] = {}
    for one in suspicions:
        if one.service not in best or one.score > best[one.service].score:
            best[one.service] = one
    return tuple(sorted(best.values(), key=lambda one: (-one.score, one.service)))


def _suspicion(one: Origin, chosen: Sample, own: OwnTime) -> Suspicion:
    kind = _kind(one, chosen)
    evidence = departures.MOST if one.chance <= 0 else min(-np.log(one.chance), departures.MOST)
    score = float(min(excess(one, chosen), 1.0) ** 0.5 * departures.likely(float(evidence)))
    operation = chosen.spans.operations[one.operation]
    return Suspicion(own.services[one.service], kind, score, operation, _instance(one, chosen, own))


def _instance(one: Origin, chosen: Sample, own: OwnTime) -> str:
    """The instance where nearly all of these failures began though others do the same work, or empty."""
    same = (own.callee == one.service) & (own.operation == one.operation) & chosen.bad_rows[own.row]
    failed = np.isin(own.row[same], one.rows) | np.isin(own.callee_row[same], one.rows)
    code = concentrated(chosen.spans.instance[own.callee_row[same]], failed.astype(np.float64))
    return chosen.spans.instances[code] if code >= 0 else ""


def _kind(one: Origin, chosen: Sample) -> Kind:
    kinds = chosen.spans.kind[list(one.rows)]
    refused = (kinds == PRODUCER) & (chosen.spans.service[list(one.rows)] != one.service)
    if (kinds == CONSUMER).any() or refused.any():
        return "queue"
    return "dependency" if (kinds == CLIENT).any() else "code"


def _finding(one: Origin, chosen: Sample, own: OwnTime) -> Finding:
    spans = chosen.spans
    service, operation = own.services[one.service], spans.operations[one.operation]
    problem = _problem(one, spans)
    how = "time out" if one.timeouts * 2 > len(one.rows) + one.normal else "fail"
    statement = (
        f"{share(one.bad / chosen.bad_count)} of the bad requests {how} at {service} {operation}"
        f"{f' ({problem})' if problem else ''}; of the normal ones {share(one.normal / chosen.normal_count)}."
    )
    return Finding(
        "dependencies",
        statement,
        score=min(max(excess(one, chosen), 0.0), 1.0),
        confidence=1 - min(one.chance * 10, 0.5),
        subject=Subject(service, operation, _instance(one, chosen, own)),
        numbers={
            "bad_failed": one.bad,
            "bad": chosen.bad_count,
            "normal_failed": one.normal,
            "normal": chosen.normal_count,
            "problem": problem,
            "chance": one.chance,
        },
        references=tuple(span_reference(spans, row) for row in one.rows[:3]),
    )


def _problem(one: Origin, spans: SpanTable) -> str:
    """What most of the failed spans say."""
    codes = spans.problem[list(one.rows)]
    codes = codes[codes > 0]
    return spans.problems[int(np.bincount(codes).argmax())] if len(codes) else ""


def _rates(chosen: Sample, own: OwnTime, made: Calls) -> list[Finding]:
    """By caller and callee: how often calls fail, time out and are repeated, where more of them do than before."""
    spans = chosen.spans
    services = len(own.services)
    edge = made.caller.astype(np.int64) * services + made.callee
    trace = spans.trace[made.row]
    failed, timed_out = spans.failed[made.row], timeouts(spans)[made.row]
    edges, group = np.unique(edge, return_inverse=True)
    of = {
        name: [_count(group, flags & side[trace], len(edges)) for side in (chosen.normal, chosen.bad)]
        for name, flags in {
            "calls": np.ones(len(trace), dtype=np.bool_),
            "failed": failed,
            "timed_out": timed_out,
            "repeated": made.repeated,
        }.items()
    }
    found = []
    for number in range(len(edges)):
        counts = {name: (int(before[number]), int(during[number])) for name, (before, during) in of.items()}
        chance = more(counts["failed"][1], counts["calls"][1], counts["failed"][0], counts["calls"][0])
        if counts["calls"][0] and chance * len(edges) <= FALSE_SHARE:
            caller, callee = divmod(int(edges[number]), services)
            found.append(_rate(own.services[caller], own.services[callee], counts, chance))
    return sorted(found, key=lambda one: -one.score)[:MOST_FINDINGS]


def _count(group: NDArray[np.int64], flags: NDArray[np.bool_], groups: int) -> NDArray[np.int64]:
    return np.bincount(group[flags], minlength=groups)


def _rate(caller: str, callee: str, counts: dict[str, tuple[int, int]], chance: float) -> Finding:
    rates = {
        name: (before / max(counts["calls"][0], 1), during / max(counts["calls"][1], 1))
        for name, (before, during) in counts.items()
    }
    name, word = ("timed_out", "times out") if rates["timed_out"][1] > rates["failed"][1] / 2 else ("failed", "fails")
    again = f"; {share(rates['repeated'][1])} are repeats" if counts["repeated"][1] else ""
    statement = (
        f"{caller} → {callee} now {word} in {share(rates[name][1])} of the bad requests' calls "
        f"(before: {share(rates[name][0])}){again}."
    )
    return Finding(
        "dependencies",
        statement,
        score=min(max(rates["failed"][1] - rates["failed"][0], 0.0), 1.0),
        confidence=1 - min(chance * 10, 0.5),
        subject=Subject(callee),
        numbers={"caller": caller, "callee": callee}
        | {f"{name}_{when}": counts[name][side] for name in counts for side, when in enumerate(("before", "during"))},
    )
