"""The rows of the objective's form: what is typed into them, and what their buttons do."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.http import QueryDict

from dashboards.objective_rows import BudgetRow, MatcherRow, Rows, TierRow, usual_budget_rows, workbook_rows
from slo.tiers import PRESETS, WORKBOOK_TIERS, Preset

WEEK = timedelta(days=7)
MONTH = timedelta(days=30)
TARGET = Decimal("0.999")


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
    rows.check_rules(MONTH, TARGET)
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
    assert [row.cells for row in rows.tiers] == [row.cells for row in workbook_rows(WEEK, TARGET)]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_is_taken_whole_and_follows_the_window(preset: Preset) -> None:
    rows = Rows()
    assert rows.act({"preset": preset.name}, MONTH, TARGET)
    assert rows.act({"rescale": "1", "tiers_for": str(30 * 86_400)}, WEEK, TARGET)
    rows.check_rules(WEEK, TARGET)
    assert [row.tier for row in rows.tiers] == list(preset.scaled(WEEK, TARGET))
    assert [row.error for row in rows.tiers] == [""] * len(rows.tiers)


def test_a_preset_that_nobody_knows_changes_nothing() -> None:
    rows = Rows(tiers=[TierRow()])
    assert not rows.act({"preset": "Everything"}, MONTH, TARGET)


def test_the_usual_budget_alerts_tell_at_half_three_quarters_and_all() -> None:
    rows = Rows(budgets=usual_budget_rows())
    rows.check_rules(MONTH, TARGET)
    assert [row.alert.spent for row in rows.budgets if row.alert] == [Decimal("0.5"), Decimal("0.75"), Decimal(1)]


@pytest.mark.parametrize("row", [BudgetRow(spent="0"), BudgetRow(spent="101"), BudgetRow("shout"), BudgetRow(spent="")])
def test_a_budget_alert_that_cannot_be_read_says_what_is_expected(row: BudgetRow) -> None:
    row.check()
    assert row.error
    assert row.alert is None


def test_a_budget_alert_said_twice_is_refused() -> None:
    rows = Rows(budgets=[BudgetRow(), BudgetRow("page"), BudgetRow(spent="50.0")])
    rows.check_rules(MONTH, TARGET)
    assert [bool(row.error) for row in rows.budgets] == [False, False, True]


def test_budget_alerts_are_added_and_removed() -> None:
    rows = Rows(budgets=[BudgetRow()])
    assert rows.act({"add_budget": "1"}, MONTH, TARGET)
    assert len(rows.budgets) == 2
    assert rows.act({"remove_budget": "0"}, MONTH, TARGET)
    assert len(rows.budgets) == 1


def test_a_tier_that_somebody_changed_stays_when_the_window_changes() -> None:
    rows = Rows(tiers=workbook_rows(MONTH))
    rows.tiers[0].share = "3"
    before = [row.cells for row in rows.tiers]
    assert rows.act({"rescale": "1", "tiers_for": str(30 * 86_400)}, WEEK, TARGET)
    assert [row.cells for row in rows.tiers] == before


def test_the_workbooks_tiers_fit_the_window() -> None:
    rows = Rows(tiers=[TierRow(share="50")])
    assert rows.act({"preset": "Workbook"}, MONTH, TARGET)
    rows.check_rules(MONTH, TARGET)
    assert [row.fires_over for row in rows.tiers] == ["14.4×", "6×", "3×", "1×", "1×"]
