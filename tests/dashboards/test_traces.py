"""The page of one request and the search for requests."""

import json
from contextlib import ExitStack
from datetime import timedelta

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connectors.errors import Unreachable
from connectors.telemetry import SpanEvent
from telemetry.store import EmbeddedTraces
from tests.dashboards.pages import Page
from tests.dashboards.requests import (
    TRACE,
    failed_request,
    line,
    make_example,
    make_incident,
    span,
    stored,
    words,
)
from tests.make import make_source
from tests.servers import free_port

pytestmark = pytest.mark.django_db(databases="__all__")
ADDRESS = f"/traces/{TRACE}/"


def away(*args, **kwargs):
    raise Unreachable("The embedded store did not answer. Try again in a moment.")


def test_a_failed_request_opens_with_the_span_where_it_failed(owner: Client):
    stored(failed_request(), words())
    page = Page(owner.get(ADDRESS))
    assert "POST /checkout failed after 4.00\u00a0s" in page.text
    assert "The failure began in provider-b, call provider: 503 from provider-b." in page.text
    current = [attributes for tag, attributes in page.tags if tag == "tr" and attributes.get("aria-current")]
    assert [row["id"] for row in current] == ["row-0000000000000004"]


def test_a_span_can_be_chosen_by_its_address(owner: Client):
    stored(failed_request(), words())
    text = Page(owner.get(ADDRESS, {"span": "2".zfill(16)})).text
    assert "inventory reserve" in text.split("Waterfall")[-1]
    assert (
        'id="row-0000000000000002" aria-current="true"' in owner.get(ADDRESS, {"span": "2".zfill(16)}).content.decode()
    )


def test_a_span_that_is_not_there_says_so_and_shows_the_cause(owner: Client):
    stored(failed_request())
    page = Page(owner.get(ADDRESS, {"span": "beef"}))
    assert "not among the spans that arrived" in page.text
    assert "503 from provider-b" in page.text


def test_its_log_lines_are_on_the_page_with_the_spans_own_marked(owner: Client):
    stored(failed_request(), words())
    html = owner.get(ADDRESS).content.decode()
    assert html.count('class="log mine"') == 1
    assert "order not placed" in html


def test_the_stack_trace_of_an_exception_is_in_a_fold(owner: Client):
    attributes = {"exception.type": "Boom", "exception.message": "no", "exception.stacktrace": "File x, line 3"}
    stored([span("1", status="error", events=(SpanEvent(1, "exception", attributes),))])
    page = Page(owner.get(ADDRESS))
    assert "Boom: no" in page.text
    assert "File x, line 3" in page.text


def test_markup_and_control_characters_are_shown_and_not_obeyed(owner: Client):
    evil = "<script>alert(1)</script>\x1b[31m\nfake line \u202e"
    stored(
        [span("1", name=evil, service=evil, status="error", status_message=evil, attributes={evil: evil})],
        [line(evil, "1", attributes={"a": evil})],
    )
    response = owner.get(ADDRESS)
    page = Page(response)
    assert not list(page.offences())
    assert "\x1b" not in response.content.decode()
    assert "\u202e" not in response.content.decode()
    assert "\\x1b[31m" in page.text


def test_the_page_needs_no_inline_code(owner: Client):
    stored(failed_request(), words())
    assert not list(Page(owner.get(ADDRESS)).offences())


def test_from_an_incident_there_is_a_way_back(owner: Client):
    incident = make_incident()
    stored(failed_request())
    page = Page(owner.get(ADDRESS, {"incident": incident.pk}))
    assert f"/incidents/{incident.pk}/" in page.links
    assert f"Back to {incident}" in page.text


def test_a_request_the_store_forgot_is_shown_from_the_incident(owner: Client):
    incident = make_incident()
    make_example(incident)
    page = Page(owner.get(ADDRESS))
    assert "this is the copy kept with the incident" in page.text
    assert "provider-b timed out" in page.text


def test_a_kept_request_is_shown_while_the_store_is_away(owner: Client, monkeypatch: pytest.MonkeyPatch):
    make_example(make_incident())
    monkeypatch.setattr(EmbeddedTraces, "trace", away)
    page = Page(owner.get(ADDRESS))
    assert "The embedded store did not answer." in page.text
    assert "call provider" in page.text


