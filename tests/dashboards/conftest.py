"""The cast of the page tests: an owner who is signed in, a stranger who must see nothing, and a real browser."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.dashboards.elsewhere import started
from tests.make import make_user

CHROMIUM = "/usr/bin/chromium"
# A limit, not a wait: on a busy machine a page takes longer than Playwright's 5 seconds.
expect.set_options(timeout=30_000)


@pytest.fixture
def owner(db: None) -> Client:
    client = Client()
    client.force_login(make_user("olga"))
    return client


@pytest.fixture
def stranger(db: None) -> Client:
    return Client()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with ThreadPoolExecutor(max_workers=1) as thread:
        playwright = started(thread, sync_playwright().start)
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()
        playwright.stop()


@pytest.fixture
def page(django_db_setup: None, browser: Browser, live_server: LiveServer) -> Iterator[Page]:
    """A signed-in browser; whatever it complains about fails the test.

    `django_db_setup` comes first, so that the server finds the test database to share.
    """
    client = Client()
    client.force_login(make_user("olga"))
    session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    context = browser.new_context(base_url=live_server.url, timezone_id="Asia/Kathmandu")
    context.add_cookies([session])  # type: ignore[list-item]
    complaints: list[str] = []
    opened = context.new_page()
    opened.on("console", lambda message: complaints.append(message.text) if _is_complaint(message) else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    assert complaints == []


def _is_complaint(message: ConsoleMessage) -> bool:
    # A store or a server that is away is what some tests are about; htmx and Chromium report it in these words.
    expected = ("Failed to load resource", "htmx:", "Response Status Error")
    return message.type in ("error", "warning") and not message.text.startswith(expected)
