"""A slice as it was measured, before the ledger keeps it."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite


@dataclass(frozen=True, slots=True)
class Measured:
    """One slice as the store answered it. `bad` and `total` are `None` when not measured, and `reason` says why."""

    start: datetime
    end: datetime
    bad: float | None
    total: float | None
    reason: str = ""


NO_NUMBERS = "Its counts are no numbers."


def sound(one: Measured) -> Measured:
    """The slice, as unmeasured where a count is NaN or infinite: in running totals either would stay for good."""
    if all(count is None or isfinite(count) for count in (one.bad, one.total)):
        return one
    return Measured(one.start, one.end, None, None, NO_NUMBERS)