def test_a_store_that_is_away_is_said_and_not_taken_for_no_trace(owner: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(EmbeddedTraces, "trace", away)
    response = owner.get(ADDRESS)
    assert response.status_code == 503
    assert "This trace cannot be shown now" in Page(response).text


def test_an_unknown_trace_says_what_that_means(owner: Client):
    response = owner.get(ADDRESS)
    assert response.status_code == 404
    text = Page(response).text
    assert all(reason in text for reason in ("Still arriving", "Not kept", "Aged out", "Never sent"))


def test_an_address_that_is_no_trace_id_says_so(owner: Client):
    response = owner.get("/traces/no-such-id/")
    assert response.status_code == 404
    assert "That is no trace ID" in Page(response).text


def test_parts_of_a_circle_and_orphans_are_shown_with_a_note(owner: Client):
    stored([span("1", "3"), span("2", "1"), span("3", "2"), span("4", "99", start_ms=3)])
    text = Page(owner.get(ADDRESS)).text
    assert text.count("parent not received") == 2
    assert "2 spans without a parent that was received" in text


def test_a_trace_of_ten_thousand_spans_is_paged_and_shows_its_cause(owner: Client):
    spans = [span("1", ms=20_000, status="error")]
    spans += [span(f"{n:x}", "1", start_ms=n, ms=1) for n in range(2, 10_000)]
    spans.append(span("ffff", "1", start_ms=19_000, ms=9, status="error", status_message="here it broke"))
    stored(spans)
    response = owner.get(ADDRESS)
    html = response.content.decode()
    assert html.count('<tr id="row-') == 501
    assert 'id="row-000000000000ffff" class="err" aria-current="true"' in html
    assert "here it broke" in html
    assert "9,499 more spans" in Page(response).text


def test_the_spans_are_there_as_json(owner: Client):
    stored(failed_request(), words())
    known = json.loads(owner.get(ADDRESS, {"format": "json"}).content)
    assert (known["trace_id"], len(known["spans"]), len(known["log_lines"])) == (TRACE, 4, 2)


def test_a_click_on_a_span_brings_its_part_of_the_page_only(owner: Client):
    stored(failed_request())
    html = owner.get(ADDRESS, {"span": "2".zfill(16)}, headers={"HX-Request": "true"}).content.decode()
    assert html.lstrip().startswith('<div class="split"')
    assert "<html" not in html


def test_a_stranger_sees_no_request(stranger: Client):
    assert stranger.get(ADDRESS).status_code == 302


def queries_of(client: Client, address: str) -> int:
    with ExitStack() as stack:
        counts = [stack.enter_context(CaptureQueriesContext(connections[alias])) for alias in connections]
        assert client.get(address).status_code == 200
        return sum(len(count) for count in counts)


def test_more_spans_cost_no_more_queries(owner: Client):
    stored(failed_request(), words())
    few = queries_of(owner, ADDRESS)
    stored([span(f"{n:x}", "1") for n in range(10, 60)], [line(f"line {n}", f"{n:x}") for n in range(10, 60)])
    assert queries_of(owner, ADDRESS) == few


# -- The search
def search(client: Client, **asked: str):
    return client.get("/traces/", asked)


def recent_request(number: int, **fields):
    base = timezone.now() - timedelta(minutes=number)
    given = {"service": "gateway", "kind": "server", "name": f"GET /page-{number}"} | fields
    return span("1", trace_id=f"{number:032x}", base=base, **given)


def test_the_search_finds_by_outcome_service_and_length(owner: Client):
    stored([recent_request(1), recent_request(2, status="error", ms=900), recent_request(3, ms=2000, service="cart")])
    assert "page-2" in Page(search(owner, status="failed")).text
    assert "page-1" not in Page(search(owner, status="failed")).text
    assert "page-3" in Page(search(owner, longer="1.5 s")).text
    assert "page-2" not in Page(search(owner, longer="1.5 s")).text
    assert "page-3" in Page(search(owner, service="cart")).text
    assert "page-1" not in Page(search(owner, service="cart")).text


def test_a_length_that_is_none_is_said_and_the_filter_is_kept(owner: Client):
    response = search(owner, longer="soon", service="cart")
    assert response.status_code == 422
    assert "“soon” is no length of time." in Page(response).text
    assert 'value="soon"' in response.content.decode()
    assert 'value="cart"' in response.content.decode()


def test_older_requests_are_a_page_away_and_none_is_shown_twice(owner: Client):
    stored([recent_request(number) for number in range(1, 59)])
    first = Page(search(owner))
    older = next(link for link in first.links if "older=" in link)
    second = Page(owner.get(f"/traces/{older}"))
    names = [link for page in (first, second) for link in page.links if link.startswith("/traces/0000")]
    assert len(names) == len(set(names)) == 58


def test_a_store_that_fails_is_said_and_the_filter_is_kept(owner: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(EmbeddedTraces, "search", away)
    response = search(owner, service="cart")
    assert response.status_code == 503
    assert "The trace store did not answer" in Page(response).text
    assert 'value="cart"' in response.content.decode()


def test_a_store_that_fails_does_not_hide_what_another_found(owner: Client):
    stored([recent_request(1)])
    make_source(f"http://127.0.0.1:{free_port()}", kind="tempo")
    response = search(owner)
    page = Page(response)
    assert response.status_code == 200
    assert "nothing listens there" in page.text
    assert "What follows may not be all there is." in page.text
    assert any(link.startswith("/traces/0000") for link in page.links)


def test_a_request_can_be_opened_in_the_stores_that_have_a_page(owner: Client):
    stored(failed_request())
    make_source(f"http://127.0.0.1:{free_port()}", kind="jaeger", name="Our Jaeger")
    make_source(
        f"http://127.0.0.1:{free_port()}", kind="loki", name="Our Loki", link="https://grafana.example/{trace_id}"
    )
    page = Page(owner.get(ADDRESS))
    assert "Open in Our Jaeger" in page.text
    assert "Open in Our Loki" in page.text
    assert f"https://grafana.example/{TRACE}" in page.links


def test_nothing_found_says_what_to_try(owner: Client):
    assert "No such trace" in Page(search(owner, service="nobody")).text
    assert "No trace in this time" in Page(search(owner)).text
