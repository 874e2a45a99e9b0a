"""What a rule read, as it is stored with alerts and transitions: plain JSON, lengths in seconds."""

from typing import Any

from slo.absence import Absence
from slo.judgement import Seen
from slo.spending import Spent
from slo.windows import Totals


def numbers_of(reading: Seen) -> dict[str, Any]:
    """By kind of rule, with counts as `{"bad", "total", "coverage", "seconds"}`.

    - burn: `{"long": counts, "short": counts, "burn_long", "burn_short", "bound", "factor"}`; burn rates are
      multiples, `bound` is the one over the long window that is at least certain.
    - budget: `{"window": counts, "allowed", "share"}`; `share` (0 and up) is what is spent of the `allowed` bad events.
    - no data: `{"window": counts}`.
    """
    match reading:
        case Spent():
            return {"window": _counts(reading.totals), "allowed": reading.allowed, "share": reading.share}
        case Absence():
            return {"window": _counts(reading.totals)}
    return {
        "long": _counts(reading.long),
        "short": _counts(reading.short),
        "burn_long": reading.burn_long,
        "burn_short": reading.burn_short,
        "bound": reading.bound,
        "factor": float(reading.factor),
    }


def _counts(totals: Totals) -> dict[str, float]:
    return {
        "bad": totals.bad,
        "total": totals.total,
        "coverage": totals.coverage,
        "seconds": totals.span.total_seconds(),
    }
