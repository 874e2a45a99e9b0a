"""Budget alerts: what counts as spent, when they fire, and when they clear."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from slo.definition import BudgetAlert
from slo.periods import Window
from slo.spending import Spent, decide, read
from slo.states import STANDARD, AlertState
from slo.windows import Totals

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TARGET = Decimal("0.99")
MONTH = Window(30 * DAY)
MARCH = Window(30 * DAY, "month")
NOON = datetime(2026, 3, 16, 12, tzinfo=UTC)
HALF = BudgetAlert("ticket", Decimal("0.5"))
FIRING = AlertState("firing", since=NOON - HOUR)


def plain(reason: str) -> str:
    return reason.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def month(bad: float, total: float, coverage: float = 1.0) -> Spent:
    return read(Totals(bad, total, 30 * DAY * coverage, 30 * DAY), TARGET, MONTH, NOON)


def decided(reading: Spent, state: AlertState | None = None, window: Window = MONTH) -> tuple[str, str]:
    new, reason = decide(state or AlertState(), HALF, reading, window, NOON, STANDARD)
    return new.state, plain(reason)


def test_it_fires_when_its_share_is_spent() -> None:
    assert decided(month(50, 10_000)) == (
        "firing",
        "50 % of the budget of the last 30 d is spent: 50 bad events of the 100 it allows",
    )


def test_it_does_not_fire_before() -> None:
    state, reason = decided(month(49, 10_000))
    assert state == "inactive"
    assert reason.endswith("less than 50 %")


@pytest.mark.parametrize(("bad", "state"), [(49, "firing"), (45, "firing"), (44, "resolved")])
def test_it_clears_only_when_five_points_less_are_spent(bad: float, state: str) -> None:
    assert decided(month(bad, 10_000), FIRING)[0] == state


def test_one_bad_event_spends_no_budget_by_itself() -> None:
    state, reason = decided(month(1, 10))
    assert state == "inactive"
    assert reason.endswith("but 2 bad events are needed")


def test_no_traffic_spends_nothing() -> None:
    assert month(0, 0).share == 0


def test_with_half_of_the_window_unmeasured_it_says_nothing() -> None:
    assert decided(month(99, 100, coverage=0.4)) == ("inactive", "Frozen: only 40 % of the last 30 d was measured")
    assert decided(month(0, 0, coverage=0), FIRING) == ("firing", "Frozen: nothing of the last 30 d was measured")


def test_in_maintenance_it_neither_fires_nor_clears() -> None:
    totals = Totals(0, 100, 30 * DAY, 30 * DAY)
    reading = read(totals, TARGET, MONTH, NOON, maintenance=True)
    assert decided(reading, FIRING) == ("firing", "Frozen: in maintenance")


def test_a_bad_first_hour_does_not_spend_a_calendar_month() -> None:
    first = datetime(2026, 3, 1, 1, tzinfo=UTC)
    reading = read(Totals(20, 100, HOUR, HOUR), TARGET, MARCH, first)
    assert reading.allowed == pytest.approx(31 * 24)
    assert reading.share == pytest.approx(20 / (31 * 24))


def test_at_its_end_a_calendar_month_is_spent_as_it_was() -> None:
    midnight = datetime(2026, 4, 1, tzinfo=UTC)
    assert read(Totals(50, 10_000, 31 * DAY, 31 * DAY), TARGET, MARCH, midnight).share == pytest.approx(0.5)


def test_maintenance_is_no_part_of_a_calendar_months_budget() -> None:
    midnight = datetime(2026, 3, 11, tzinfo=UTC)
    # Ten days, five of them excluded: 26 days count, of which five have passed.
    reading = read(Totals(50, 1_000, 5 * DAY, 5 * DAY, 5 * DAY), TARGET, MARCH, midnight)
    assert reading.allowed == pytest.approx(10 * 26 / 5)


def test_a_calendar_month_is_called_so() -> None:
    reading = read(Totals(50, 1_000, 15 * DAY, 15 * DAY), TARGET, MARCH, datetime(2026, 3, 16, tzinfo=UTC))
    assert "of this month is spent" in decided(reading, window=MARCH)[1]
