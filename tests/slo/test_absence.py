"""No-data alerts: when they fire, and when they clear."""

from datetime import UTC, datetime, timedelta

from slo.absence import Absence, decide
from slo.definition import NoDataAlert
from slo.states import AlertState
from slo.windows import Totals

QUARTER, MINUTE = timedelta(minutes=15), timedelta(minutes=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULE = NoDataAlert("ticket", QUARTER)
FIRING = AlertState("firing", since=NOON - QUARTER)


def seen(measured: timedelta = timedelta(0), excluded: timedelta = timedelta(0), **facts: bool) -> Absence:
    return Absence(Totals(0, 0, measured, QUARTER - excluded, excluded), **{"begun": True, **facts})


def decided(reading: Absence, state: AlertState | None = None) -> tuple[str, str]:
    new, reason = decide(state or AlertState(), RULE, reading, NOON)
    return new.state, reason.replace("\N{NO-BREAK SPACE}", " ")


def test_it_fires_when_nothing_was_measured_for_as_long_as_it_waits() -> None:
    assert decided(seen()) == ("firing", "Nothing was measured for 15 min")


def test_one_measured_slice_is_enough_not_to_fire() -> None:
    assert decided(seen(MINUTE))[0] == "inactive"


def test_it_clears_with_the_first_measured_slice() -> None:
    assert decided(seen(MINUTE), FIRING) == ("resolved", "Measured within the last 15 min")


def test_it_keeps_firing_while_nothing_is_measured() -> None:
    assert decided(seen(), FIRING)[0] == "firing"


def test_an_objective_that_is_younger_is_not_missed() -> None:
    assert decided(seen(begun=False)) == ("inactive", "Measured for less than 15 min")


def test_after_maintenance_it_waits_its_whole_time_again() -> None:
    assert decided(seen(excluded=MINUTE)) == ("inactive", "In maintenance within the last 15 min")


def test_in_maintenance_it_neither_fires_nor_clears() -> None:
    assert decided(seen(maintenance=True)) == ("inactive", "Frozen: in maintenance")
    assert decided(seen(MINUTE, maintenance=True), FIRING)[0] == "firing"
