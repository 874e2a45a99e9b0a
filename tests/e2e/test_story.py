"""The main job, whole: define an objective, break the shop, follow the incident down to the log line that says why."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.stack import Stack
from tests.servers import wait_until

pytestmark = pytest.mark.e2e

FAULT = "checkout-down"
# What the shop's checkout logs while the fault is on.
CAUSE = "orders-db:5432 refused"
OBJECTIVE = "Orders are placed"
# From the fault to the notification, in the demo.
PROMISED_SECONDS = 60
DETECTED = 90_000
RESOLVED = 240_000
MEASURED = 120_000


def test_a_fault_leads_from_the_alert_to_the_log_line_that_explains_it(
    page: Page, stack: Stack, pictures: Path
) -> None:
    sign_in(page, stack)
    sees_the_shop_with_its_history(page, stack)
    defines_an_objective(page, stack)
    page.goto(stack.url)
    expect(page.get_by_text("All quiet")).to_be_visible()

    begun = time.monotonic()
    stack.switch(FAULT, "on")
    incident = the_incident_appears_by_itself(page)
    notification = the_notification_arrives(stack, "opened")
    took = time.monotonic() - begun
    print(f"\nFrom the fault to the notification: {took:.0f} s")
    assert notification["links"]["incident"] == f"{stack.url}{incident}"

    the_incident_explains_itself(page)
    three_clicks_lead_to_the_log_lines(page)
    the_notifications_links_lead_there_too(page, notification)
    page.goto(f"{stack.url}{incident}")
    it_pages_and_has_its_picture_taken(page, pictures)

    stack.switch(FAULT, "off")
    the_incident_resolves_by_itself(page, stack, incident)
    assert took < PROMISED_SECONDS


def sign_in(page: Page, stack: Stack) -> None:
    page.goto(stack.url)
    page.get_by_label("Name").fill("demo")
    page.get_by_label("Password").fill(stack.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def sees_the_shop_with_its_history(page: Page, stack: Stack) -> None:
    for flow in ("Checkout", "Login", "Search"):
        expect(page.get_by_role("link", name=flow, exact=True).first).to_be_visible()
    # The past's bad episodes have spent a part of the budget, which only a measured past can say.
    expect(page.get_by_text(re.compile(r"[1-9]\d?(\.\d+)?\s?%")).first).to_be_visible(timeout=MEASURED)
    page.goto(f"{stack.url}/changes/")
    expect(page.get_by_text("Deploy checkout 2.14.0").first).to_be_visible()


def defines_an_objective(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.url}/flows/checkout/")
    page.get_by_role("link", name="New objective").click()
    page.get_by_label("Name", exact=True).fill(OBJECTIVE)
    page.get_by_label("Metric", exact=True).fill("http_server_request_duration_seconds_count")
    matcher(page, "label", 1, "job", "=", "gateway")
    matcher(page, "label", 2, "flow", "=", "checkout")
    matcher(page, "marking label", 1, "http_response_status_code", "=~", "5..")
    page.get_by_label("Target").fill("99.9")
    page.get_by_label("Window", exact=True).fill("7 d")
    page.get_by_label("Window", exact=True).press("Tab")
    # The tiers follow the window, and are drawn anew.
    expect(page.locator("[name=tiers_for]")).to_have_value(str(7 * 86_400))
    shorten_the_short_windows(page)
    preview = page.get_by_label("Preview", exact=True)
    expect(preview.get_by_text("Achieved")).to_be_visible(timeout=MEASURED)
    page.get_by_role("button", name="Save objective").click()
    expect(page.get_by_role("heading", name=OBJECTIVE)).to_be_visible()
    page.goto(f"{stack.url}/flows/checkout/")
    row = page.get_by_role("row").filter(has_text=OBJECTIVE)
    expect(row.get_by_text("OK", exact=True)).to_be_visible(timeout=MEASURED)


def matcher(page: Page, what: str, number: int, label: str, operator: str, value: str) -> None:
    """Fill in the `number`th row, which is asked for when it is not there yet."""
    name = page.get_by_label(f"Name of the {what} {number}", exact=True)
    if not name.count():
        part = page.locator("fieldset").filter(has=page.get_by_label(f"Name of the {what} 1", exact=True))
        part.get_by_role("button", name="Add label").click()
    name.fill(label)
    page.get_by_label(f"Operator of the {what} {number}", exact=True).select_option(operator)
    page.get_by_label(f"Value of the {what} {number}", exact=True).fill(value)


def shorten_the_short_windows(page: Page) -> None:
    """One minute each: an alert lasts as long as its short window remembers the fault."""
    shorts = page.get_by_label(re.compile(r"^Short window of tier \d+$"))
    # For 7 days the workbook's four become three; the trickle's is the fourth.
    expect(shorts).to_have_count(4)
    for short in shorts.all():
        short.select_option("60")
    for short in shorts.all():
        expect(short).to_have_value("60")


def the_incident_appears_by_itself(page: Page) -> str:
    """The overview is open and nobody touches it. Returns the path of the incident."""
    banner = page.locator("a.banner")
    expect(banner).to_contain_text("Checkout is failing", timeout=DETECTED)
    address = banner.get_attribute("href")
    assert address
    banner.click()
    return address


def the_notification_arrives(stack: Stack, event: str) -> dict[str, Any]:
    def arrived() -> list[dict[str, Any]]:
        return [one["payload"] for one in stack.inbox() if one["payload"]["event"] == event]

    wait_until(arrived, PROMISED_SECONDS, f"the notification that it {event}")
    return arrived()[0]


def the_incident_explains_itself(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_contain_text("Checkout is failing")
    expect(page.get_by_text(OBJECTIVE).first).to_be_visible(timeout=DETECTED)
    expect(page.get_by_text(CAUSE).first).to_be_visible(timeout=DETECTED)
    expect(examples(page).first).to_be_visible(timeout=DETECTED)


def it_pages_and_has_its_picture_taken(page: Page, pictures: Path) -> None:
    expect(page.get_by_text("Paging", exact=True).first).to_be_visible(timeout=DETECTED)
    page.set_viewport_size({"width": 1280, "height": 1300})
    expect(page.locator("fl-chart canvas").first).to_be_visible()
    page.screenshot(path=pictures / "incident.png")


def examples(page: Page) -> Locator:
    return page.locator("#examples a[href*='/traces/']")


def three_clicks_lead_to_the_log_lines(page: Page) -> None:
    examples(page).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("failed after")
    page.locator("table.wf tr.err a").last.click()
    expect(page.get_by_label("Selected span")).to_contain_text(CAUSE)
    page.get_by_label("Selected span").get_by_role("link", name=re.compile(r"^Its (\d+ )?log lines?$")).click()
    expect(page.locator("#log")).to_be_in_viewport()
    expect(page.locator("#log")).to_contain_text(CAUSE)
    expect(page.get_by_role("link", name=re.compile(r"Back to INC-\d+"))).to_be_visible()


def the_notifications_links_lead_there_too(page: Page, notification: dict[str, Any]) -> None:
    page.goto(notification["links"]["incident"])
    expect(page.get_by_role("heading", level=1)).to_contain_text("Checkout is failing")
    page.goto(notification["links"]["example"])
    expect(page.locator("#log")).to_contain_text(CAUSE)


def the_incident_resolves_by_itself(page: Page, stack: Stack, incident: str) -> None:
    page.goto(f"{stack.url}{incident}")
    expect(page.get_by_text("Resolved").first).to_be_visible(timeout=RESOLVED)
    notification = the_notification_arrives(stack, "resolved")
    assert notification["links"]["incident"] == f"{stack.url}{incident}"
    assert any(f"{stack.url}{incident}" in mail for mail in unfolded(stack.mails))
    page.goto(stack.url)
    expect(page.get_by_text("All quiet")).to_be_visible()


def unfolded(mails: Callable[[], list[str]]) -> list[str]:
    """Quoted-printable breaks long lines."""
    return [mail.replace("=\n", "") for mail in mails()]
