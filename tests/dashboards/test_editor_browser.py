"""The objective's form in a real browser, on a real Prometheus: what happens while somebody types."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page

from dashboards import objective_preview
from slo.models import Objective
from tests import servers
from tests.dashboards.elsewhere import expect
from tests.dashboards.test_objective_preview import history
from tests.make import HOUR, make_flow, make_objective, make_source
from tests.servers import PrometheusServer

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True, databases="__all__")]


@pytest.fixture(scope="module")
def server() -> Iterator[PrometheusServer]:
    with servers.prometheus_server(openmetrics=history()) as server:
        yield server


def objective(server: PrometheusServer, **fields: Any) -> Objective:
    return make_objective("0.9", HOUR, flow=make_flow("Checkout"), source=make_source(server.url), **fields)


def edit(page: Page, edited: Objective) -> Any:
    """Opens the form; its preview."""
    page.goto(f"/objectives/{edited.pk}/edit/")
    return page.get_by_label("Preview", exact=True)


def test_the_past_is_read_to_its_end_by_itself(
    page: Page, server: PrometheusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objective_preview, "AT_ONCE", timedelta(0))
    edited = make_objective("0.9", timedelta(days=2), flow=make_flow("Checkout"), source=make_source(server.url))
    preview = edit(page, edited)
    expect(preview.get_by_role("heading", name="The last 2\u00a0d with this draft")).to_be_visible(timeout=20_000)
    expect(preview.get_by_text("Reading the past")).to_have_count(0, timeout=20_000)


def test_another_target_is_tried_while_it_is_typed(page: Page, server: PrometheusServer) -> None:
    preview = edit(page, objective(server))
    expect(preview.get_by_text("target 90\u202f%")).to_be_visible()
    page.get_by_label("Target").fill("99.9")
    expect(preview.get_by_text("target 99.9\u202f%")).to_be_visible()
    expect(page.get_by_text("differs from the saved one in 1 place")).to_be_visible()


def test_a_suggested_target_is_taken_with_one_click_and_tried_at_once(page: Page, server: PrometheusServer) -> None:
    preview = edit(page, objective(server))
    page.get_by_label("Name", exact=True).fill("Renamed")
    page.get_by_label("Target").fill("99.9")
    preview.get_by_role("button", name="Use 80").click()
    expect(page.get_by_label("Target")).to_have_value("80")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Renamed")
    expect(preview.get_by_text("target 80\u202f%")).to_be_visible()


@pytest.mark.parametrize(
    ("kind", "shown", "hidden"),
    [
        ("Latency", "Good means at most", "The marked events are"),
        ("PromQL", "All events", "Metric"),
        ("Gauge", "Number that it is compared with", "All events"),
        ("Freshness", "Good while that is at most", "The budget is spent by bad"),
        ("Up or down", "Expression", "Good while that is at most"),
    ],
)
def test_a_kind_shows_what_belongs_to_it(page: Page, kind: str, shown: str, hidden: str) -> None:
    make_flow("Checkout")
    make_source()
    page.goto("/flows/checkout/objectives/new/")
    page.get_by_label(kind).check()
    expect(page.get_by_label(shown, exact=True)).to_be_visible()
    expect(page.get_by_label(hidden, exact=True)).not_to_be_visible()


def test_choices_show_what_they_need(page: Page) -> None:
    make_flow("Checkout")
    make_source()
    page.goto("/flows/checkout/objectives/new/")
    page.get_by_label("Over", exact=True).select_option("month")
    expect(page.get_by_label("from midnight in")).to_be_visible()
    expect(page.get_by_label("Window", exact=True)).not_to_be_visible()
    page.get_by_label("The budget is spent by bad").select_option("timeslices")
    expect(page.get_by_label("each as long as")).to_be_visible()
    page.get_by_label("Fires", exact=True).select_option("plain")
    expect(page.get_by_label("with a confidence of")).not_to_be_visible()
    page.get_by_label("Without any data").select_option("")
    expect(page.get_by_label("after", exact=True)).not_to_be_visible()


def test_a_preset_replaces_the_tiers_and_follows_the_window(page: Page) -> None:
    make_flow("Checkout")
    make_source()
    page.goto("/flows/checkout/objectives/new/")
    page.get_by_role("button", name="Pages only").click()
    expect(page.locator("[name=tier_share]")).to_have_count(2)
    page.get_by_label("Window", exact=True).fill("7 d")
    page.get_by_label("Window", exact=True).press("Tab")
    expect(page.locator("[name=tiers_for]")).to_have_value(str(7 * 86_400))
    expect(page.get_by_text("3.36×")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_form_is_never_wider_than_its_window(page: Page, server: PrometheusServer, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    preview = edit(page, objective(server, grouping=["code"]))
    expect(preview.get_by_text("Of 2 groups")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
