"""What a rule read, as it is stored with alerts and transitions: plain JSON, lengths in seconds."""

from typing import Any

from slo.states import Reading, Silence, Spent
from slo.windows import Totals


def numbers_of(reading: Reading | Spent | Silence) -> dict[str, Any]:
    """`{"long": {"bad", "total", "coverage", "seconds"}, "short": {…}, "burn_long", "burn_short", "bound", "factor"}`.

    Burn rates are multiples; `bound` is the burn rate over the long window that is at least certain.
    """
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
