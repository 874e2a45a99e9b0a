"""The incident's page: what it says, what people do on it, and how it keeps itself up to date."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from alerts import incidents
from alerts.models import Alert, Incident, TimelineEntry
from dashboards import burn_chart, meters
from dashboards.burn_chart import Mark
from dashboards.incident_evidence import Culprit
from dashboards.incident_story import clauses
from dashboards.incidents import STOP_POLLING
from dashboards.meters import Meter
from slo.models import Objective
from telemetry.models import Change
from tests.dashboards.pages import Page
from tests.dashboards.requests import TRACE, failed_request, make_example, make_incident, stored, words
from tests.make import (
    MINUTE,
    NOON,
    book_of,
    make_flow,
    make_groups,
    make_objective,
    make_slices,
    make_user,
    tier,
)

pytestmark = pytest.mark.django_db(databases="__all__")


def address(incident: Incident, part: str = "") -> str:
    return f"/incidents/{incident.pk}/{part}"


def shown(client: Client, incident: Incident) -> Page:
    return Page(client.get(address(incident)))


def make_change(**fields) -> Change:
    given = {"title": "payment 2026.11.3", "service": "payment", "version": "2026.11.3"}
    return Change.objects.create(**given | {"at": NOON - 7 * MINUTE, "external_id": "one"} | fields)


# -- What it says
def test_the_time_from_a_change_to_the_onset_pretends_no_milliseconds(owner: Client):
    incident = make_incident()
    make_change(at=(incident.onset_at or NOON) - timedelta(milliseconds=845))
    text = shown(owner, incident).text
    assert "1\u00a0s after payment 2026.11.3" in text
    assert "845" not in text


def test_the_headline_says_what_since_when_after_what_and_where(owner: Client):
    incident = make_incident()
    make_change()
    make_example(incident)
    text = shown(owner, incident).text
    assert "Checkout is failing: 30.0\u202f% of requests since" in text
    assert "2\u00a0min after payment 2026.11.3;" in text
    assert "provider-b call provider fails in the one example kept." in text


def test_every_clause_links_to_what_it_stands_on(owner: Client):
    incident = make_incident()
    make_change()
    make_example(incident)
    page = shown(owner, incident)
    for anchor in ("impact", "burn", "changes", "examples"):
        assert f"#{anchor}" in page.links
        assert page.ids().count(anchor) == 1


def test_no_change_and_no_example_are_not_guessed_at(owner: Client):
    page = shown(owner, make_incident())
    assert "#changes" not in page.links
    assert "None announced from an hour before the onset on." in page.text
    assert "No example request was found" in page.text


def test_a_change_whose_version_no_bad_request_ran_is_not_blamed(owner: Client):
    incident = make_incident()
    make_change(version="2026.11.2", title="payment 2026.11.2")
    make_example(incident)
    page = shown(owner, incident)
    assert "0 of 1 ran it" in page.text
    assert "after payment 2026.11.2" not in page.text


def test_the_tiles_say_how_much_is_bad_and_what_it_cost(owner: Client):
    text = shown(owner, make_incident()).text
    assert "Bad requests300of 1,000 since" in text
    assert "Share of traffic30.0\u202f%" in text
    assert "Detected in5\u00a0min" in text


def test_each_tier_says_why_it_fires(owner: Client):
    text = shown(owner, make_incident()).text
    assert "Page · 1\u00a0h / 5\u00a0m50×" in text
    assert "Firing since 2 Mar, 12:00 UTC. 50× over 1\u00a0h and 300× over 5\u00a0min, above 14.4×." in text


def test_examples_lead_to_their_failing_span(owner: Client):
    incident = make_incident()
    make_example(incident)
    assert f"/traces/{TRACE}/?incident={incident.pk}&span=0000000000000004" in shown(owner, incident).links


def test_what_the_examples_said_is_grouped_and_leads_to_its_span(owner: Client):
    incident = make_incident()
    make_example(incident, "a" * 32)
    make_example(incident, "b" * 32)
    page = shown(owner, incident)
    said = page.text.split("What was said")[1]
    assert said.index("provider-b timed out") < said.index("order not placed")
    assert said.count("provider-b timed out") == 1
    assert "2 of 2" in said
    assert any(link.endswith("span=0000000000000004#log") for link in page.links)


def test_from_the_incident_the_failing_spans_log_lines_are_one_click_away(owner: Client):
    incident = make_incident()
    make_example(incident)
    stored(failed_request(), words())
    trace = next(link for link in shown(owner, incident).links if link.startswith(f"/traces/{TRACE}/"))
    page = Page(owner.get(trace))
    assert "Its log line" in page.text
    assert "provider-b timed out" in page.text
    assert "log" in page.ids()


def test_a_resolved_incident_says_how_long_it_was(owner: Client):
    incident = make_incident()
    Incident.objects.update(state="resolved", resolved_at=NOON + 5 * MINUTE)
    page = shown(owner, incident)
    assert "Checkout was failing" in page.text
    assert "lasted 10\u00a0min" in page.text
    assert "Acknowledge" not in page.text


def test_notes_and_lines_with_markup_are_text(owner: Client):
    incident = make_incident(title="<b>x</b>")
    incidents.add_note(incident, make_user(), "<script>alert(1)</script>\x1b[0m")
    response = owner.get(address(incident))
    assert "<script>alert" not in response.content.decode()
    assert "\\x1b[0m" in Page(response).text


def test_the_page_needs_no_inline_code(owner: Client):
    incident = make_incident()
    make_example(incident)
    assert not list(shown(owner, incident).offences())


def test_an_incident_without_measurements_still_has_a_page(owner: Client):
    objective = make_objective()
    incident = Incident.objects.create(flow=objective.flow, severity="ticket", title="x", opened_at=NOON)
    assert "nothing is measured" in shown(owner, incident).text


def test_more_rows_cost_no_more_queries(owner: Client, django_assert_num_queries, django_assert_max_num_queries):
    incident = make_incident()
    make_example(incident, "a" * 32)
    with django_assert_max_num_queries(40) as few:
        owner.get(address(incident))
    for number in range(5):
        make_example(incident, f"{number:032x}")
        make_change(external_id=str(number))
        incidents.add_note(incident, make_user(), "seen")
    with django_assert_num_queries(len(few)):
        owner.get(address(incident))


def test_a_stranger_sees_no_incident(stranger: Client):
    assert stranger.get(address(make_incident())).status_code == 302


# -- What people do
def test_somebody_acknowledges(owner: Client):
    incident = make_incident()
    page = Page(owner.post(address(incident, "acknowledge/"), follow=True))
    assert "acknowledged by olga" in page.text
    assert "olga acknowledged." in page.text


def test_the_second_to_acknowledge_is_told_so(owner: Client):
    incident = make_incident()
    owner.post(address(incident, "acknowledge/"))
    assert "was not open any more" in Page(owner.post(address(incident, "acknowledge/"), follow=True)).text
    assert TimelineEntry.objects.filter(incident=incident).count() == 1


def test_a_note_is_kept_with_its_lines(owner: Client):
    incident = make_incident()
    page = Page(owner.post(address(incident, "note/"), {"text": "rolled back\nwatching"}, follow=True))
    assert "olga noted" in page.text
    assert "rolled back" in page.text


def test_an_empty_note_is_refused_in_words(owner: Client):
    response = owner.post(address(make_incident(), "note/"), {"text": "  "})
    assert response.status_code == 422
    assert "The note is empty." in Page(response).text


def test_a_note_that_is_too_long_loses_nothing(owner: Client):
    text = "long " * 3000
    response = owner.post(address(make_incident(), "note/"), {"text": text})
    assert response.status_code == 422
    assert text in response.content.decode()
    assert "Shorten it" in Page(response).text


@pytest.mark.parametrize("part", ["acknowledge/", "note/"])
def test_looking_changes_nothing(owner: Client, part: str):
    assert owner.get(address(make_incident(), part)).status_code == 405


# -- How it keeps itself up to date
def seen(html: str) -> dict[str, str]:
    return dict(re.findall(r'class="seen" name="(\w+)" value="(\w+)"', html))


def test_what_has_not_changed_is_not_sent_again(owner: Client):
    incident = make_incident()
    make_example(incident)
    known = seen(owner.get(address(incident)).content.decode())
    assert len(known) == 8
    again = owner.get(address(incident, "live/"), known).content.decode()
    assert set(seen(again)) <= {"summary"}
    assert "as of" in again


def test_a_new_entry_brings_the_timeline_and_leaves_the_note_box_alone(owner: Client):
    incident = make_incident()
    known = seen(owner.get(address(incident)).content.decode())
    incidents.add_note(incident, make_user(), "rolled back")
    html = owner.get(address(incident, "live/"), known).content.decode()
    assert "timeline" in seen(html)
    assert "rolled back" in html
    assert "textarea" not in html


def test_a_resolved_incident_stops_asking(owner: Client):
    incident = make_incident()
    Incident.objects.update(state="resolved", resolved_at=NOON)
    assert owner.get(address(incident, "live/")).status_code == STOP_POLLING
    assert "every 5s" not in owner.get(address(incident)).content.decode()


# -- The chart
def test_the_chart_has_both_windows_the_limit_and_what_happened(owner: Client):
    incident = make_incident()
    make_change()
    drawn = json.loads(owner.get(address(incident, "chart/")).content)
    times, short, long = drawn["columns"]
    assert len(times) == len(short) == len(long)
    assert short[-1] == pytest.approx(300)
    assert drawn["limit"] == pytest.approx(14.4)
    assert [mark["label"] for mark in drawn["marks"]] == ["payment 2026.11.3", "onset", "paged"]


def test_without_measurements_there_is_no_chart_but_a_sentence(owner: Client):
    objective = make_objective()
    incident = Incident.objects.create(flow=objective.flow, severity="ticket", title="x", opened_at=NOON)
    response = owner.get(address(incident, "chart/"))
    assert response.status_code == 404
    assert "Nothing is measured" in response.json()["error"]


def test_the_chart_begins_before_the_onset_and_ends_after_the_end():
    start, end = burn_chart.frame(NOON, NOON + 20 * MINUTE, NOON + 300 * MINUTE, 5 * MINUTE)
    assert (start, end) == (NOON - 30 * MINUTE, NOON + 30 * MINUTE)


def test_unmeasured_time_is_a_gap_and_marks_outside_are_left_out():
    points = [(NOON, 1.0), (NOON + MINUTE, None)]
    outside = Mark(NOON - MINUTE, "before")
    drawn = burn_chart.data(
        points, points, (timedelta(hours=1), 5 * MINUTE), 14.4, "page", [outside], (NOON, NOON + MINUTE), NOON
    )
    assert drawn["columns"][1] == [1.0, None]
    assert drawn["marks"] == []


# -- Meters and the headline's parts
@pytest.mark.parametrize(("rate", "place"), [(None, 0), (0.0, 0), (0.1, 0), (10, 0.5), (1000, 1), (5000, 1)])
def test_a_meter_is_a_log_scale_up_to_a_complete_outage(rate, place):
    assert meters.scale(rate, 1000) == pytest.approx(place)


def meter_of(objective: Objective, *alerts: Alert) -> Meter:
    book, until = book_of(objective), objective.measured_until
    assert until
    [found] = meters.meters(meters.standings(book, list(objective.tiers.active()), alerts, until))
    return found


def test_a_tier_that_never_fired_has_a_meter_with_the_reason_why_not():
    objective = make_objective(tiers=[tier()])
    make_slices(objective, NOON, [(1, 1000)] * 60)
    one = meter_of(objective)
    assert (one.burn_long, one.firing) == (1.0, False)
    assert one.standing.reason == "1× over 1\u00a0h, not above 14.4×"


def test_a_ticket_beside_a_page_is_shown_as_silenced():
    objective = make_objective(tiers=[tier("ticket")])
    make_slices(objective, NOON, [(50, 100)] * 60)
    alert = Alert.objects.create(tier=objective.tiers.get(), state="firing", since=NOON, silenced_since=NOON)
    assert meter_of(objective, alert).standing.silenced


def test_what_froze_by_the_clock_keeps_its_own_sentence():
    objective = make_objective(tiers=[tier()])
    make_slices(objective, NOON, [(50, 100)] * 60)
    late = Alert.objects.create(
        tier=objective.tiers.get(), state="firing", since=NOON, frozen_since=NOON, reason="Frozen: measured until 13:00"
    )
    assert meter_of(objective, late).standing.reason == "Frozen: measured until 13:00"


def test_an_incident_of_one_group_shows_that_groups_numbers(owner: Client):
    objective = make_objective(flow=make_flow("Checkout"), grouping=["region"])
    eu, us = (("region", "eu"),), (("region", "us"),)
    make_groups(objective, NOON - timedelta(minutes=60), {eu: [(0, 100)] * 65, us: [(0, 100)] * 55 + [(40, 100)] * 10})
    page = shown(owner, make_incident(objective, group='{region="us"}'))
    assert "400of 1,000" in page.text.replace("Bad requests", "")
    assert '{region="us"}' in page.text
    assert f"/objectives/{objective.pk}/?group=%7Bregion%3D%22us%22%7D" in page.links
    drawn = owner.get(f"/incidents/{Incident.objects.get().pk}/chart/").json()
    assert max(value for value in drawn["columns"][1] if value is not None) == pytest.approx(400)


def sentence(**fields: Any) -> str:
    given: dict[str, Any] = {
        "flow": "Checkout",
        "share": 0.22,
        "threshold": None,
        "since": NOON,
        "resolved": None,
        "change": None,
        "culprit": None,
    }
    return "".join(f"{one.text}{one.then} " for one in clauses(**given | fields)).strip()


def test_a_slow_flow_is_called_slow():
    assert sentence(threshold=1.0) == "Checkout is slow: 22.0\u202f% of requests over 1\u00a0s since."


def test_without_a_share_there_is_no_number():
    assert sentence(share=None) == "Checkout is failing since."


def test_the_examples_speak_for_themselves():
    found = Culprit("provider-b", "authorize", True, "503", seen=5, of=6)
    assert sentence(culprit=found).endswith("since; provider-b authorize fails in 5 of 6 examples.")


# -- The list
def test_the_list_shows_incidents_and_filters_them(owner: Client):
    make_incident()
    other = make_objective(flow=make_flow("Login"))
    Incident.objects.create(
        flow=other.flow, severity="ticket", title="Login was slow", opened_at=NOON, state="resolved", resolved_at=NOON
    )
    both = Page(owner.get("/incidents/")).text
    assert "Checkout is failing" in both
    assert "Login was slow" in both
    assert "Login was slow" not in Page(owner.get("/incidents/", {"state": "unresolved"})).text
    assert "Checkout is failing" not in Page(owner.get("/incidents/", {"flow": "login"})).text
    assert "No such incident" in Page(owner.get("/incidents/", {"flow": "nobody"})).text


def test_more_incidents_cost_no_more_queries(owner: Client, django_assert_num_queries, django_assert_max_num_queries):
    make_incident()
    with django_assert_max_num_queries(12) as few:
        owner.get("/incidents/")
    flow = make_flow("Login")
    for _ in range(10):
        Incident.objects.create(
            flow=flow, severity="page", title="x", opened_at=NOON, state="resolved", resolved_at=NOON
        )
    with django_assert_num_queries(len(few)):
        owner.get("/incidents/")
