"""Targets that history supports better than the chosen one."""

from datetime import timedelta
from decimal import Decimal

import pytest

from slo.suggestion import RESERVE, USUAL, suggest
from slo.windows import Totals

MONTH = timedelta(days=30)


def month(bad: float, total: float, coverage: float = 1.0) -> Totals:
    return Totals(bad, total, MONTH * coverage, MONTH)


def plain(text: str) -> str:
    return text.replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_a_hopeless_target_is_answered_by_one_that_would_have_held() -> None:
    found = suggest(month(500, 100_000), Decimal("0.999"))
    assert found is not None
    assert (found.verdict, found.target) == ("hopeless", Decimal("0.99"))
    assert plain(found.sentence) == (
        "99.9 % would not have held: 99.5 % of the events were good, and 5 times the budget was spent. "
        "99 % would have held."
    )


def test_a_trivial_target_is_answered_by_one_that_would_have_held_as_well() -> None:
    found = suggest(month(10, 100_000), Decimal("0.99"))
    assert found is not None
    assert (found.verdict, found.target) == ("trivial", Decimal("0.9995"))
    assert "less than 1.7 %" in plain(found.sentence)


def test_a_target_that_fits_is_left_alone() -> None:
    assert suggest(month(70, 100_000), Decimal("0.999")) is None


def test_a_few_good_events_make_no_target_trivial() -> None:
    assert suggest(month(0, 100), Decimal("0.99")) is None


def test_a_few_bad_events_make_no_target_hopeless() -> None:
    assert suggest(month(1, 100), Decimal("0.999")) is None


def test_half_a_window_of_history_is_too_little() -> None:
    assert suggest(month(500, 1_000, coverage=0.4), Decimal("0.999")) is None


@pytest.mark.parametrize("bad", [1, 7, 30, 99, 450, 2_000])
@pytest.mark.parametrize("target", ["0.9", "0.99", "0.999", "0.9999", "0.99999"])
def test_what_is_suggested_would_have_held_with_a_reserve(bad: int, target: str) -> None:
    found = suggest(month(bad, 100_000), Decimal(target))
    if found is not None:
        assert found.target in USUAL
        assert bad / 100_000 <= RESERVE * float(1 - found.target)
        assert (found.target < Decimal(target)) is (found.verdict == "hopeless")
