"""The pages in a real browser: what scripts add, and that the browser's own policy check finds nothing."""

import re
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, Route, ViewportSize

from alerts import frozen
from slo import maintenance
from slo.models import Flow
from tests.dashboards.elsewhere import expect
from tests.dashboards.everything import lately, make_change, make_shop
from tests.dashboards.requests import line, make_example, make_incident
from tests.make import make_objective, make_tiers

pytestmark = [pytest.mark.real, pytest.mark.django_db(transaction=True, databases="__all__")]


def open_overview(page: Page) -> None:
    """With a clock that tests can move, so that nobody has to wait for a poll."""
    page.clock.install()
    page.goto("/")
    expect(page.locator("[data-live][data-good-at]")).to_have_count(1)


def poll(page: Page) -> None:
    page.clock.run_for(5_100)


def test_a_slash_goes_to_the_search_and_is_typed_everywhere_else(page: Page) -> None:
    page.goto("/flows/new/")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.get_by_label("Name").fill("")
    page.get_by_label("Name").press_sequentially("a/b")
    expect(page.get_by_label("Name")).to_have_value("a/b")


def test_the_first_tab_stop_skips_to_the_content(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_times_are_in_the_viewers_zone_with_utc_at_hand(page: Page) -> None:
    make_shop()
    page.goto("/changes/")
    time = page.locator("header time")
    expect(time).not_to_contain_text("UTC")
    expect(time).to_have_attribute("title", page.evaluate("document.querySelector('header time').title"))
    minutes = page.evaluate("document.querySelector('header time').dateTime.slice(14, 16)")
    shown = (time.text_content() or "").split(":")[1]
    assert (int(shown) - int(minutes)) % 60 == 45  # Kathmandu is UTC+05:45


def test_an_incident_appears_by_itself(page: Page) -> None:
    open_overview(page)
    expect(page.get_by_text("Start with a flow")).to_be_visible()
    make_shop()
    poll(page)
    expect(page.locator(".banner")).to_be_visible()
    expect(page.get_by_label("1 open")).to_be_visible()


def test_a_polled_part_that_gets_no_answer_says_since_when_and_recovers(page: Page) -> None:
    open_overview(page)
    page.route("**/live/", lambda route: route.abort())
    poll(page)
    expect(page.locator("[data-live][data-stale] .stale-note")).to_contain_text("has not answered")
    expect(page.locator("[data-live] .stale-note")).to_contain_text("as of")
    page.unroute("**/live/")
    poll(page)
    expect(page.locator("[data-live][data-stale]")).to_have_count(0)


def test_a_polled_part_that_fails_says_so(page: Page) -> None:
    open_overview(page)
    page.route("**/live/", lambda route: route.fulfill(status=500, body="boom"))
    poll(page)
    expect(page.locator("[data-live] .stale-note")).to_contain_text("error (500)")
    expect(page.locator("main")).not_to_contain_text("boom")


def test_a_poll_after_the_session_ended_leads_to_the_login(page: Page) -> None:
    open_overview(page)
    page.context.clear_cookies()
    poll(page)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_messages_go_away_when_dismissed(page: Page) -> None:
    page.goto("/flows/new/")
    page.get_by_label("Name").fill("Checkout")
    page.get_by_role("button", name="Save flow").click()
    expect(page.locator(".toast")).to_contain_text("Checkout is saved.")
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".toast")).to_have_count(0)
    assert Flow.objects.get().slug == "checkout"


def test_a_test_button_answers_in_place(page: Page) -> None:
    shop = make_shop()
    page.goto("/settings/")
    page.locator(f"form[action='/settings/sources/{shop.source.pk}/test/'] button").click()
    expect(page.locator(f"#source-{shop.source.pk}-state")).to_contain_text("cannot be reached")
    assert page.url.endswith("/settings/")


CHART = {
    "as_of": "2026-11-19T14:00:00Z",
    "columns": [[1763560000, 1763560060, 1763560120, 1763560180], [2.0, None, None, 3.5]],
    "series": [{"label": "requests", "class": "l-main", "fill": True}],
    "marks": [{"at": 1763560060, "label": "deploy", "tone": ""}],
}


