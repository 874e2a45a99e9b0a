"""When a budget alert fires and clears: a pure function of the objective's window."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from slo import wording
from slo.budget import burn
from slo.definition import BudgetAlert
from slo.periods import Window
from slo.states import IN_MAINTENANCE, AlertState, Policy
from slo.windows import Totals

# An alert clears only when this much less is spent than what it fires at, so that it does not come and go.
CLEARS_BELOW = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class Spent:
    """What a budget alert sees at one instant."""

    # The objective's window until now.
    totals: Totals
    # How many bad events the whole window allows, at the traffic that was measured.
    allowed: float
    # The spent share of that, 0 and up; `None` where nothing was measured.
    share: float | None
    maintenance: bool = False


def read(totals: Totals, target: Decimal, window: Window, at: datetime, maintenance: bool = False) -> Spent:
    """What is spent at `at` of the window whose `totals` until then these are.

    Of a calendar period only a part has passed: its budget is what the traffic so far would allow over all of it.
    Otherwise two bad events in the first minute of a month would have spent the month.
    """
    ahead = (window.span(at) - totals.excluded) / totals.span if totals.span else 1.0
    rate = burn(totals, target)
    return Spent(totals, totals.total * float(1 - target) * ahead, None if rate is None else rate / ahead, maintenance)


def decide(
    state: AlertState, rule: BudgetAlert, reading: Spent, window: Window, at: datetime, policy: Policy
) -> tuple[AlertState, str]:
    """The state after `reading` was taken at `at`, and the sentence that says why.

    - In maintenance, or with less than the policy's coverage of the window: frozen.
    - Fires when the share is spent, on at least `min_bad` bad events.
    - Clears when 5 points less than that are spent, as in a new calendar period.
    """
    if why := _unknown(reading, window, policy):
        return replace(state, frozen_since=state.frozen_since or at), why
    state, spent = replace(state, frozen_since=None), _sentence(reading, window)
    if state.state == "firing":
        if clears(reading.share, rule):
            return AlertState("resolved", since=at), spent
        return state, f"{spent}; clears below {wording.percent(rule.spent - CLEARS_BELOW)}"
    if not reaches(reading.share, rule):
        return state, f"{spent}, less than {wording.percent(rule.spent)}"
    if reading.totals.bad < policy.min_bad:
        return state, f"{spent}, but {policy.min_bad} bad events are needed"
    return AlertState("firing", since=at), spent


def reaches(share: float | None, rule: BudgetAlert) -> bool:
    return share is not None and share >= rule.spent


def clears(share: float | None, rule: BudgetAlert) -> bool:
    return share is not None and share < rule.spent - CLEARS_BELOW


def _unknown(reading: Spent, window: Window, policy: Policy) -> str | None:
    if reading.maintenance:
        return IN_MAINTENANCE
    if reading.share is None or reading.totals.coverage < policy.min_coverage:
        share = f"only {wording.percent(reading.totals.coverage)}" if reading.totals.measured else "nothing"
        return f"Frozen: {share} of {_period(window)} was measured"
    return None


def _sentence(reading: Spent, window: Window) -> str:
    counts = f"{wording.plain(reading.totals.bad, 12)} bad events of the {wording.plain(reading.allowed)} it allows"
    return f"{wording.percent(reading.share or 0.0)} of the budget of {_period(window)} is spent: {counts}"


def _period(window: Window) -> str:
    return f"this {window.calendar}" if window.calendar else f"the last {wording.duration(window.length)}"
