"""A draft tried out: its budget, its alerts, its worst group, and how it differs from the objective as it is saved."""

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dashboards.objective_draft import Draft
from dashboards.objective_trial import MOST_REPLAYED, Trial, trial
from slo import maintenance, recordings
from slo.definition import Budgeting
from slo.definitions import definition_of
from slo.models import Objective
from slo.periods import Window
from tests.make import DAY, HOUR, MINUTE, NOON, make_objective, make_slices, tier
from tests.slo.stores import Scripted
from tests.slo.test_recordings import Tenants

pytestmark = pytest.mark.django_db

OUTAGE = NOON - 3 * HOUR
PAGE = tier(long=HOUR, short=5 * MINUTE, budget_share="0.3")


def outage(at: datetime) -> tuple[float, float]:
    """100 requests a minute, half of which fail for half an hour."""
    return (50, 100) if OUTAGE < at <= OUTAGE + 30 * MINUTE else (0, 100)


def objective(**fields: Any) -> Objective:
    return make_objective("0.99", window=DAY, tiers=[PAGE], **fields)


def changed(saved: Objective, **fields: Any) -> Draft:
    return Draft(saved.source, replace(definition_of(saved), **fields))


def tried(
    draft: Draft,
    saved: Objective,
    store: Scripted | None = None,
    patience: timedelta = timedelta(minutes=1),
    is_new: bool = False,
) -> Trial:
    recorded = recordings.load(recordings.question(draft.source, draft.definition, NOON + MINUTE / 4))
    recordings.fill(recorded, store or Scripted(outage), NOON, patience)
    found = trial(draft, saved.flow, None if is_new else saved, recorded)
    assert found is not None
    return found


def test_a_budget_counts_events_and_an_alert_fires_within_the_outage() -> None:
    saved = objective()
    found = tried(changed(saved), saved, is_new=True)
    assert (found.budget.totals.bad, found.budget.totals.total) == (1500, 144_000)
    assert found.budget.left == pytest.approx(1 - 1500 / 1440)
    assert (found.pages, found.tickets, found.notices) == (1, 0, 0)
    assert OUTAGE < found.fired[0].episode.since < OUTAGE + 30 * MINUTE


def test_the_picture_ends_with_what_is_left_and_marks_the_alert() -> None:
    saved = objective()
    found = tried(changed(saved), saved, is_new=True)
    assert found.picture is not None
    assert found.picture.end == NOON
    assert [line.severity for line in found.lines] == ["page"]
    assert found.lines[0].place == pytest.approx((OUTAGE - (NOON - DAY)) / DAY, abs=0.02)


def test_a_draft_like_the_saved_one_is_compared_with_nothing() -> None:
    saved = objective()
    assert tried(changed(saved), saved).saved is None


def test_a_milder_target_makes_the_saved_alerts_go() -> None:
    saved = objective()
    found = tried(changed(saved, target=Decimal("0.9")), saved)
    assert found.fired == []
    assert found.saved is not None
    assert [one.rule for one in found.saved.gone] == [PAGE]
    assert found.saved.left == pytest.approx(1 - 1500 / 1440)


def test_a_tier_that_needs_more_fires_later_than_the_saved_one() -> None:
    saved = objective()
    slower = replace(PAGE, budget_share=Decimal("0.6"))
    found = tried(changed(saved, tiers=(slower,)), saved)
    assert found.fired[0].later is not None
    assert found.fired[0].later > timedelta(0)


def test_an_alert_that_the_saved_rules_miss_is_new() -> None:
    saved = make_objective("0.9", window=DAY, tiers=[PAGE])
    found = tried(changed(saved, target=Decimal("0.99")), saved)
    assert [one.other for one in found.fired] == [None]


def test_when_other_events_count_it_is_compared_with_what_was_measured() -> None:
    saved = objective()
    counts = [(50, 100)] * 30 + [(0, 100)] * 150
    make_slices(saved, OUTAGE, counts)
    found = tried(changed(saved, sli=replace(definition_of(saved).sli, marks="good")), saved)
    assert found.saved is not None
    assert found.saved.left == pytest.approx(1 - 1500 / 180)
    assert [one.since for one in found.saved.episodes] == [found.saved.episodes[0].since]
    assert OUTAGE < found.saved.episodes[0].since < OUTAGE + 30 * MINUTE


def test_when_other_events_count_and_nothing_was_measured_there_is_nothing_to_compare() -> None:
    saved = objective()
    assert tried(changed(saved, sli=replace(definition_of(saved).sli, marks="good")), saved).saved is None


def test_maintenance_is_taken_out_also_of_the_groups() -> None:
    saved = objective()
    maintenance.declare("Upgrade", OUTAGE - MINUTE, 32 * MINUTE, flow=saved.flow)
    found = tried(changed(saved), saved)
    assert found.budget.totals.bad == found.groups[0].totals.bad == 0
    assert found.budget.totals.excluded == found.groups[0].totals.excluded == 32 * MINUTE
    assert found.fired == []


def test_maintenance_of_the_flow_holds_for_a_new_objective_too() -> None:
    saved = objective()
    maintenance.declare("Upgrade", OUTAGE, 30 * MINUTE, flow=saved.flow)
    assert tried(changed(saved), saved, is_new=True).budget.totals.bad == 0


def test_a_hopeless_target_gets_another_one() -> None:
    saved = objective()
    found = tried(changed(saved, target=Decimal("0.9999")), saved)
    assert found.suggestion is not None
    assert (found.suggestion.verdict, found.suggestion.target) == ("hopeless", Decimal("0.98"))


def test_nothing_is_suggested_before_all_is_read() -> None:
    saved = objective()
    found = tried(changed(saved, target=Decimal("0.9999")), saved, patience=timedelta(0))
    assert found.suggestion is None
    assert found.span == 6 * HOUR
    assert found.unmeasured == timedelta(0)


def test_the_worst_groups_come_first_and_only_they_are_replayed() -> None:
    saved = objective(grouping=["tenant"])
    found = tried(changed(saved), saved, Tenants(), is_new=True)
    assert len(found.groups) == recordings.MOST_GROUPS > MOST_REPLAYED
    assert {one.left for one in found.groups} == {1}
    assert found.groups[0].name.startswith('{tenant="')


def test_the_budget_of_a_calendar_month_is_whole_again_when_a_new_one_begins() -> None:
    saved = make_objective("0.99", window=30 * DAY, calendar="month", tiers=[])
    february = datetime(2026, 2, 20, 12, tzinfo=NOON.tzinfo)
    store = Scripted(lambda at: (50, 100) if february < at <= february + 6 * HOUR else (0, 100))
    found = tried(changed(saved), saved, store, is_new=True)
    assert found.budget.totals.bad == 0
    assert found.budget.left == 1
    assert found.budget.totals.span == timedelta(days=1, hours=12)


def test_a_bad_time_slice_counts_once_however_busy_it_was() -> None:
    saved = objective()
    slices = Budgeting("timeslices", 5 * MINUTE, Decimal("0.9"))
    found = tried(changed(saved, budgeting=slices), saved, is_new=True)
    assert (found.budget.totals.bad, found.budget.totals.total) == (6, 288)
    assert found.counts_slices


def test_where_everything_is_bad_it_says_so() -> None:
    saved = objective()
    assert tried(changed(saved), saved, Scripted(lambda at: (10, 10)), is_new=True).all_bad


def test_a_year_is_tried_in_longer_slices() -> None:
    saved = objective()
    asked = recordings.question(saved.source, changed(saved, window=Window(365 * DAY)).definition, NOON)
    assert asked.length == 5 * MINUTE
