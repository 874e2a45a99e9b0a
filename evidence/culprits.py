"""Who is to blame? What the investigators suspect, each by its own evidence, as one ranking."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evidence.findings import Report, Suspicion

# How often an investigator that is certain is right about a service, when others say something else.
WEIGHTS = {"requests": 0.9, "metrics": 0.7, "saturation": 0.5, "segments": 0.6, "changes": 0.8}
MOST = 40


def ranked(reports: Mapping[str, Report]) -> tuple[Suspicion, ...]:
    """Best first; each service and change once, with the kind, operation and resource of its strongest suspicion.

    Independent reasons add up: what is left of doubt is the product of what each leaves (a noisy-or). Scores are then
    set in proportion, so that they say how the blame is shared.
    """
    doubts: dict[tuple[str, str], float] = {}
    strongest: dict[tuple[str, str], tuple[float, Suspicion]] = {}
    for name, report in reports.items():
        for one in report.suspicions:
            key = one.service, "change" if one.kind == "change" else ""
            weighed = WEIGHTS.get(name, 0.9) * min(max(one.score, 0.0), 1.0)
            doubts[key] = doubts.get(key, 1.0) * (1 - weighed)
            if weighed > strongest.get(key, (0.0, one))[0] or key not in strongest:
                strongest[key] = weighed, one
    return tuple(_in_order([(1 - doubts[key], one) for key, (_, one) in strongest.items()]))


def _in_order(scored: Sequence[tuple[float, Suspicion]]) -> list[Suspicion]:
    total = max(sum(score for score, one in scored if one.kind != "change"), 1.0)
    ordered = sorted(scored, key=lambda pair: (-pair[0], pair[1].kind == "change", pair[1].service))
    return [replace(one, score=score / (1.0 if one.kind == "change" else total)) for score, one in ordered[:MOST]]
