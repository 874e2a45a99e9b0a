"""The error budget: what is allowed, spent and left, without artefacts of floats."""

from datetime import timedelta
from decimal import Decimal

import pytest

from slo.budget import Budget, burn, burns_faster
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
