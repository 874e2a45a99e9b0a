"""What a person reads at 3 a.m., and what a machine gets."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.template.loader import render_to_string
from django.test import override_settings

from alerts import delivery, evaluation, incidents, notification
from alerts.message import Notification
from alerts.models import Delivery, Example, Explanation
from slo.models import Flow, Ledger
from tests.alerts.cast import BAD, GOOD, go_on, make_channel, the_incident, watched
from tests.make import MINUTE, NOON, make_flow

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("_our_address")]

NOW = NOON + 5 * MINUTE


@pytest.fixture
def _our_address() -> Any:
    with override_settings(BASE_URL="https://fireline.example.org"):
        yield


def checkout() -> Flow:
    return make_flow("Checkout", team="payments", runbook_url="https://wiki.example.org/checkout")


def told(event: str = "opened", **fields: Any) -> Notification:
    """The notification of an incident in which 124 of 400 requests failed from noon on."""
    make_channel()
    objective = watched(flow=checkout(), name="Orders succeed", **fields)
    go_on(objective, [(31, 100)] * 4 + ([GOOD] * 10 if event == "resolved" else []))
    return notification.compose(Delivery.objects.get(event=event), NOW)


def keep_example() -> Example:
    return Example.objects.create(
        incident=the_incident(),
        trace_id="7f3a1c9e" * 4,
        role="bad",
        found_by="exemplar",
        started_at=NOON,
        duration=timedelta(seconds=4.162),
        what="provider-b POST /authorize: timed out",
        span_id="00f067aa0ba902b7",
        part={"region": "eu-west"},
    )


def test_it_says_what_burns_since_when_and_how_much_is_left() -> None:
    note = told()
    assert note.subject == "[Page] Checkout is failing: 31\u202f% of requests since 12:00\u00a0UTC"
    assert note.summary.startswith("124 of 400 requests bad (31\u202f%) since 12:00\u00a0UTC, nothing left of")
    facts = {fact.name: fact.value for fact in note.facts}
    assert facts["Flow"] == "Checkout · payments"
    assert facts["Objective"] == "Orders succeed, 99.9\u202f% over 30\u00a0d"
    assert facts["Since"] == "2026-03-02 12:00:00 UTC"
    assert facts["Burn rate"].endswith("when it fired, above 14.4×")


def test_it_says_when_the_budget_will_be_gone() -> None:
    make_channel()
    objective = watched(flow=checkout(), hours=24)
    go_on(objective, [BAD, BAD])
    Delivery.objects.get()
    objective.target = objective.target - objective.target / 20
    objective.save()
    impact = incidents.impact(the_incident(), NOW)
    assert impact is not None
    assert impact.budget_spent == pytest.approx(200 / impact.budget.allowed)
    assert impact.exhausted_at is not None
    assert impact.exhausted_at > NOW
    assert "of it is gone in" in notification.compose(Delivery.objects.get(), NOW).summary


def test_it_links_the_failing_span_and_the_way_back() -> None:
    told()
    keep_example()
    note = notification.compose(Delivery.objects.get(), NOW)
    links = {link.name: link.url for link in note.links}
    incident = the_incident()
    assert links[f"Incident {incident}"] == f"https://fireline.example.org/incidents/{incident.pk}/"
    assert links["A request that failed"] == (
        f"https://fireline.example.org/traces/{'7f3a1c9e' * 4}/?incident={incident.pk}&span=00f067aa0ba902b7"
    )
    assert links["Runbook"] == "https://wiki.example.org/checkout"
    assert {"Flow Checkout", "Objective Orders succeed"} < set(links)


def test_without_an_example_it_goes_out_without() -> None:
    note = told()
    assert [link.name for link in note.links][1] == "Runbook"
    assert note.payload()["example"] is None
    assert note.payload()["links"]["example"] is None


def test_the_end_says_how_long_it_was() -> None:
    note = told("resolved")
    incident = the_incident()
    assert note.subject.startswith(f"[Resolved] Checkout is back: {incident} lasted ")
    assert note.payload()["incident"]["state"] == "resolved"
    assert note.payload()["incident"]["resolved_at"] is not None


def test_a_late_first_message_knows_that_it_is_over() -> None:
    told("resolved")
    late = notification.compose(Delivery.objects.get(event="opened"), NOW)
    assert "resolved at" in late.summary
    assert late.payload()["incident"]["state"] == "resolved"


def test_messages_of_an_incident_belong_together_and_differ() -> None:
    opened = told("resolved")
    first = notification.compose(Delivery.objects.get(event="opened"), NOW)
    assert first.dedup_key == opened.dedup_key == f"fireline-incident-{the_incident().pk}"
    assert first.event_id != opened.event_id


def test_text_and_html_of_a_mail_say_the_same() -> None:
    told()
    keep_example()
    note = notification.compose(Delivery.objects.get(), NOW)
    text, html = (render_to_string(f"mail/notification.{kind}", {"note": note}) for kind in ("txt", "html"))
    for part in (note.title, note.summary, *(fact.value for fact in note.facts)):
        assert part in text
        assert part in html
    for link in note.links:
        assert link.url in text
        assert link.url.replace("&", "&amp;") in html


def test_names_with_markup_are_shown_not_run() -> None:
    make_channel("mail", "email", to="owner@example.org")
    go_on(watched(flow=make_flow("<script>alert(1)</script>", slug="checkout")), [BAD, BAD])
    owed = Delivery.objects.get()
    delivery.deliver(owed.pk, owed.next_try_at)
    message = mail.outbox[0]
    assert isinstance(message, mail.EmailMultiAlternatives)
    assert "<script>" not in str(message.alternatives[0][0])
    assert "<script>" in str(message.body)


def test_a_name_with_a_line_break_cannot_add_a_header() -> None:
    make_channel("mail", "email", to="owner@example.org")
    go_on(watched(flow=make_flow("Checkout\nBcc: everybody@example.org", slug="checkout")), [BAD, BAD])
    owed = Delivery.objects.get()
    assert delivery.deliver(owed.pk, owed.next_try_at)
    assert "\n" not in mail.outbox[0].subject


def keep_explanation() -> None:
    found = {"key": "a", "question": "segments", "statement": "All of them pay by card.", "confidence": 0.9}
    content = {
        "clauses": [
            {"text": "Checkout is failing since 12:00 UTC.", "key": ""},
            {"text": found["statement"], "key": "a"},
        ],
        "findings": [found, found | {"key": "b", "statement": "Perhaps the database."}],
        "culprits": [{"service": "payment", "kind": "code", "score": 0.8}],
    }
    headline = "Checkout is failing since 12:00 UTC. All of them pay by card."
    incident = the_incident()
    Explanation.objects.create(incident=incident, version=1, made_at=NOW, headline=headline, content=content)


def test_a_message_says_what_was_found_and_leaves_out_what_is_a_guess() -> None:
    told()
    keep_explanation()
    message = notification.compose(Delivery.objects.get(), NOW)
    assert [fact.value for fact in message.facts if fact.name == "Found"] == ["All of them pay by card."]
    assert [one["statement"] for one in message.details["explanation"]["findings"]] == ["All of them pay by card."]


def test_the_documented_example_has_the_fields_of_the_real_thing() -> None:
    note = told()
    keep_example()
    keep_explanation()
    real = notification.compose(Delivery.objects.get(), NOW).payload()
    text = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
    documented = json.loads(text.split("```json")[1].split("```")[0])
    assert fields_of(documented) == fields_of(real)
    assert note.payload()["version"] == documented["version"]


def test_the_payload_is_plain_json() -> None:
    payload = told().payload()
    assert json.loads(json.dumps(payload, allow_nan=False)) == payload


def test_an_incident_whose_ledger_is_gone_can_still_be_told() -> None:
    told()
    objective = the_incident().alerts.get().tier.objective
    Ledger.objects.all().delete()
    objective.measured_until = None
    objective.save()
    evaluation.evaluate([objective.pk], now=NOW)
    note = notification.compose(Delivery.objects.get(), NOW)
    assert note.payload()["requests"] is None
    assert note.summary


def fields_of(payload: dict[str, Any], prefix: str = "") -> set[str]:
    found = set()
    for name, value in payload.items():
        found.add(prefix + name)
        # What these hold are people's own words.
        if isinstance(value, dict) and name not in ("part", "group"):
            found |= fields_of(value, f"{prefix}{name}.")
    return found
