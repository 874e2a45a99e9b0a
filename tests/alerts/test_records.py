"""Storing what alerts did: in the order that keeps incidents together, and by one worker only."""

from dataclasses import replace
from datetime import datetime

import pytest

from alerts import records, retirement, watches
from alerts.models import Alert, Cursor, Delivery, Incident, Transition
from alerts.records import Judgement
from slo import judgement, ledger
from slo.definition import BudgetAlert
from slo.judgement import Rule
from slo.states import AlertState, State
from slo.tiers import Tier
from tests.alerts.cast import BAD, PAGE, SECOND, TICKET, go_on, make_channel, watched
from tests.make import DAY, HOUR, MINUTE, NOON, make_slices, tier

pytestmark = pytest.mark.django_db


def seen(watch: watches.Watch, rule: Rule, at: datetime, new: State) -> Judgement:
    """As if the rule had come to be in this state."""
    history = ledger.histories(watch.books, judgement.instants(watch.definition, at))[watch.books[0].pk]
    judged = judgement.judge(watch.definition, history, rule, AlertState(), at)
    old: State = "inactive" if new == "firing" else "firing"
    return Judgement(at, "", replace(judged, old=AlertState(old), state=AlertState(new, since=at)))


def loaded(rules: tuple[Tier | BudgetAlert, ...] = (PAGE, TICKET)) -> watches.Watch:
    checkout = watched(rules=rules)
    make_slices(checkout, NOON, [BAD])
    return watches.load([checkout.pk], NOON + MINUTE + 12 * SECOND)[0]


def test_an_incident_goes_on_when_one_alert_ends_in_the_slice_that_fires_another() -> None:
    make_channel()
    slow = tier("ticket", long=DAY, short=2 * HOUR, budget_share="0.9")
    checkout = watched(rules=(PAGE, slow))
    at = go_on(checkout, [BAD, BAD])
    watch = watches.load([checkout.pk], at)[0]
    end = make_slices(checkout, at, [BAD])
    records.store(watch, end, [seen(watch, PAGE, end, "resolved"), seen(watch, slow, end, "firing")], end)
    assert Incident.objects.get().state == Incident.State.OPEN
    assert not Delivery.objects.filter(event="resolved").exists()


def test_a_page_and_a_ticket_of_one_slice_open_a_paging_incident() -> None:
    make_channel()
    watch = loaded()
    at = NOON + MINUTE
    records.store(watch, at, [seen(watch, TICKET, at, "firing"), seen(watch, PAGE, at, "firing")], at)
    assert [owed.event for owed in Delivery.objects.all()] == ["opened"]
    assert Incident.objects.get().severity == "page"


def test_what_another_worker_has_evaluated_is_not_stored() -> None:
    watch = loaded()
    at = NOON + MINUTE
    Cursor.objects.update(evaluated_until=at)
    records.store(watch, at, [seen(watch, PAGE, at, "firing")], at)
    assert watch.overtaken
    assert not Alert.objects.exists()


def test_a_worker_that_knows_an_older_generation_stores_nothing() -> None:
    watch = loaded()
    at = NOON + MINUTE
    Cursor.objects.update(generation=2)
    records.store(watch, at, [seen(watch, PAGE, at, "firing")], at)
    assert not Transition.objects.exists()


def test_calm_objectives_that_somebody_moved_are_left_to_the_next_round() -> None:
    watch = loaded()
    Cursor.objects.update(evaluated_until=NOON + 5 * MINUTE)
    records.advance([(watch, NOON + MINUTE)])
    assert watch.overtaken
    assert Cursor.objects.get().evaluated_until == NOON + 5 * MINUTE


def test_an_alert_that_was_ended_meanwhile_is_not_brought_back() -> None:
    checkout = watched(rules=(PAGE,))
    at = go_on(checkout, [BAD, BAD])
    end = make_slices(checkout, at, [BAD])
    watch = watches.load([checkout.pk], at)[0]
    retirement.resolve(Alert.objects.get(), "Taken off: for this test", at + 20 * SECOND)
    records.store(watch, end, [seen(watch, PAGE, end, "firing")], end)
    assert watch.overtaken
    assert Alert.objects.get().state == Alert.State.RESOLVED
    assert Cursor.objects.get().evaluated_until == at
