"""An objective as the engine knows it: what is counted, what is allowed, when somebody is told. Plain data."""

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from slo.counting import Sli
from slo.periods import Window
from slo.states import STANDARD, Policy
from slo.tiers import Severity, Tier

type Method = Literal["occurrences", "timeslices"]


@dataclass(frozen=True, slots=True)
class BudgetAlert:
    """Tells when `spent` (0…1) of the budget is spent."""

    severity: Severity
    spent: Decimal


@dataclass(frozen=True, slots=True)
class NoDataAlert:
    """Tells when nothing was measured for as long as `after`."""

    severity: Severity
    after: timedelta


USUAL_BUDGET_ALERTS = tuple(BudgetAlert("ticket", Decimal(spent)) for spent in ("0.5", "0.75", "1"))
USUAL_NO_DATA = NoDataAlert("ticket", timedelta(minutes=15))


@dataclass(frozen=True, slots=True)
class Budgeting:
    """How a budget is spent: by bad events, or by time slices of `length` with fewer good events than `target` asks."""

    method: Method = "occurrences"
    length: timedelta | None = None
    target: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """One objective. Replay, backtest, rules and documents take this, whether it is stored or only drafted."""

    name: str
    sli: Sli
    target: Decimal
    window: Window
    budgeting: Budgeting = Budgeting()
    tiers: tuple[Tier, ...] = ()
    policy: Policy = STANDARD
    budget_alerts: tuple[BudgetAlert, ...] = USUAL_BUDGET_ALERTS
    no_data: NoDataAlert | None = USUAL_NO_DATA
    flow: str = ""
    description: str = ""
    # What a document says and the engine does not need: carried through, so that export gives it back.
    labels: dict[str, str] = field(default_factory=dict, hash=False, compare=False)
