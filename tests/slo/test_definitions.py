"""Definitions: what changes when somebody saves an objective, and what does not."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from slo.counting import Matcher, Sli
from slo.definition import BudgetAlert, Budgeting, Definition, NoDataAlert
from slo.definitions import (
    definition_of,
    history_goal,
    restarts_ledger,
    rule_of,
    save_definition,
    save_objective,
    sli_of,
    tiers_of,
)
from slo.models import AlertRule, Ledger, Objective, Slice
from slo.periods import Window
from slo.states import Policy
from slo.tiers import WORKBOOK_TIERS, Tier
from tests.make import DAY, HOUR, MINUTE, NOON, make_flow, make_objective, make_slices, make_source, tier

pytestmark = pytest.mark.django_db

DEFINITION = Definition(
    name="Orders",
    sli=Sli("events", "requests_total", (Matcher("job", "=", "shop"),), (Matcher("code", "=~", "5.."),)),
    target=Decimal("0.995"),
    window=Window(30 * DAY, "month", "Europe/Berlin"),
    budgeting=Budgeting("timeslices", 5 * MINUTE, Decimal("0.95")),
    tiers=WORKBOOK_TIERS,
    policy=Policy(min_bad=5, confidence=None),
    budget_alerts=(BudgetAlert("page", Decimal(1)), BudgetAlert("ticket", Decimal("0.5"))),
    no_data=NoDataAlert("ticket", 15 * MINUTE),
    flow="Shop",
    description="Orders go through.",
    labels={"team": "sales"},
)


def again(objective: Objective) -> Objective:
    return Objective.objects.select_related("flow").get(pk=objective.pk)


def saved() -> Objective:
    return save_definition(make_flow("Shop"), make_source(), DEFINITION)


# -- Definitions
def test_what_is_saved_is_what_was_defined() -> None:
    found = definition_of(again(saved()))
    assert found == DEFINITION
    assert found.labels == DEFINITION.labels


def test_with_its_rules_at_hand_a_definition_needs_no_query(django_assert_num_queries: Any) -> None:
    objective = again(saved())
    rules = list(objective.rules.active())
    with django_assert_num_queries(0):
        assert definition_of(objective, rules) == DEFINITION


def test_a_flow_that_is_not_loaded_is_not_asked_for(django_assert_num_queries: Any) -> None:
    objective = Objective.objects.get(pk=saved().pk)
    with django_assert_num_queries(1):
        assert definition_of(objective).flow == ""


def test_each_rule_is_what_its_row_says() -> None:
    rules = {rule_of(row) for row in saved().rules.all()}
    assert rules == {*DEFINITION.tiers, *DEFINITION.budget_alerts, DEFINITION.no_data}


def test_an_sli_is_what_the_row_says() -> None:
    objective = make_objective(
        kind="latency",
        metric="seconds",
        matchers=[{"label": "flow", "op": "!~", "value": "test.*"}],
        bad_matchers=[],
        threshold=Decimal("0.5"),
        grouping=["tenant"],
    )
    assert sli_of(again(objective)) == Sli(
        "latency",
        "seconds",
        (Matcher("flow", "!~", "test.*"),),
        threshold=Decimal("0.5"),
        group_by=("tenant",),
    )


# -- Rules
def test_an_objective_is_saved_with_its_tiers() -> None:
    assert tiers_of(again(make_objective(tiers=WORKBOOK_TIERS))) == list(WORKBOOK_TIERS)


def test_the_same_tier_twice_is_one() -> None:
    assert len(tiers_of(make_objective(tiers=[WORKBOOK_TIERS[0]] * 2))) == 1


def test_two_tiers_may_have_the_same_windows() -> None:
    tiers = [tier(budget_share="0.02"), tier(budget_share="0.03")]
    assert tiers_of(make_objective(tiers=tiers)) == tiers


def test_a_tier_that_stays_keeps_its_row_and_one_that_goes_is_archived() -> None:
    objective = make_objective(tiers=WORKBOOK_TIERS[:2])
    stays = AlertRule.objects.get(long=HOUR)
    save_objective(again(objective), [WORKBOOK_TIERS[0], tier("ticket", DAY, 2 * HOUR, "0.1")])
    assert AlertRule.objects.get(pk=stays.pk).archived_at is None
    assert AlertRule.objects.get(long=6 * HOUR).archived_at is not None
    assert [one.severity for one in tiers_of(objective)] == ["page", "ticket"]


def test_a_tier_comes_back_as_a_new_one() -> None:
    objective = make_objective(tiers=WORKBOOK_TIERS[:1])
    save_objective(again(objective), [])
    save_objective(again(objective), WORKBOOK_TIERS[:1])
    assert AlertRule.objects.count() == 2
    assert tiers_of(objective) == [WORKBOOK_TIERS[0]]


def test_rules_of_every_kind_come_and_go() -> None:
    objective = saved()
    fewer = replace(DEFINITION, budget_alerts=DEFINITION.budget_alerts[:1], no_data=NoDataAlert("page", HOUR))
    save_definition(objective.flow, objective.source, fewer, again(objective))
    assert definition_of(again(objective)) == fewer
    gone = AlertRule.objects.exclude(archived_at=None)
    assert {row.kind for row in gone} == {AlertRule.Kind.BUDGET, AlertRule.Kind.NO_DATA}


# -- Ledgers
@pytest.mark.parametrize(
    "change",
    [
        {"metric": "other_total"},
        {"matchers": [{"label": "a", "op": "=", "value": "b"}]},
        {"bad_matchers": [{"label": "code", "op": "=", "value": "500"}]},
        {"marks": "good"},
        {"bad_metric": "errors_total"},
        {"kind": "latency", "threshold": Decimal("0.5")},
        {"bad_expression": "a", "total_expression": "b"},
        {"kind": "gauge", "expression": "a", "threshold": Decimal(1)},
        {"grouping": ["tenant"]},
        {"method": "timeslices", "time_slice": 5 * MINUTE, "time_slice_target": Decimal("0.9")},
    ],
)
def test_when_other_events_count_a_new_generation_is_measured(change: dict[str, Any]) -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)])
    edited = again(objective)
    for field, value in change.items():
        setattr(edited, field, value)
    save_objective(edited, [])
    found = again(objective)
    assert (found.generation, found.measured_until, found.measured_from, found.history_goal) == (2, None, None, None)


def test_the_ledgers_of_an_earlier_generation_stay() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)])
    edited = again(objective)
    edited.metric = "other_total"
    save_objective(edited, [])
    assert Ledger.objects.get().generation == 1
    assert Slice.objects.count() == 1


def test_another_source_counts_other_events() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)])
    edited = again(objective)
    edited.source = make_source()
    save_objective(edited, [])
    assert again(objective).generation == 2


def test_the_order_of_matchers_changes_no_event() -> None:
    matchers = [{"label": name, "op": "=", "value": "x"} for name in "ab"]
    objective = make_objective(matchers=matchers)
    edited = again(objective)
    edited.matchers = matchers[::-1]
    assert not restarts_ledger(objective, edited)


def test_what_another_kind_left_behind_changes_no_event() -> None:
    objective = make_objective(kind="latency", metric="seconds", bad_matchers=[], threshold=Decimal("0.5"))
    edited = again(objective)
    edited.bad_matchers, edited.expression, edited.marks = [{"label": "a", "op": "=", "value": "b"}], "up", "good"
    assert not restarts_ledger(objective, edited)


def test_another_target_name_or_shorter_window_keeps_the_ledger() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)])
    edited = again(objective)
    edited.target, edited.name, edited.window = Decimal("0.95"), "Renamed", 7 * DAY
    save_objective(edited, WORKBOOK_TIERS[:1])
    found = again(objective)
    assert (found.target, found.name, found.window) == (Decimal("0.95"), "Renamed", 7 * DAY)
    assert (found.generation, found.measured_until) == (1, end)


def test_a_longer_window_wants_more_history_in_the_same_generation() -> None:
    objective = make_objective(window=7 * DAY)
    end = make_slices(objective, NOON, [(1, 10)])
    now = timezone.now()
    Objective.objects.update(history_goal=now - 7 * DAY)
    edited = again(objective)
    edited.window = 60 * DAY
    save_objective(edited, [])
    found = again(objective)
    assert (found.generation, found.measured_until) == (1, end)
    assert found.history_goal is not None
    assert now - 60 * DAY - HOUR <= found.history_goal <= now - 59 * DAY


def test_history_begins_on_a_full_hour_before_the_window() -> None:
    at = datetime(2026, 3, 2, 12, 34, tzinfo=UTC)
    assert history_goal(Window(30 * DAY), at) == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert history_goal(Window(2 * HOUR), at) == datetime(2026, 3, 2, 10, tzinfo=UTC)
    assert history_goal(Window(30 * DAY, "month"), at) == datetime(2026, 3, 1, tzinfo=UTC)


def test_saving_does_not_turn_back_what_was_measured_since_the_form_was_opened() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)])
    opened = again(objective)
    make_slices(again(objective), end, [(1, 10)])
    opened.name = "Renamed"
    save_objective(opened, [])
    assert again(objective).measured_until == end + MINUTE
    assert opened.measured_until == end + MINUTE


def test_a_tier_is_what_its_row_says() -> None:
    objective = make_objective(tiers=[Tier("page", HOUR, 5 * MINUTE, Decimal("0.02"))])
    assert rule_of(objective.rules.get()) == Tier("page", HOUR, 5 * MINUTE, Decimal("0.020000"))
