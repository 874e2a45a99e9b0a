"""Definitions: what changes when somebody saves an objective, and what does not."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from slo.counting import Matcher
from slo.definitions import save_objective, sli_of, tiers_of
from slo.models import AlertRule, Objective, Slice
from slo.tiers import WORKBOOK_TIERS
from tests.make import DAY, HOUR, MINUTE, NOON, make_objective, make_slices, make_source, tier

pytestmark = pytest.mark.django_db


def again(objective: Objective) -> Objective:
    return Objective.objects.get(pk=objective.pk)


def test_an_objective_is_saved_with_its_tiers() -> None:
    objective = make_objective(tiers=WORKBOOK_TIERS)
    assert tiers_of(again(objective)) == list(WORKBOOK_TIERS)


def test_the_same_tier_twice_is_one() -> None:
    assert len(tiers_of(make_objective(tiers=[WORKBOOK_TIERS[0]] * 2))) == 1


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


def test_two_tiers_with_the_same_windows_leave_everything_as_it_was() -> None:
    objective = make_objective(tiers=WORKBOOK_TIERS[:1])
    edited = again(objective)
    edited.name = "Renamed"
    with pytest.raises(IntegrityError), transaction.atomic():
        save_objective(edited, [tier(budget_share="0.02"), tier(budget_share="0.03")])
    assert again(objective).name == objective.name
    assert tiers_of(objective) == [WORKBOOK_TIERS[0]]


@pytest.mark.parametrize(
    "change",
    [
        {"metric": "other_total"},
        {"matchers": [{"label": "a", "op": "=", "value": "b"}]},
        {"bad_matchers": [{"label": "code", "op": "=", "value": "500"}]},
        {"kind": "latency", "threshold": Decimal("0.5")},
        {"bad_expression": "a", "total_expression": "b"},
        {"window": 60 * DAY},
    ],
)
def test_when_other_events_count_the_ledger_starts_anew(change: dict[str, Any]) -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)])
    edited = again(objective)
    for field, value in change.items():
        setattr(edited, field, value)
    save_objective(edited, [])
    saved = again(objective)
    assert (saved.measured_until, saved.revision) == (None, 2)
    assert not Slice.objects.exists()


def test_another_source_counts_other_events() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)])
    edited = again(objective)
    edited.source = make_source()
    save_objective(edited, [])
    assert again(objective).measured_until is None


def test_another_target_name_or_shorter_window_keeps_the_ledger() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)])
    edited = again(objective)
    edited.target, edited.name, edited.window = Decimal("0.95"), "Renamed", 7 * DAY
    save_objective(edited, WORKBOOK_TIERS[:1])
    saved = again(objective)
    assert (saved.target, saved.name, saved.window, saved.revision) == (Decimal("0.95"), "Renamed", 7 * DAY, 1)
    assert Slice.objects.count() == 1


def test_saving_does_not_turn_back_what_was_measured_since_the_form_was_opened() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)])
    opened = again(objective)
    make_slices(again(objective), end, [(1, 10)])
    opened.name = "Renamed"
    save_objective(opened, [])
    assert again(objective).measured_until == end + MINUTE


def test_an_sli_is_what_the_row_says() -> None:
    objective = make_objective(
        kind="latency",
        metric="seconds",
        matchers=[{"label": "flow", "op": "!~", "value": "test.*"}],
        threshold=Decimal("0.5"),
    )
    found = sli_of(again(objective))
    assert (found.kind, found.metric, found.threshold) == ("latency", "seconds", Decimal("0.5"))
    assert found.matchers == (Matcher("flow", "!~", "test.*"),)
    assert found.counts_good
    assert not found.by_expression
