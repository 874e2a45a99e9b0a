"""What nothing watches any more does not burn on: archived rules, objectives and flows, and other counts."""

from datetime import datetime

import pytest
from django.utils import timezone

from alerts import evaluation, incidents, retirement
from alerts.models import Alert, Cursor, Delivery, Incident, Transition
from slo.definitions import save_objective
from slo.models import AlertRule, Objective
from tests.alerts.cast import BAD, GOOD, PAGE, SECOND, alert_of, go_on, make_channel, the_incident, watched
from tests.make import HOUR, MINUTE, NOON, make_slices, tier

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("archived", ["objective", "flow"])
def test_an_archived_objective_or_flow_does_not_burn_on(archived: str) -> None:
    checkout = watched()
    go_on(checkout, [BAD, BAD])
    row = checkout if archived == "objective" else checkout.flow
    row.archived_at = timezone.now()
    row.save()
    retirement.retire_archived(NOON + HOUR)
    retirement.retire_archived(NOON + 2 * HOUR)
    assert alert_of(checkout).reason == f"Taken off: the {archived} was archived"
    assert the_incident().resolved_at == NOON + HOUR


def test_a_changed_tier_hands_its_incident_on() -> None:
    make_channel()
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    save_objective(checkout, [tier(budget_share="0.03")])
    AlertRule.objects.exclude(archived_at=None).update(archived_at=at + 20 * SECOND)
    go_on(checkout, [BAD])
    assert Alert.objects.get(tier__archived_at__isnull=False).state == Alert.State.RESOLVED
    assert alert_of(checkout).state == Alert.State.FIRING
    assert the_incident().state == Incident.State.OPEN
    assert [owed.event for owed in Delivery.objects.all()] == ["opened"]


def test_a_tier_that_is_taken_off_ends_with_the_next_slice() -> None:
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    take_off(checkout, at + 20 * SECOND)
    evaluation.evaluate([checkout.pk], now=at + 30 * SECOND)
    assert Alert.objects.get().state == Alert.State.FIRING
    go_on(checkout, [BAD])
    assert Alert.objects.get().reason == "Taken off: this tier was archived"


def test_a_tier_that_is_taken_off_ends_without_slices_too() -> None:
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    take_off(checkout, at + 20 * SECOND)
    evaluation.evaluate([checkout.pk], now=at + 10 * MINUTE)
    assert the_incident().state == Incident.State.RESOLVED


def test_what_fired_for_other_counts_is_over() -> None:
    make_channel()
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    checkout.metric = "orders_total"
    save_objective(checkout, [PAGE])
    evaluation.evaluate([checkout.pk], now=at + 30 * SECOND)
    alert = Alert.objects.get()
    assert (alert.state, alert.reason) == ("resolved", "Taken off: what the objective counts was changed")
    assert the_incident().state == Incident.State.RESOLVED
    assert [owed.event for owed in Delivery.objects.order_by("pk")] == ["opened", "resolved"]


def test_other_counts_begin_at_their_newest_slice() -> None:
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    checkout.metric = "orders_total"
    save_objective(checkout, [PAGE])
    make_slices(checkout, at - HOUR, [GOOD] * 50 + [BAD] * 10)
    evaluation.evaluate([checkout.pk], now=at + 10 * SECOND)
    assert [move.new for move in Transition.objects.order_by("pk")] == ["firing", "resolved"]
    assert Cursor.objects.get().evaluated_until == at
    go_on(checkout, [BAD] * 2)
    assert alert_of(checkout).state == Alert.State.FIRING


def test_an_incident_keeps_to_what_was_counted_when_it_fired() -> None:
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    before = incidents.impact(the_incident())
    checkout.metric = "orders_total"
    save_objective(checkout, [PAGE])
    make_slices(checkout, at - HOUR, [(0, 7)] * 61)
    after = incidents.impact(the_incident())
    assert before is not None
    assert after is not None
    assert after.totals == before.totals


def take_off(objective: Objective, at: datetime) -> None:
    AlertRule.objects.filter(objective=objective).update(archived_at=at)