def answer_charts(page: Page) -> None:
    page.route("**/chart/**", lambda route: route.fulfill(json=CHART))


def test_a_chart_is_drawn_and_said_in_words_and_figures(page: Page) -> None:
    make_shop()
    answer_charts(page)
    page.goto("/flows/checkout/")
    chart = page.locator("fl-chart").first
    expect(chart.locator("canvas")).to_be_visible()
    expect(chart.get_by_role("img")).to_have_attribute("aria-label", _says("now 3.5/s, lowest 2/s, highest 3.5/s"))
    chart.get_by_text("The figures").click()
    expect(chart.get_by_role("cell", name="no data")).to_have_count(2)


def _says(words: str) -> re.Pattern[str]:
    return re.compile(re.escape(words))


def test_a_chart_without_an_answer_says_why(page: Page) -> None:
    make_shop()
    page.goto("/flows/checkout/")
    expect(page.locator("fl-chart .stale-note").first).to_contain_text("cannot be reached")


def test_a_chart_that_loses_its_store_keeps_its_picture_and_fades_it(page: Page) -> None:
    make_shop()
    answer_charts(page)
    page.goto("/flows/checkout/")
    expect(page.locator("fl-chart canvas").first).to_be_visible()
    page.unroute("**/chart/**")
    page.route("**/chart/**", _refuse)
    page.evaluate("document.querySelector('fl-chart').load()")
    chart = page.locator("fl-chart").first
    expect(chart).to_have_attribute("data-stale", "")
    expect(chart.locator(".stale-note")).to_contain_text("Prometheus is away.")
    expect(chart.locator("canvas")).to_be_visible()


def _refuse(route: Route) -> None:
    route.fulfill(status=502, json={"error": "Prometheus is away."})


def test_a_chart_follows_the_colour_scheme(page: Page) -> None:
    make_shop()
    answer_charts(page)
    page.goto("/flows/checkout/")
    first = page.locator("fl-chart").first
    expect(first.locator("canvas")).to_be_visible()
    light = page.evaluate("document.querySelector('fl-chart').colours.text")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("light => document.querySelector('fl-chart').colours.text !== light", arg=light)


PATHS = ("/", "/flows/", "/flows/checkout/", "/settings/", "/settings/sources/new/", "/changes/", "/search?q=x")


