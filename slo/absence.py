"""When a no-data alert fires and clears: a pure function of the last minutes of the ledger."""

from dataclasses import dataclass, replace
from datetime import datetime

from slo import wording
from slo.definition import NoDataAlert
from slo.states import IN_MAINTENANCE, AlertState
from slo.windows import Totals


@dataclass(frozen=True, slots=True)
class Absence:
    """What a no-data alert sees at one instant."""

    # As much time as the alert waits, until now.
    totals: Totals
    # Whether the ledger goes back that far: what is younger is not missing.
    begun: bool
    maintenance: bool = False


def decide(state: AlertState, rule: NoDataAlert, reading: Absence, at: datetime) -> tuple[AlertState, str]:
    """The state after `reading` was taken at `at`, and the sentence that says why.

    Fires when nothing at all was measured for as long as the rule says, none of it in maintenance; clears with the
    first slice that was.
    """
    after = wording.duration(rule.after)
    if reading.maintenance:
        return replace(state, frozen_since=state.frozen_since or at), IN_MAINTENANCE
    state = replace(state, frozen_since=None)
    if reading.totals.measured:
        reason = f"Measured within the last {after}"
        return (AlertState("resolved", since=at) if state.state == "firing" else state), reason
    if state.state == "firing":
        return state, f"Nothing was measured for more than {after}"
    if not reading.begun:
        return state, f"Measured for less than {after}"
    if reading.totals.excluded:
        return state, f"In maintenance within the last {after}"
    return AlertState("firing", since=at), f"Nothing was measured for {after}"
