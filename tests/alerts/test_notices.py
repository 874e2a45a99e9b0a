"""Budget and no-data alerts: told once when they fire and once when they clear, without an incident."""

import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone

from alerts import delivery, evaluation, notification, outbox
from alerts.models import Alert, Channel, Delivery, Incident, Transition
from slo.definition import BudgetAlert, NoDataAlert
from slo.models import Objective
from tests.alerts.cast import BAD, GOOD, PAGE, SECOND, alert_of, go_on, make_channel, watched
from tests.alerts.test_notification import fields_of
from tests.make import HOUR, MINUTE, NOON, make_flow, make_slices

pytestmark = pytest.mark.django_db

HALF, MOST, ALL = (BudgetAlert("ticket", Decimal(share)) for share in ("0.5", "0.75", "1"))
SILENT = NoDataAlert("ticket", timedelta(minutes=15))


def two_hours(rules: Sequence[Any] = (HALF, MOST, ALL), **fields: Any) -> Objective:
    """99 % over 2 hours, in which 120 of 12,000 requests may fail; none has."""
    return watched(name="Orders succeed", target="0.99", window=2 * HOUR, rules=rules, **fields)


def told() -> list[tuple[str, str]]:
    """What is owed: the event, and the share of the budget that it is about."""
    rows = Delivery.objects.order_by("pk").select_related("transition__alert__tier")
    return [(row.event, f"{row.transition.alert.tier.budget_share.normalize():f}") for row in rows]


# -- Budgets
def test_half_of_the_budget_is_noticed_without_an_incident() -> None:
    make_channel()
    checkout = two_hours()
    go_on(checkout, [(59, 100)])
    assert told() == []
    go_on(checkout, [(1, 100)])
    assert told() == [("noticed", "0.5")]
    assert not Incident.objects.exists()


def test_a_spent_budget_does_not_hold_an_incident_open() -> None:
    checkout = two_hours([PAGE, HALF])
    go_on(checkout, [BAD] * 3 + [GOOD] * 12)
    assert alert_of(checkout, "ticket", kind="budget").state == Alert.State.FIRING
    assert Incident.objects.get().state == Incident.State.RESOLVED


def test_shares_that_one_slice_spends_together_are_told_once() -> None:
    make_channel()
    go_on(two_hours(), [(95, 100)])
    assert Alert.objects.firing().count() == 2
    assert told() == [("noticed", "0.75")]


def test_a_page_is_not_left_out_for_a_larger_ticket() -> None:
    make_channel()
    go_on(two_hours([BudgetAlert("page", Decimal("0.5")), MOST]), [(95, 100)])
    assert told() == [("noticed", "0.75"), ("noticed", "0.5")] or told() == [("noticed", "0.5"), ("noticed", "0.75")]


def test_a_budget_that_recovers_is_cleared_for_those_who_were_told() -> None:
    make_channel("chat")
    checkout = two_hours()
    go_on(checkout, [(95, 100)])
    make_channel("newcomer")
    go_on(checkout, [GOOD] * 121)
    assert told() == [("noticed", "0.75"), ("cleared", "0.75")]
    assert {owed.channel.name for owed in Delivery.objects.all()} == {"chat"}


def test_a_budget_at_the_edge_does_not_come_and_go() -> None:
    make_channel()
    checkout = two_hours([HALF])
    go_on(checkout, [(62, 100), *[GOOD] * 118, (57, 100), (0, 100), (5, 100)])
    assert told() == [("noticed", "0.5")]


def test_evaluating_again_tells_nothing_twice() -> None:
    make_channel()
    checkout = two_hours()
    at = go_on(checkout, [(95, 100)])
    for later in (1, 30, 300):
        evaluation.evaluate([checkout.pk], now=at + later * SECOND)
    assert told() == [("noticed", "0.75")]


def test_a_channel_hears_of_an_alert_in_order() -> None:
    make_channel()
    go_on(two_hours([HALF]), [(95, 100), *[GOOD] * 121])
    later = timezone.now() + HOUR
    assert [row.event for row in outbox.due(later)] == ["noticed"]
    Delivery.objects.filter(event="noticed").update(state="sent")
    assert [row.event for row in outbox.due(later)] == ["cleared"]


