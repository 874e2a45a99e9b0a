"""The error budget: what is allowed, spent and left, without artefacts of floats."""

from datetime import timedelta
from decimal import Decimal

import pytest

from slo.budget import Budget, Exhaustion, burn, burns_faster, exhaustion
from slo.windows import NOTHING, Totals
from tests.make import DAY, HOUR


def counted(bad: float, total: float) -> Totals:
    return Totals(bad, total, HOUR, HOUR)


@pytest.mark.parametrize(
    ("bad", "total", "target", "rate"),
    [
        (144, 10_000, "0.999", 14.4),
        (1, 1, "0.9", 10),
        (1, 1_000_000, "0.99999999999", 100_000),
        (0, 10, "0.999", 0),
        (0, 0, "0.999", 0),
    ],
)
def test_burn_is_the_error_ratio_over_the_allowed_one(bad: int, total: int, target: str, rate: float) -> None:
    assert burn(counted(bad, total), Decimal(target)) == rate


def test_what_was_not_measured_has_no_burn_rate() -> None:
    assert burn(NOTHING, Decimal("0.999")) is None
    assert not burns_faster(NOTHING, Decimal("0.999"), Decimal(0))


def test_exactly_at_the_factor_is_not_faster() -> None:
    target, factor = Decimal("0.999"), Decimal("14.4")
    assert not burns_faster(counted(144, 10_000), target, factor)
    assert burns_faster(counted(145, 10_000), target, factor)


def test_a_budget_knows_what_it_allows_and_what_is_left() -> None:
    found = Budget(counted(25, 100_000), Decimal("0.999"), 30 * DAY)
    assert (found.allowed, found.spent, found.left) == (100, 25, 0.75)


def test_an_overspent_budget_is_below_zero() -> None:
    assert Budget(counted(300, 100_000), Decimal("0.999"), 30 * DAY).left == -2


def test_without_traffic_all_of_the_budget_is_left() -> None:
    assert Budget(counted(0, 0), Decimal("0.999"), 30 * DAY).left == 1


def test_without_measurement_what_is_left_is_unknown() -> None:
    found = Budget(NOTHING, Decimal("0.999"), 30 * DAY)
    assert found.left is None
    assert found.exhausted_in(2) is None


def test_half_a_budget_lasts_half_the_window_at_a_burn_rate_of_one() -> None:
    half = Budget(counted(50, 100_000), Decimal("0.999"), 30 * DAY)
    assert half.exhausted_in(1) == 15 * DAY
    assert half.exhausted_in(15) == DAY


def test_a_budget_that_does_not_burn_lasts_and_a_spent_one_is_gone() -> None:
    half = Budget(counted(50, 100_000), Decimal("0.999"), 30 * DAY)
    assert half.exhausted_in(0) is None
    assert half.exhausted_in(None) is None
    spent = Budget(counted(100, 100_000), Decimal("0.999"), 30 * DAY)
    assert spent.exhausted_in(0) == timedelta(0)


def test_a_calendar_period_of_time_slices_knows_its_whole_budget_from_the_start() -> None:
    # One bad minute in the first five of a day with 1 % of 1,440 minutes to spend.
    found = Budget(counted(1, 5), Decimal("0.99"), DAY, expected=1440)
    assert found.allowed == 14.4
    assert found.left == pytest.approx(1 - 1 / 14.4)


# -- How long it lasts
WEEK = Budget(counted(50, 100_000), Decimal("0.999"), 7 * DAY)


def test_the_likely_time_to_exhaustion_is_that_of_the_plain_burn_rate() -> None:
    found = exhaustion(WEEK, counted(20, 10_000))
    assert found
    assert found.likely == WEEK.exhausted_in(2) == 7 * DAY / 4


@pytest.mark.parametrize(("bad", "total"), [(2, 1000), (20, 10_000), (200, 100_000), (2000, 1_000_000)])
def test_more_events_narrow_the_range_of_the_same_rate(bad: int, total: int) -> None:
    found = exhaustion(WEEK, counted(bad, total))
    wider = exhaustion(WEEK, counted(bad / 2, total / 2))
    assert found
    assert wider
    assert found.earliest
    assert found.latest
    assert wider.earliest
    assert wider.latest
    assert wider.earliest < found.earliest < 7 * DAY / 4 < found.latest < wider.latest


def test_the_range_is_that_of_the_exact_interval() -> None:
    # R: binom.test(5, 20, conf.level = 0.9): 0.1040808 to 0.4555824.
    found = exhaustion(Budget(counted(0, 1000), Decimal("0.9"), DAY), counted(5, 20))
    assert found
    assert found.earliest
    assert found.latest
    assert DAY / found.earliest == pytest.approx(4.555824, rel=1e-5)
    assert DAY / found.latest == pytest.approx(1.040808, rel=1e-5)


def test_without_bad_events_it_may_last_for_ever_and_few_events_promise_nothing() -> None:
    found = exhaustion(WEEK, counted(0, 100))
    assert found
    assert (found.likely, found.latest) == (None, None)
    # At most 3 % of the events are bad: 0.05^(1/100).
    assert found.earliest
    assert WEEK.window / 2 / found.earliest == pytest.approx((1 - 0.05**0.01) / 0.001)


def test_without_traffic_nothing_is_spent() -> None:
    assert exhaustion(WEEK, counted(0, 0)) == Exhaustion(None, None, None)


def test_what_was_not_measured_says_nothing_about_how_long() -> None:
    assert exhaustion(WEEK, NOTHING) is None
    assert exhaustion(Budget(NOTHING, Decimal("0.999"), DAY), counted(1, 10)) is None


def test_a_budget_that_is_spent_is_exhausted_now() -> None:
    spent = Budget(counted(100, 100_000), Decimal("0.999"), 30 * DAY)
    assert exhaustion(spent, counted(0, 0)) == Exhaustion(timedelta(0), timedelta(0), timedelta(0))


def test_ages_are_never() -> None:
    assert WEEK.exhausted_in(1e-12) is None
