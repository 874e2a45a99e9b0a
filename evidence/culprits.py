"""Who is to blame? What the investigators suspect, each by its own evidence, as one ranking."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from evidence.findings import Report, Suspicion

# What an investigator's certainty counts when others look elsewhere: a metric that is out of the ordinary is further
# from the failing request than what the request itself shows.
WEIGHTS = {"metrics": 0.7, "saturation": 0.5, "segments": 0.6}
OTHERS = 0.9
# So many candidates are named when there is any suspicion; those without evidence come last, at this score or less.
LEAST, UNSUSPECTED = 10, 1e-3
# Scores fall at least this much from one to the next, as a rank that is shared helps nobody.
STEP = 1e-9
# Nobody is named when the best suspicion is weaker than this: on a quiet system something is always a little odd.
LEAST_BEST = 0.1
# Where another mix of requests explains the trouble, nobody is named for a rest that is as uncertain as this.
LEAST_REST = 0.25

type Blamed = tuple[str, bool]


def ranked(reports: Mapping[str, Report], seen: Sequence[str] = ()) -> tuple[Suspicion, ...]:
    """Best first: each service once, and once more for a change of it; empty when nobody suspects anything.

    Independent reasons add up: what is left of doubt is the product of what each investigator leaves (a noisy or).
    Kind, operation and resource are those of the strongest suspicion. Services that were `seen` fill up the list.
    """
    doubts: dict[Blamed, float] = {}
    strongest: dict[Blamed, tuple[float, Suspicion]] = {}
    rest = _not_by_mix(reports)
    for name, report in reports.items():
        for blamed, one in _best_of_each(report.suspicions).items():
            score = WEIGHTS.get(name, OTHERS) * min(max(one.score, 0.0), 1.0) * (1.0 if one.kind == "load" else rest)
            doubts[blamed] = doubts.get(blamed, 1.0) * (1 - score)
            if blamed not in strongest or score > strongest[blamed][0]:
                strongest[blamed] = score, one
    found = [replace(one, score=1 - doubts[blamed]) for blamed, (_, one) in strongest.items()]
    if max((one.score for one in found), default=0.0) <= (LEAST_REST if rest < 1 else LEAST_BEST):
        return ()
    return tuple(_falling([*_shared(found), *_unsuspected(found, seen)]))


def _not_by_mix(reports: Mapping[str, Report]) -> float:
    """What share of the trouble is left when the traffic consists of other requests than usual: nobody's fault."""
    findings = reports.get("segments", Report()).findings
    return 1 - max((min(one.score, 1.0) for one in findings if one.numbers.get("mix")), default=0.0)


def _best_of_each(suspicions: Sequence[Suspicion]) -> dict[Blamed, Suspicion]:
    best: dict[Blamed, Suspicion] = {}
    for one in suspicions:
        blamed = one.service, one.kind == "change"
        if one.service and (blamed not in best or one.score > best[blamed].score):
            best[blamed] = one
    return best


def _shared(found: Sequence[Suspicion]) -> list[Suspicion]:
    """Several services cannot each be the likeliest cause: their scores add up to one at most."""
    total = max(1.0, sum(one.score for one in found if one.kind != "change"))
    scaled = [one if one.kind == "change" else replace(one, score=one.score / total) for one in found]
    return sorted(scaled, key=lambda one: (-one.score, one.kind == "change", one.service))


def _unsuspected(found: Sequence[Suspicion], seen: Sequence[str]) -> list[Suspicion]:
    known = {one.service for one in found}
    missing = [name for name in dict.fromkeys(seen) if name and name not in known][: max(LEAST - len(known), 0)]
    return [Suspicion(name, "dependency", 0.0) for name in missing]


def _falling(ordered: Sequence[Suspicion]) -> list[Suspicion]:
    falling = list[Suspicion]()
    for one in ordered:
        highest = falling[-1].score - STEP if falling else 1.0
        score = one.score or UNSUSPECTED
        falling.append(replace(one, score=max(min(score, highest), 0.0)))
    return falling
