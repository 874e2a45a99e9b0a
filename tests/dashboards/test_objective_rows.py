"""What is typed into the objective's form, and what it means."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.http import QueryDict

from dashboards import objective_rows
from dashboards.objective_rows import MatcherRow, Rows, TierRow, Unreadable, workbook_rows
from slo.tiers import WORKBOOK_TIERS

WEEK = timedelta(days=7)
MONTH = timedelta(days=30)
TARGET = Decimal("0.999")


@pytest.mark.parametrize(
    ("typed", "ratio"),
    [
        ("99.9", "0.999"),
        (" 99.95 % ", "0.9995"),
        ("99,9", "0.999"),
        ("99.999999999", "0.99999999999"),
        ("0.000000001", "0.00000000001"),
        ("50", "0.5"),
    ],
)
def test_a_target_is_exactly_what_was_typed(typed: str, ratio: str) -> None:
    assert objective_rows.target(typed) == Decimal(ratio)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("0", "above 0"),
        ("-1", "above 0"),
        ("100", "leaves no budget"),
        ("100.0000", "leaves no budget"),
        ("250", "leaves no budget"),
        ("99.9999999999", "at most 9 decimals"),
        ("", "such as 99.9"),
        ("three nines", "such as 99.9"),
        ("NaN", "such as 99.9"),
        ("1e1", "such as 99.9"),
        ("٩٩", "such as 99.9"),
        ("9" * 40, "such as 99.9"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused_with_a_sentence(typed: str, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        objective_rows.target(typed)


@pytest.mark.parametrize("typed", ["", "-60", "60.5", "0", "garbage", "9" * 30, str(91 * 86_400)])
def test_a_window_comes_from_the_list(typed: str) -> None:
    with pytest.raises(Unreadable, match="from the list"):
        objective_rows.length(typed)


@pytest.mark.parametrize("typed", ["", "0", "-1", "0.0000001", "100000", "soon"])
def test_a_limit_is_some_seconds(typed: str) -> None:
    with pytest.raises(Unreadable):
        objective_rows.limit(typed)


def test_an_unusual_window_stays_in_the_list() -> None:
    lengths = [length for _, length in objective_rows.choices(objective_rows.WINDOWS, "18000")]
    assert timedelta(hours=5) in lengths
    assert lengths == sorted(lengths)


def test_a_tier_says_its_factor_and_how_soon_it_fires() -> None:
    row = TierRow.of(WORKBOOK_TIERS[0])
    row.check(MONTH, TARGET)
    assert (row.fires_over, row.after, row.after_partly) == ("14.4×", "52\u00a0s", "2\u00a0min\u00a053\u00a0s")
    assert row.error == ""


def test_a_tier_that_can_never_fire_says_so() -> None:
    row = TierRow(long="300", short="60", share="15")
    row.check(MONTH, TARGET)
    assert "can never fire" in row.error
    assert row.after == "never"


def test_a_tier_that_is_longer_than_the_objective_says_so() -> None:
    row = TierRow(long="259200", short="3600", share="10")
    row.check(timedelta(days=1), TARGET)
    assert "longer than the objective" in row.error


@pytest.mark.parametrize(
    "row",
    [TierRow(severity="shout"), TierRow(long="x"), TierRow(share="much"), TierRow(share="0"), TierRow(share="101")],
)
def test_a_tier_that_cannot_be_read_has_no_numbers(row: TierRow) -> None:
    row.check(MONTH, TARGET)
    assert row.error
    assert (row.tier, row.fires_over, row.after) == (None, "", "")


def test_two_tiers_with_the_same_windows_are_refused() -> None:
    rows = Rows(tiers=[TierRow(), TierRow(share="3")])
    rows.check_tiers(MONTH, TARGET)
    assert [bool(row.error) for row in rows.tiers] == [False, True]


def test_an_empty_matcher_counts_as_none() -> None:
    row = MatcherRow()
    row.check()
    assert (row.matcher, row.error) == (None, "")


@pytest.mark.parametrize("row", [MatcherRow("", "=", "x"), MatcherRow("a", "~", "x"), MatcherRow("a", "=", "x" * 500)])
def test_a_matcher_that_makes_no_sense_says_so(row: MatcherRow) -> None:
    row.check()
    assert row.error
    assert row.matcher is None


def test_a_rows_own_button_adds_or_removes_it_and_keeps_the_others() -> None:
    posted = QueryDict("match_label=a&match_op==&match_value=1&match_label=b&match_op=!%3D&match_value=2")
    rows = Rows.posted(posted)
    assert rows.act({"remove_match": "0"}, MONTH, TARGET)
    assert rows.act({"add_match": "1"}, MONTH, TARGET)
    assert [(row.label, row.op, row.value) for row in rows.matchers] == [("b", "!=", "2"), ("", "=", "")]
    assert not rows.act({}, MONTH, TARGET)


def test_a_button_for_a_row_that_is_gone_changes_nothing() -> None:
    rows = Rows(matchers=[MatcherRow("a", "=", "1")])
    assert rows.act({"remove_match": "7"}, MONTH, TARGET)
    assert len(rows.matchers) == 1


def test_the_workbooks_tiers_follow_another_window() -> None:
    rows = Rows(tiers=workbook_rows(MONTH))
    assert rows.act({"rescale": "1", "tiers_for": str(30 * 86_400)}, WEEK, TARGET)
    assert [row.typed for row in rows.tiers] == [row.typed for row in workbook_rows(WEEK, TARGET)]


def test_a_tier_that_somebody_changed_stays_when_the_window_changes() -> None:
    rows = Rows(tiers=workbook_rows(MONTH))
    rows.tiers[0].share = "3"
    before = [row.typed for row in rows.tiers]
    assert rows.act({"rescale": "1", "tiers_for": str(30 * 86_400)}, WEEK, TARGET)
    assert [row.typed for row in rows.tiers] == before


def test_the_workbooks_tiers_fit_the_window() -> None:
    rows = Rows(tiers=[TierRow(share="50")])
    assert rows.act({"workbook": "1"}, MONTH, TARGET)
    rows.check_tiers(MONTH, TARGET)
    assert [row.fires_over for row in rows.tiers] == ["14.4×", "6×", "3×", "1×"]
