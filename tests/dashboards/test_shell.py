"""The frame around every page, and what holds for all of them."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern
from django.views import defaults

from dashboards.templatetags import fireline
from tests.dashboards.everything import HOSTILE, address, make_change, make_evidence, make_shop, patterns
from tests.dashboards.pages import Page

pytestmark = pytest.mark.django_db(databases="__all__")


def html_pages(owner: Client) -> list[tuple[URLPattern, Any]]:
    shop = make_shop()
    make_evidence(shop.incident)
    make_change(f"checkout {HOSTILE}")
    answers = [(one, owner.get(address(one, shop))) for one in patterns()]
    return [(one, answer) for one, answer in answers if answer.headers.get("Content-Type", "").startswith("text/html")]


def test_no_page_fails(owner: Client) -> None:
    for pattern, response in html_pages(owner):
        assert response.status_code < 500, pattern.name


def test_no_page_has_inline_code_or_style(owner: Client) -> None:
    for pattern, response in html_pages(owner):
        assert list(Page(response).offences()) == [], pattern.name


def test_every_page_forbids_inline_code(owner: Client) -> None:
    for pattern, response in html_pages(owner):
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, pattern.name
        assert "unsafe" not in policy, pattern.name


def test_what_others_wrote_is_shown_and_never_executed(owner: Client) -> None:
    shown = 0
    for pattern, response in html_pages(owner):
        body = response.content.decode()
        assert "<script>alert" not in body, pattern.name
        assert not re.search(r"<[^>]*\sonmouseover=x", without_values(body)), pattern.name
        shown += "&lt;script&gt;alert(1)" in body
    assert shown > 3


def without_values(body: str) -> str:
    """The tags with every attribute value taken out: what is left over is attributes that somebody smuggled in."""
    return re.sub(r'"[^"]*"', '""', body)


def test_ids_are_unique_on_every_page(owner: Client) -> None:
    for pattern, response in html_pages(owner):
        ids = Page(response).ids()
        assert len(ids) == len(set(ids)), (pattern.name, sorted(i for i in ids if ids.count(i) > 1))


def test_no_page_shows_a_stored_secret(owner: Client) -> None:
    for pattern, response in html_pages(owner):
        assert "do-not-show-me" not in response.content.decode(), pattern.name


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sprite = (Path(settings.BASE_DIR) / "static/icons.svg").read_text()
    known = set(re.findall(r'id="i-([\w-]+)"', sprite))
    templates = Path(settings.BASE_DIR, "templates").rglob("*.html")
    named = {name for path in templates for name in re.findall(r'{% icon "([\w-]+)"', path.read_text())}
    assert named | {symbol for symbol, _ in fireline.PILLS.values()} <= known


def test_every_link_of_the_navigation_leads_somewhere(owner: Client) -> None:
    make_shop()
    links = [link for link in Page(owner.get("/changes/")).links if link.startswith("/")]
    for link in set(links):
        assert owner.get(link).status_code == 200, link


def test_the_navigation_counts_open_incidents(owner: Client) -> None:
    assert 'class="count"' not in owner.get("/changes/").content.decode()
    make_shop()
    assert 'class="count" aria-label="1 open"' in owner.get("/changes/").content.decode()


def test_a_wrong_address_says_so(owner: Client) -> None:
    response = owner.get("/nowhere/")
    assert response.status_code == 404
    assert "There is nothing here" in Page(response).text


def test_an_old_form_is_explained(stranger: Client) -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post("/login/", {"username": "olga"})
    assert response.status_code == 403
    assert "too old" in Page(response).text


@pytest.mark.parametrize("view", [defaults.server_error, defaults.permission_denied, defaults.bad_request])
def test_error_pages_need_nothing_but_themselves(view: object, rf: RequestFactory) -> None:
    request: HttpRequest = rf.get("/")
    request.user = User()
    arguments = () if view is defaults.server_error else (Exception("secret"),)
    response: HttpResponse = view(request, *arguments)  # type: ignore[operator]
    page = Page(response)
    assert "Fireline" in page.text
    assert "secret" not in page.text
    assert list(page.offences()) == []


def test_messages_are_read_out_and_can_be_dismissed(owner: Client) -> None:
    response = owner.post("/flows/new/", {"name": "Search", "importance": 2}, follow=True)
    page = Page(response)
    assert "Search is saved." in page.text
    assert any(a.get("aria-live") == "polite" and a.get("id") == "toasts" for _, a in page.tags)
    assert any("data-dismiss" in a for _, a in page.tags)
