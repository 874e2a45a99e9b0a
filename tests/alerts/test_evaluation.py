"""Alerts over the ledger: what fires, what it opens, and that doing it twice changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from alerts import evaluation, outbox
from alerts.models import Alert, Cursor, Delivery, Incident, TimelineEntry, Transition
from slo import ledger
from slo.models import Objective
from tests.alerts.cast import BAD, GOOD, PAGE, SECOND, TICKET, alert_of, go_on, make_channel, the_incident, watched
from tests.make import HOUR, MINUTE, NOON, make_flow, make_objective, make_slices, tier

pytestmark = pytest.mark.django_db


def test_a_flow_that_fails_opens_one_incident() -> None:
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    assert alert_of(checkout).state == Alert.State.FIRING
    incident = the_incident()
    assert (incident.flow, incident.severity, incident.state) == (checkout.flow, "page", "open")
    assert NOON < incident.opened_at <= at


def test_the_incident_says_what_fails_how_much_and_since_when() -> None:
    checkout = watched()
    go_on(checkout, [(31, 100), (31, 100), (31, 100), (31, 100)])
    assert the_incident().title == "Checkout is failing: 31\u202f% of requests since 12:00\u00a0UTC"
    assert the_incident().onset_at == NOON


def test_a_slow_flow_is_called_slow() -> None:
    checkout = watched(kind="latency", metric="request_seconds", threshold="0.5")
    go_on(checkout, [(22, 100)] * 5)
    assert the_incident().title == "Checkout is slow: 22\u202f% of requests over 500\u00a0ms since 12:00\u00a0UTC"


def test_a_good_flow_opens_nothing() -> None:
    checkout = watched()
    go_on(checkout, [GOOD] * 5)
    assert alert_of(checkout).state == Alert.State.INACTIVE
    assert not Transition.objects.exists()
    assert not Alert.objects.exists()
    assert Cursor.objects.get().evaluated_until == NOON + 5 * MINUTE


def test_evaluating_again_changes_nothing() -> None:
    make_channel()
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    before = everything()
    for later in (0, 1, 60):
        evaluation.evaluate([checkout.pk], now=at + later * SECOND)
    assert everything() == before


def test_slices_that_come_in_one_go_give_the_same_as_one_by_one() -> None:
    counts = [BAD] * 3 + [GOOD] * 12 + [BAD] * 4 + [GOOD] * 3
    one_by_one, at_once = watched("Slowly"), watched("Quickly")
    at = go_on(one_by_one, counts)
    make_slices(at_once, NOON, counts)
    evaluation.evaluate([at_once.pk], now=at + 12 * SECOND)
    assert history(at_once) == history(one_by_one)
    assert len(history(at_once)) >= 3


def test_another_worker_on_the_same_slices_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = watched()
    at = make_slices(checkout, NOON, [BAD, BAD])
    again = once(lambda: evaluation.evaluate([checkout.pk], now=at))
    histories = ledger.histories

    def meanwhile(*arguments: Any) -> Any:
        found = histories(*arguments)
        again()
        return found

    monkeypatch.setattr(ledger, "histories", meanwhile)
    evaluation.evaluate([checkout.pk], now=at)
    assert Transition.objects.count() == 1
    assert Incident.objects.count() == 1


def test_a_worker_that_dies_while_recording_leaves_nothing_half_done(monkeypatch: pytest.MonkeyPatch) -> None:
    make_channel()
    checkout = watched()
    at = make_slices(checkout, NOON, [BAD, BAD])
    with monkeypatch.context() as dying:
        dying.setattr(outbox, "owe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            evaluation.evaluate([checkout.pk], now=at)
    assert not Transition.objects.exists()
    assert not Incident.objects.exists()
    evaluation.evaluate([checkout.pk], now=at)
    assert (Transition.objects.count(), Incident.objects.count(), Delivery.objects.count()) == (1, 1, 1)


def test_history_pages_nobody() -> None:
    checkout = make_objective(flow=make_flow("Checkout"), tiers=[PAGE])
    make_slices(checkout, NOON - 3 * HOUR, [BAD] * 60 + [GOOD] * 120)
    evaluation.evaluate([checkout.pk], now=NOON + 10 * SECOND)
    assert not Transition.objects.exists()
    assert Cursor.objects.get().evaluated_until == NOON


def test_a_flow_that_fails_already_pages_as_soon_as_it_is_watched() -> None:
    checkout = make_objective(flow=make_flow("Checkout"), tiers=[PAGE])
    make_slices(checkout, NOON - 1 * HOUR, [GOOD] * 50 + [BAD] * 10)
    evaluation.evaluate([checkout.pk], now=NOON + 10 * SECOND)
    assert the_incident().onset_at == NOON - 10 * MINUTE


def test_the_incident_ends_when_no_alert_of_the_flow_fires() -> None:
    checkout = watched()
    at = go_on(checkout, [BAD, BAD] + [GOOD] * 10)
    incident = the_incident()
    assert incident.state == Incident.State.RESOLVED
    assert incident.resolved_at is not None
    assert incident.resolved_at <= at
    assert incident.examples_due_at is None


def test_the_incident_goes_on_while_another_objective_of_the_flow_burns() -> None:
    errors = watched()
    latency = watched(flow=errors.flow)
    go_on(errors, [BAD, BAD])
    go_on(latency, [BAD] * 14)
    go_on(errors, [GOOD] * 12)
    assert alert_of(errors).state == Alert.State.RESOLVED
    assert the_incident().state == Incident.State.OPEN
    go_on(latency, [GOOD] * 12)
    assert the_incident().state == Incident.State.RESOLVED


def test_flows_have_incidents_of_their_own() -> None:
    for flow in ("Checkout", "Login"):
        go_on(watched(flow), [BAD, BAD])
    assert {incident.flow.name for incident in Incident.objects.all()} == {"Checkout", "Login"}


def test_burning_again_after_the_end_is_another_incident() -> None:
    checkout = watched()
    go_on(checkout, [BAD, BAD] + [GOOD] * 65 + [BAD, BAD])
    assert [incident.state for incident in Incident.objects.order_by("opened_at")] == ["resolved", "open"]


def test_a_ticket_that_becomes_a_page_is_raised_and_told_once() -> None:
    make_channel()
    checkout = watched(rules=[PAGE, TICKET], hours=25)
    at = make_slices(checkout, NOON, [(1, 100)] * 480)
    evaluation.evaluate([checkout.pk], now=at)
    assert the_incident().severity == "ticket"
    go_on(checkout, [BAD, BAD])
    assert the_incident().severity == "page"
    events = list(Delivery.objects.order_by("pk").values_list("event", flat=True))
    assert events == ["opened", "raised"]


def test_a_ticket_beside_a_page_is_shown_but_not_told() -> None:
    make_channel()
    checkout = watched(rules=[PAGE, TICKET], hours=25)
    go_on(checkout, [BAD] * 10)
    assert alert_of(checkout, "ticket").state == Alert.State.FIRING
    assert [delivery.event for delivery in Delivery.objects.all()] == ["opened"]
    entry = TimelineEntry.objects.get(icon="bell-off")
    assert "Silent, because the same objective pages." in entry.text
    assert alert_of(checkout, "ticket").silenced_since == entry.at


def test_a_ticket_that_outlasts_the_page_is_silent_no_longer_and_says_nothing() -> None:
    make_channel()
    checkout = watched(rules=[PAGE, TICKET], hours=25)
    go_on(checkout, [BAD] * 10 + [GOOD] * 12)
    ticket = alert_of(checkout, "ticket")
    assert (ticket.state, ticket.silenced_since) == ("firing", None)
    assert [delivery.event for delivery in Delivery.objects.all()] == ["opened"]


def test_another_ticket_of_the_same_incident_is_not_told_again() -> None:
    checkout = watched(rules=[TICKET, tier("ticket", long=HOUR, short=5 * MINUTE, budget_share="0.01")], hours=25)
    go_on(checkout, [(50, 100)] * 20)
    assert "nobody is told again" in TimelineEntry.objects.get(icon="bell-off").text


def test_every_notification_has_a_transition_behind_it() -> None:
    make_channel()
    make_channel("mail", "email", to="ops@example.org")
    checkout = watched()
    go_on(checkout, [BAD, BAD] + [GOOD] * 10)
    owed = {(delivery.channel.name, delivery.event, delivery.transition.new) for delivery in Delivery.objects.all()}
    assert owed == {
        (channel, event, state)
        for channel in ("chat", "mail")
        for event, state in (("opened", "firing"), ("resolved", "resolved"))
    }


def test_a_channel_that_is_switched_off_is_owed_nothing() -> None:
    channel = make_channel()
    channel.enabled = False
    channel.save()
    go_on(watched(), [BAD, BAD])
    assert not Delivery.objects.exists()


def test_the_cost_of_a_slice_does_not_grow_with_the_ledger() -> None:
    short, long = watched("Short", rules=[PAGE, TICKET], hours=1), watched("Long", rules=[PAGE, TICKET], hours=30)
    assert queries_for_one_slice(long) == queries_for_one_slice(short) <= 16


def test_the_cost_of_a_round_does_not_grow_with_the_calm_objectives() -> None:
    few = [watched(f"Few {n}", rules=[PAGE, TICKET]) for n in range(2)]
    many = [watched(f"Many {n}", rules=[PAGE, TICKET]) for n in range(20)]
    assert queries_for_one_slice(*many) == queries_for_one_slice(*few)


# -- One among many
def test_an_objective_that_cannot_be_understood_does_not_stop_the_others() -> None:
    broken, checkout = watched("Broken"), watched()
    Objective.objects.filter(pk=broken.pk).update(matchers=[{"label": "a", "op": "~", "value": "b"}])
    at = make_slices(checkout, NOON, [BAD, BAD])
    evaluation.evaluate([broken.pk, checkout.pk], now=at + 12 * SECOND)
    assert alert_of(checkout).state == Alert.State.FIRING


def test_alerts_that_cannot_be_stored_do_not_stop_the_others() -> None:
    blocked, checkout = watched("Blocked"), watched()
    for one in (blocked, checkout):
        at = make_slices(one, NOON, [BAD, BAD])
    earlier = Alert.objects.create(tier=blocked.rules.get())
    Transition.objects.create(alert=earlier, at=at, old="firing", new="resolved", reason="As if it had been here.")
    evaluation.evaluate([blocked.pk, checkout.pk], now=at + 12 * SECOND)
    assert alert_of(checkout).state == Alert.State.FIRING
    assert Cursor.objects.get(objective=blocked).evaluated_until == NOON


def test_what_fires_is_written_again_once_a_minute() -> None:
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    bad = []
    for _ in range(12):
        at = make_slices(checkout, at, [(10, 10)], length=10 * SECOND)
        evaluation.evaluate([checkout.pk], now=at + 12 * SECOND)
        bad.append(alert_of(checkout).numbers["long"]["bad"])
    assert bad == [200] * 5 + [260] * 6 + [320]


# -- What these tests look at
def everything() -> list[list[Any]]:
    models = (Alert, Transition, Incident, TimelineEntry, Delivery)
    return [list(model._default_manager.order_by("pk").values()) for model in models]


def history(objective: Objective) -> list[tuple[Any, str, str]]:
    rows = Transition.objects.filter(Q(alert__tier__objective=objective))
    return list(rows.order_by("at").values_list("at", "old", "new"))


def once(call: Callable[[], object]) -> Callable[[], None]:
    left = [call]

    def run() -> None:
        if left:
            left.pop()()

    return run


def interrupted(*arguments: object) -> None:
    raise KeyboardInterrupt


def queries_for_one_slice(*objectives: Objective) -> int:
    for one in objectives:
        at = make_slices(one, NOON, [GOOD])
    with CaptureQueriesContext(connection) as queries:
        evaluation.evaluate([one.pk for one in objectives], now=at + 12 * SECOND)
    return len(queries)


def test_an_entry_of_the_timeline_begins_with_what_happened_in_a_few_words() -> None:
    make_channel()
    checkout = watched()
    go_on(checkout, [BAD, BAD] + [GOOD] * 10)
    entries = {entry.icon: entry for entry in TimelineEntry.objects.all()}
    assert entries["wave"].title == "Onset."
    assert entries["wave"].text.startswith("Bad requests rise from")
    assert entries["bell"].title == f"{checkout.name} pages."
    assert entries["bell"].text == f"1\N{NO-BREAK SPACE}h / 5\N{NO-BREAK SPACE}min. {the_incident()} opened."
    assert entries["check"].title == f"{the_incident()} resolved."
    assert max(len(entry.title) for entry in entries.values()) < 40


def test_the_onset_is_looked_for_after_the_end_of_the_last_incident() -> None:
    checkout = watched()
    go_on(checkout, [BAD] * 6 + [GOOD] * 12)
    first = the_incident()
    assert first.resolved_at is not None
    at = go_on(checkout, [BAD, BAD])
    second = Incident.objects.get(resolved_at=None)
    assert second.pk != first.pk
    assert second.since > first.resolved_at
    assert second.onset_at == at - 2 * MINUTE