# -- No data
def test_series_that_are_gone_are_noticed_after_a_while() -> None:
    make_channel()
    checkout = watched(rules=[SILENT])
    go_on(checkout, [None] * 14)
    assert alert_of(checkout, "ticket", kind="no-data").state == "inactive"
    at = go_on(checkout, [None])
    assert alert_of(checkout, "ticket", kind="no-data").since == at
    go_on(checkout, [None, GOOD])
    assert [owed.event for owed in Delivery.objects.order_by("pk")] == ["noticed", "cleared"]


def test_a_store_that_does_not_answer_is_noticed_by_the_clock() -> None:
    make_channel()
    checkout = watched(rules=[SILENT])
    Objective.objects.update(last_error="Prometheus at 127.0.0.1:9 cannot be reached.")
    for minutes in (14, 15, 16, 60):
        evaluation.evaluate([checkout.pk], now=NOON + minutes * MINUTE + SECOND)
    assert [(move.at, move.new) for move in Transition.objects.all()] == [(NOON + 15 * MINUTE, "firing")]
    note = notification.compose(Delivery.objects.get(), NOON + 16 * MINUTE)
    assert note.summary == "Nothing was measured for 15\u00a0min. Prometheus at 127.0.0.1:9 cannot be reached."


def test_slices_that_come_late_clear_it_after_it_began_not_before() -> None:
    checkout = watched(rules=[SILENT])
    evaluation.evaluate([checkout.pk], now=NOON + 20 * MINUTE)
    make_slices(checkout, NOON, [GOOD] * 20)
    evaluation.evaluate([checkout.pk], now=NOON + 20 * MINUTE + 12 * SECOND)
    moves = [(move.at, move.new) for move in Transition.objects.all()]
    assert moves == [(NOON + 15 * MINUTE, "firing"), (NOON + 16 * MINUTE, "resolved")]


def test_an_objective_that_was_never_measured_is_noticed_too() -> None:
    checkout = watched(rules=[SILENT], hours=0)
    Objective.objects.update(created_at=NOON)
    evaluation.evaluate([checkout.pk], now=NOON + 15 * MINUTE + SECOND)
    assert alert_of(checkout, "ticket", kind="no-data").state == "firing"


# -- What is said
@override_settings(BASE_URL="https://fireline.example.org")
def test_the_documented_example_has_the_fields_of_the_real_thing() -> None:
    make_channel()
    go_on(two_hours(), [(95, 100)])
    real = notification.compose(Delivery.objects.get(), NOON).payload()
    text = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    documented = json.loads(text.split("```json")[2].split("```")[0])
    assert fields_of(documented) == fields_of(real)
    assert json.loads(json.dumps(real, allow_nan=False)) == real


def test_a_budget_message_says_how_much_and_what_is_left() -> None:
    make_channel()
    go_on(two_hours(flow=make_flow("Checkout", team="payments")), [(95, 100)])
    note = notification.compose(Delivery.objects.get(), NOON)
    assert note.subject == "[Ticket] Checkout: 75\u202f% of the error budget of Orders succeed is spent"
    assert "95 bad events" in note.summary
    assert "20.8\u202f% left of the error budget" in note.summary
    assert "all of it is gone in 16\u00a0min (13\u00a0min to 19\u00a0min) at the last hour's rate" in note.summary
    assert note.payload()["budget"]["exhausted_at"].startswith("2026-03-02T12:16")
    assert {fact.name: fact.value for fact in note.facts}["Flow"] == "Checkout · payments"
    assert note.dedup_key == f"fireline-alert-{Delivery.objects.get().transition.alert_id}"


def test_the_messages_of_one_alert_belong_together_and_differ() -> None:
    make_channel()
    go_on(two_hours([HALF]), [(95, 100), *[GOOD] * 121])
    first, last = (notification.compose(row, NOON) for row in Delivery.objects.order_by("pk"))
    assert first.dedup_key == last.dedup_key
    assert first.event_id != last.event_id
    assert last.subject.startswith("[Cleared] ")
    assert "less than 50\u202f%" in last.title


def test_it_goes_out_through_the_channel_like_any_other() -> None:
    make_channel("mail", "email", to="owner@example.org")
    go_on(two_hours([ALL]), [BAD, (20, 100)])
    assert delivery.deliver_due(timezone.now() + HOUR) == 1
    assert Channel.objects.get().last_sent_at is not None
