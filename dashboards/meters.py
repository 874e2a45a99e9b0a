"""Meters: how fast each tier's two windows burn against its factor, on a log scale from a tenth to a full outage."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from slo.models import AlertRule

# The scale's left end; slower burns have no length.
LEAST = 0.1


@dataclass(frozen=True, slots=True)
class Meter:
    """One tier as of its last reading; burn rates are multiples, `None` where nothing was measured."""

    severity: str
    objective: str
    long: timedelta
    short: timedelta
    burn_long: float | None
    burn_short: float | None
    factor: float
    firing: bool
    frozen: bool
    reason: str
    # Lengths on the scale, 0…1.
    long_at: float
    short_at: float
    factor_at: float


def meter(tier: AlertRule, target: Decimal, window: timedelta, *, objective: str = "") -> Meter:
    """`objective` is named when the meter stands among those of another one."""
    alert = getattr(tier, "alert", None)
    numbers: Mapping[str, Any] = alert.numbers if alert else {}
    factor = float(tier.budget_share * Decimal(str(window / tier.long)))
    most = float(1 / (1 - target))
    burn_long, burn_short = numbers.get("burn_long"), numbers.get("burn_short")
    return Meter(
        severity=tier.severity,
        objective=objective,
        long=tier.long,
        short=tier.short,
        burn_long=burn_long,
        burn_short=burn_short,
        factor=factor,
        firing=bool(alert and alert.state == "firing"),
        frozen=bool(alert and alert.frozen_since),
        reason=alert.reason if alert else "not evaluated yet",
        long_at=scale(burn_long, most),
        short_at=scale(burn_short, most),
        factor_at=scale(factor, most),
    )


def scale(rate: float | None, most: float) -> float:
    """A burn rate's place between `LEAST` and `most` (all requests bad), 0…1."""
    if rate is None or rate <= LEAST:
        return 0.0
    return min(1.0, math.log(rate / LEAST) / math.log(max(most, LEAST * 10) / LEAST))
