"""Whether other kinds of requests came than usual: then the average request is slower although nothing is."""

import numpy as np

from evidence.chance import fewer, more
from evidence.findings import Finding, Subject
from evidence.samples import MOST_STRATA, Sample
from evidence.wording import milliseconds, share

MS = 1e6
# How unlikely by chance a shift must be to be told, and how much slower it makes the average request.
CHANCE = 1e-4
LEAST_PART = 0.2


def mix_finding(chosen: Sample, slowdown: float) -> Finding | None:
    """Told when the shift explains a notable part of the increase, beside `slowdown` (ms) within kinds of requests.

    The increase of a mean is exactly what the shares changed times what the kinds took before, plus what the kinds
    changed (Kitagawa 1955).
    """
    kinds = np.arange(MOST_STRATA)
    time = chosen.spans.duration_ns[chosen.spans.root] / MS
    normal = np.bincount(chosen.stratum[chosen.normal], minlength=MOST_STRATA)
    bad = np.bincount(chosen.stratum[chosen.bad], minlength=MOST_STRATA)
    took = np.bincount(chosen.stratum[chosen.normal], time[chosen.normal], MOST_STRATA) / np.maximum(normal, 1)
    shares = normal / normal.sum(), bad / bad.sum()
    shifted = (shares[1] - shares[0]) * (took - (shares[0] * took).sum()) * (normal > 0)
    added = float(shifted.sum())
    if added <= 0 or added < LEAST_PART * (added + max(slowdown, 0)):
        return None
    kind = int(kinds[np.argmax(shifted)])
    counts = int(bad[kind]), int(bad.sum()), int(normal[kind]), int(normal.sum())
    if min(fewer(*counts), more(*counts)) > CHANCE:
        return None
    row = int(chosen.kind_rows[np.flatnonzero(chosen.stratum == kind)[0]])
    name = f"{chosen.spans.service_name(row)} {chosen.spans.operation_name(row)}"
    statement = (
        f"The mix of requests shifted: {name} makes {share(float(shares[1][kind]))} of them "
        f"(before: {share(float(shares[0][kind]))}), which alone makes the average {milliseconds(added)} slower."
    )
    return Finding(
        "spans",
        statement,
        score=added / (added + max(slowdown, 0)),
        confidence=0.8,
        subject=Subject(chosen.spans.service_name(row), chosen.spans.operation_name(row)),
        numbers={
            "share_before": round(float(shares[0][kind]), 4),
            "share_during": round(float(shares[1][kind]), 4),
            "added_ms_per_request": round(added, 3),
        },
    )
