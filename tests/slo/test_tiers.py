"""Tiers: their factors, how they scale, how soon they fire, and which make no sense."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.tiers import PRESETS, WORKBOOK_TIERS, Tier, detection_time, problem, scaled_for, trickle
from tests.make import DAY, HOUR, MINUTE, tier

MONTH = 30 * DAY


def test_over_30_days_the_factors_are_those_of_the_workbook() -> None:
    factors = [one.factor(MONTH) for one in WORKBOOK_TIERS]
    assert factors == [Decimal("14.4"), Decimal(6), Decimal(3), Decimal(1)]


def test_for_30_days_the_tiers_are_those_of_the_workbook_and_one_for_a_trickle() -> None:
    assert scaled_for(MONTH) == (*WORKBOOK_TIERS, tier("ticket", MONTH, 3 * DAY, "1"))


@given(st.integers(min_value=60, max_value=400 * 24 * 60))
def test_a_trickle_is_told_when_the_whole_budget_is_spent(minutes: int) -> None:
    window = timedelta(minutes=minutes)
    assert trickle(window).factor(window) == 1
    assert problem(trickle(window), window, Decimal("0.999")) is None


def test_each_preset_makes_sense_for_a_month() -> None:
    for preset in PRESETS:
        for one in preset.scaled(MONTH, Decimal("0.999")):
            assert problem(one, MONTH, Decimal("0.999")) is None


def test_a_preset_holds_what_its_name_says() -> None:
    severities = {preset.name: {one.severity for one in preset.scaled(MONTH)} for preset in PRESETS}
    assert severities["Pages only"] == {"page"}
    assert severities["Tickets only"] == {"ticket"}
    assert severities["Workbook"] == severities["Patient"] == {"page", "ticket"}


def test_over_a_week_tickets_shrink_until_they_no_longer_alert_on_a_budget_that_lasts() -> None:
    assert scaled_for(7 * DAY) == (
        tier("page", HOUR, 5 * MINUTE, "0.02"),
        tier("page", 6 * HOUR, 30 * MINUTE, "0.05"),
        tier("ticket", 16 * HOUR, 80 * MINUTE, "0.10"),
        tier("ticket", 7 * DAY, 7 * DAY / 10, "1"),
    )


@given(st.integers(min_value=60, max_value=400 * 24 * 60))
def test_scaled_tiers_make_sense_for_every_window(minutes: int) -> None:
    window = timedelta(minutes=minutes)
    for one in scaled_for(window):
        assert problem(one, window, Decimal("0.999")) is None
        assert one.factor(window) >= 1


@given(st.integers(min_value=1, max_value=400), st.sampled_from(["0.5", "0.9", "0.95", "0.99", "0.999999999"]))
def test_with_a_target_every_scaled_tier_fires_on_a_complete_outage(days: int, target: str) -> None:
    window = days * DAY
    for one in scaled_for(window, Decimal(target)):
        assert problem(one, window, Decimal(target)) is None or one.long == 28 * DAY


@pytest.mark.parametrize(("error_ratio", "seconds"), [(1, 12.096), (Decimal("0.3"), 40.32), (Decimal("0.1"), 120.96)])
def test_detection_takes_the_share_of_the_budget_at_the_rate_of_the_errors(
    error_ratio: Decimal, seconds: float
) -> None:
    found = detection_time(tier("page", HOUR, 5 * MINUTE, "0.02"), 7 * DAY, Decimal("0.999"), error_ratio)
    assert found == timedelta(seconds=seconds)


def test_errors_below_the_threshold_are_never_detected() -> None:
    assert detection_time(WORKBOOK_TIERS[0], MONTH, Decimal("0.999"), Decimal("0.0144")) is None
    assert detection_time(WORKBOOK_TIERS[0], MONTH, Decimal("0.999"), Decimal("0.0145")) is not None


def test_with_little_traffic_detection_waits_for_the_bad_events_a_page_needs() -> None:
    found = detection_time(WORKBOOK_TIERS[0], MONTH, Decimal("0.999"), Decimal("0.5"), rate=0.01)
    assert found == timedelta(seconds=400)


def test_without_traffic_nothing_is_detected() -> None:
    assert detection_time(WORKBOOK_TIERS[0], MONTH, Decimal("0.999"), 1, rate=0) is None


@pytest.mark.parametrize(
    ("wrong", "target", "sentence"),
    [
        (WORKBOOK_TIERS[0], "0.9", "can never fire"),
        (tier(long=31 * DAY), "0.999", "longer than the objective's"),
        (tier(long=HOUR, short=HOUR), "0.999", "must be shorter than the long one"),
        (tier(short=timedelta(0)), "0.999", "longer than nothing"),
        (tier(budget_share="0"), "0.999", "share of the budget"),
    ],
)
def test_a_tier_that_makes_no_sense_says_why(wrong: Tier, target: str, sentence: str) -> None:
    found = problem(wrong, MONTH, Decimal(target))
    assert found is not None
    assert sentence in found


def test_a_target_of_eleven_nines_is_printed_in_full() -> None:
    never = problem(tier(long=DAY, budget_share="1"), 10**6 * DAY, Decimal("0.99999999999"))
    assert never is None
    impossible = problem(tier(long=MINUTE * 10, budget_share="0.5"), MONTH, Decimal("0.9995"))
    assert impossible is not None
    assert "99.95\N{NARROW NO-BREAK SPACE}%" in impossible
    assert "2,000×" in impossible
