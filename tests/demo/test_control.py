"""The control desk: switches on a page, and the inbox of notifications."""

import pytest
import requests

from demo import faults
from demo.control import Notification, leaves
from tests.demo.running import ROOT, Shop

PAYLOAD = {
    "event": "opened",
    "sentence": "Checkout <b>fails</b>",
    "links": {"incident": "http://127.0.0.1:8000/incidents/1/", "odd": "javascript:alert(1)"},
    "examples": [{"trace_id": "abc"}],
}


def test_a_notification_is_read_leaf_by_leaf():
    assert leaves(PAYLOAD) == [
        ("event", "opened"),
        ("sentence", "Checkout <b>fails</b>"),
        ("links.incident", "http://127.0.0.1:8000/incidents/1/"),
        ("links.odd", "javascript:alert(1)"),
        ("examples.1.trace_id", "abc"),
    ]


def test_only_web_addresses_become_links():
    assert Notification(PAYLOAD).links == [("links.incident", "http://127.0.0.1:8000/incidents/1/")]


@pytest.mark.parametrize(
    ("payload", "title"),
    [
        (PAYLOAD, "Checkout <b>fails</b>"),
        ({"incident": {"title": "Down"}}, "Down"),
        ([], "Notification"),
        (7, "Notification"),
    ],
)
def test_the_title_is_the_most_telling_text_there_is(payload: object, title: str):
    assert Notification(payload).title == title


@pytest.mark.real
class TestPage:
    def url(self, shop: Shop, path: str = "/") -> str:
        return shop.process("control").url + path

    def test_what_arrived_is_shown_with_its_links_and_never_executed(self, shop: Shop):
        assert requests.post(self.url(shop, "/inbox"), json=PAYLOAD, timeout=5).status_code == 202
        page = requests.get(self.url(shop), timeout=5).text
        assert '<a href="http://127.0.0.1:8000/incidents/1/">' in page
        assert "Checkout &lt;b&gt;fails&lt;/b&gt;" in page
        assert 'href="javascript' not in page

    def test_a_button_switches_a_fault_without_a_script(self, shop: Shop):
        try:
            page = requests.post(self.url(shop, "/faults/worker-backlog/on"), timeout=5).text
            assert 'worker-backlog <span class="state">on since' in page
            assert 'shop_fault_on{fault="worker-backlog"} 1.0' in shop.metrics("control")
        finally:
            page = requests.post(self.url(shop, "/faults/worker-backlog/off"), timeout=5).text
        assert "on since" not in page

    def test_another_site_cannot_press_a_button(self, shop: Shop):
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert requests.post(self.url(shop, "/faults/checkout-down/on"), headers=headers, timeout=5).status_code == 403
        assert requests.get(self.url(shop, "/faults.json"), timeout=5).json()["on"] == []

    def test_an_unknown_fault_is_named(self, shop: Shop):
        answer = requests.put(self.url(shop, "/faults/gremlins/on"), timeout=5)
        assert (answer.status_code, answer.json()["error"]) == (
            404,
            "There is no fault gremlins that can be switched on.",
        )

    def test_a_page_that_is_no_json_is_refused(self, shop: Shop):
        answer = requests.post(self.url(shop, "/inbox"), data="hello", timeout=5)
        assert answer.status_code == 415

    def test_the_inbox_can_be_emptied(self, shop: Shop):
        requests.post(self.url(shop, "/inbox"), json=PAYLOAD, timeout=5)
        page = requests.post(self.url(shop, "/inbox/clear"), timeout=5).text
        assert "Nothing has arrived yet" in page


@pytest.mark.parametrize("fault", sorted(faults.NAMES))
def test_each_fault_is_documented(fault: str):
    assert f"| `{fault}` |" in (ROOT / "docs/demo.md").read_text()