@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_its_window(page: Page, width: int) -> None:
    make_shop()
    page.set_viewport_size({"width": width, "height": 844})
    for path in (
        "/",
        "/flows/",
        "/flows/checkout/",
        "/settings/",
        "/settings/sources/new/",
        "/changes/",
        "/search?q=x",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_on_a_phone_the_rest_of_the_navigation_is_under_more(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/")
    page.get_by_text("More", exact=True).click()
    page.get_by_role("link", name="Settings").click()
    expect(page.get_by_role("heading", name="Settings")).to_be_visible()


PHONE = ViewportSize(width=390, height=844)
OVERFLOWING = """selector => [...document.querySelectorAll(selector)]
    .filter(one => one.getBoundingClientRect().right > one.closest(".card, .tile").getBoundingClientRect().right - 1
        || one.scrollWidth > one.clientWidth).length"""


def test_on_a_phone_a_long_time_fits_its_tile(page: Page) -> None:
    incident = make_incident()
    page.set_viewport_size(PHONE)
    page.goto(f"/incidents/{incident.pk}/")
    expect(page.locator(".tile .v")).to_have_count(5)
    page.evaluate(
        "for (const one of document.querySelectorAll('.tile .v')) one.textContent = '23\u00a0h\u00a059\u00a0min'"
    )
    assert page.evaluate(OVERFLOWING, ".tile .v") == 0


def test_on_a_phone_what_a_change_says_of_itself_wraps(page: Page) -> None:
    make_change(attributes={"previous.version": "2026.11.2-rc1", "deployment.environment.name": "production-eu-west"})
    page.set_viewport_size(PHONE)
    page.goto("/changes/")
    expect(page.locator("th .sub")).to_have_count(1)
    assert page.evaluate(OVERFLOWING, "th .sub") == 0


def test_on_a_phone_a_tier_is_removed_in_the_corner_of_its_card(page: Page) -> None:
    objective = make_objective()
    make_tiers(objective)
    page.set_viewport_size(PHONE)
    page.goto(f"/objectives/{objective.pk}/edit/")
    cross = page.get_by_label("Remove tier 2").bounding_box()
    severity = page.get_by_label("Severity of tier 2").bounding_box()
    assert cross
    assert severity
    assert severity["y"] <= cross["y"] + cross["height"] / 2 <= severity["y"] + severity["height"]
    assert cross["x"] >= severity["x"] + severity["width"]


def test_what_somebody_unfolded_stays_open_when_more_is_said(page: Page) -> None:
    incident = make_incident()
    said = [line("refused", "1", severity=17), line("order read", "1")]
    make_example(incident, "a" * 32, lines=frozen.lines_of(said))
    page.clock.install()
    page.goto(f"/incidents/{incident.pk}/")
    page.get_by_text("1 more", exact=True).click()
    expect(page.get_by_text("order read")).to_be_visible()
    make_example(incident, "b" * 32, lines=frozen.lines_of([line("cart read", "1", trace_id="b" * 32)]))
    poll(page)
    expect(page.get_by_text("2 more", exact=True)).to_be_visible()
    expect(page.get_by_text("order read")).to_be_visible()


def test_the_links_of_an_incident_lead_where_they_say(page: Page) -> None:
    incident = make_incident()
    make_example(incident)
    page.goto(f"/incidents/{incident.pk}/")
    page.get_by_role("link", name="1 example trace").click()
    expect(page.locator(":target")).to_contain_text("Example traces")
    page.get_by_role("link", name="Failed requests now").click()
    expect(page.get_by_label("Flow", exact=True)).to_have_value("checkout")
    expect(page.get_by_label("Outcome")).to_have_value("failed")


def test_why_it_fired_is_asked_in_the_viewers_own_time(page: Page) -> None:
    shop = make_shop()
    page.goto(f"/objectives/{shop.objective.pk}/why/")
    at = page.get_by_label("At")
    # Kathmandu is UTC+05:45.
    shown = datetime.fromisoformat(page.evaluate("document.querySelector('#at').value"))
    until = shop.objective.measured_until
    assert until is not None
    assert shown == until.replace(tzinfo=None) + timedelta(hours=5, minutes=45)
    at.fill(f"{shown - timedelta(minutes=30):%Y-%m-%dT%H:%M}")
    at.blur()
    expect(page.locator("#account")).to_contain_text("0× over 1\u00a0h, not above 14.4×")


def test_maintenance_shows_what_it_takes_out_while_it_is_typed(page: Page) -> None:
    shop = make_shop()
    page.goto(f"/maintenance/new/?objective={shop.objective.pk}")
    # Chromium still writes it in the old way.
    expect(page.get_by_label("Time zone")).to_have_value(re.compile("Asia/Kath?mandu"))
    expect(page.get_by_label("Rule")).to_be_hidden()
    page.get_by_label("Reason").fill("Upgrade")
    begins = datetime.fromisoformat(page.evaluate("document.querySelector('#id_start').value"))
    page.get_by_label("Begins").fill(f"{begins - timedelta(minutes=60):%Y-%m-%dT%H:%M}")
    page.get_by_label("Lasts").fill("2 h")
    expect(page.locator("#preview")).to_contain_text("600 bad of")
    page.get_by_label("Repeats", exact=True).select_option("weekly")
    expect(page.locator("#preview")).to_contain_text("FREQ=WEEKLY")
    page.get_by_role("button", name="Declare maintenance").click()
    expect(page.get_by_text("Upgrade is declared.")).to_be_visible()


def test_a_chart_lists_the_maintenance_that_it_shades(page: Page) -> None:
    shop = make_shop()
    maintenance.declare("Upgrade", lately(timedelta(minutes=60)), timedelta(minutes=20), objective=shop.objective)
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"/objectives/{shop.objective.pk}/")
    expect(page.locator(".chart .marks").last).to_contain_text("maintenance")
