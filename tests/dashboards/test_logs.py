"""The log list: filters, pages by time, and text that nobody vouches for."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from connectors.errors import Unreachable
from connectors.telemetry import LogLine, to_ns
from dashboards import paging, visible
from telemetry import store
from telemetry.store import EmbeddedLogs
from tests.dashboards.pages import Page
from tests.dashboards.requests import TRACE

pytestmark = pytest.mark.django_db(databases="__all__")


def said(body: str, *, seconds_ago: float = 5, severity: int = 9, **fields) -> LogLine:
    given = {"service": "shop"} | fields
    return LogLine(to_ns(timezone.now() - timedelta(seconds=seconds_ago)), severity, body, **given)


def listed(client: Client, **asked: str) -> str:
    return Page(client.get("/logs/", asked)).text


def test_lines_are_found_by_text_severity_service_and_trace(owner: Client):
    store.record_logs(
        [
            said("pool is full", severity=13),
            said("cart emptied", service="cart"),
            said("order failed", severity=17, trace_id=TRACE),
        ]
    )
    assert "pool is full" in listed(owner, text="POOL")
    assert "cart emptied" not in listed(owner, text="POOL")
    assert "order failed" in listed(owner, severity="error")
    assert "pool is full" not in listed(owner, severity="error")
    assert "cart emptied" in listed(owner, service="cart")
    assert "pool is full" not in listed(owner, service="cart")
    assert "order failed" in listed(owner, trace=TRACE.upper())
    assert "pool is full" not in listed(owner, trace=TRACE)


def test_the_time_is_the_last_hour_unless_another_is_chosen(owner: Client):
    store.record_logs([said("long ago", seconds_ago=7200)])
    assert "long ago" not in listed(owner)
    assert "long ago" in listed(owner, range="6h")


def test_the_lines_of_a_trace_are_found_whenever_they_were_said(owner: Client):
    store.record_logs([said("long ago", seconds_ago=7200, trace_id=TRACE)])
    assert "long ago" in listed(owner, trace=TRACE)


def test_a_line_leads_to_its_span(owner: Client):
    store.record_logs([said("order failed", trace_id=TRACE, span_id="00000000000000aa")])
    assert f"/traces/{TRACE}/?span=00000000000000aa#log" in Page(owner.get("/logs/")).links


def test_control_characters_and_markup_are_shown_and_never_obeyed(owner: Client):
    store.record_logs([said("<img src=x onerror=alert(1)>\x1b[2J\r\n\u202eevil")])
    response = owner.get("/logs/")
    html = response.content.decode()
    assert "<img" not in html
    assert not {"\x1b", "\r", "\u202e"} & set(html)
    assert "\\x1b[2J\\x0d↵" in Page(response).text
    assert "\\u202eevil" in Page(response).text


def test_a_line_of_a_megabyte_is_cut_and_says_so(owner: Client):
    store.record_logs([said("x" * 1_000_000)])
    response = owner.get("/logs/")
    assert len(response.content) < 60_000
    assert "990,000 more characters" in Page(response).text


def test_older_lines_are_a_page_away_and_none_is_lost_among_equal_times(owner: Client):
    moment = to_ns(timezone.now() - timedelta(minutes=1))
    store.record_logs([LogLine(moment - n // 150 * 1_000_000, 9, f"line-{n:03}.", "shop") for n in range(450)])
    seen: list[str] = []
    address: str | None = "/logs/"
    while address:
        page = Page(owner.get(address))
        seen += [word for word in page.text.split() if word.startswith("line-")]
        address = next((f"/logs/{link}" for link in page.links if "older=" in link), None)
    assert len(seen) == len(set(seen)) == 450


def test_a_trace_id_that_is_none_is_said_and_the_filter_is_kept(owner: Client):
    response = owner.get("/logs/", {"trace": "xyz", "text": "pool"})
    assert response.status_code == 422
    assert "A trace ID has up to 32 digits" in Page(response).text
    assert 'value="pool"' in response.content.decode()


def test_a_store_that_fails_is_said_and_the_filter_is_kept(owner: Client, monkeypatch: pytest.MonkeyPatch):
    def away(*args, **kwargs):
        raise Unreachable("The embedded store did not answer.")

    monkeypatch.setattr(EmbeddedLogs, "search", away)
    response = owner.get("/logs/", {"text": "pool"})
    assert response.status_code == 503
    assert "The log store did not answer" in Page(response).text
    assert 'value="pool"' in response.content.decode()


def test_the_page_needs_no_inline_code(owner: Client):
    store.record_logs([said("hello", attributes={"a": "b"})])
    assert not list(Page(owner.get("/logs/")).offences())


@pytest.mark.parametrize("text", ["", "x", "1-", "-1-1", "99999999999999999999-1", "1-1-1"])
def test_what_is_no_cursor_starts_at_the_newest(text):
    assert paging.parse(text) is None


def test_a_lone_surrogate_can_be_printed():
    assert visible.plain("a\ud800b").encode() == b"a\\ud800b"
