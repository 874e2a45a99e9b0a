"""A slice as it was measured, before the ledger keeps it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Measured:
    """One slice as the store answered it. `bad` and `total` are `None` when not measured, and `reason` says why."""

    start: datetime
    end: datetime
    bad: float | None
    total: float | None
    reason: str = ""
