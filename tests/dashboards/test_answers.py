"""What every answer carries, whatever it is, and that no address brings a page down."""

from http.cookies import Morsel
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings

from dashboards import overview
from tests.dashboards.everything import TRACE_ID, make_evidence, make_shop
from tests.make import make_user

pytestmark = pytest.mark.django_db(databases="__all__")

HUGE = "9" * 30
ENDLESS = "9" * 5000


def assert_guarded(response: Any) -> None:
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("method", "address", "headers", "status"),
    [
        ("get", "/", {}, 200),
        ("get", "/nowhere/", {}, 404),
        ("get", "/", {"Host": "elsewhere.example"}, 400),
        ("delete", "/", {}, 405),
        ("get", "/search?q=inc-1", {}, 302),
        ("get", "/flows/checkout/chart/nothing/", {}, 404),
        ("get", "/healthz", {}, 200),
        ("post", "/v1/traces", {}, 401),
        ("post", "/api/changes", {}, 401),
    ],
)
def test_every_answer_carries_the_policy(
    owner: Client, method: str, address: str, headers: dict[str, str], status: int
) -> None:
    shop = make_shop()
    response = getattr(owner, method)(address.replace("inc-1", f"inc-{shop.incident.pk}"), headers=headers)
    assert response.status_code == status
    assert_guarded(response)


def test_a_refused_form_carries_the_policy() -> None:
    response = Client(enforce_csrf_checks=True).post("/login/", {"username": "olga"})
    assert response.status_code == 403
    assert_guarded(response)


def test_a_page_that_breaks_carries_the_policy_and_tells_nothing(
    owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(request: HttpRequest, *rest: object) -> HttpResponse:
        raise RuntimeError("the password is hunter2")

    owner.raise_request_exception = False
    monkeypatch.setattr(overview, "render", broken)
    response = owner.get("/live/")
    assert response.status_code == 500
    assert b"hunter2" not in response.content
    assert b"Traceback" not in response.content
    assert_guarded(response)


def cookies_of(client: Client) -> dict[str, Morsel[str]]:
    make_user("mate", password="correct horse")
    client.get("/login/")
    client.post("/login/", {"username": "mate", "password": "correct horse"})
    return dict(client.cookies)


def test_no_script_and_no_other_site_gets_the_session(stranger: Client) -> None:
    session = cookies_of(stranger)[settings.SESSION_COOKIE_NAME]
    assert (session["httponly"], session["samesite"]) == (True, "Lax")


@override_settings(SESSION_COOKIE_SECURE=True, CSRF_COOKIE_SECURE=True)
def test_behind_tls_no_cookie_travels_in_the_open(stranger: Client) -> None:
    assert all(cookie["secure"] for cookie in cookies_of(stranger).values())


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_whoever_is_signed_in_is_sent_nowhere_else_either(owner: Client, to: str) -> None:
    response = owner.get("/login/", {"next": to})
    assert (response.status_code, response.headers["Location"]) == (302, "/")


@pytest.mark.parametrize(
    "address",
    [
        f"/incidents/{HUGE}/",
        f"/incidents/{ENDLESS}/",
        f"/incidents/?page={ENDLESS}",
        f"/objectives/{HUGE}/live/",
        f"/objectives/OBJECTIVE/?page={HUGE}",
        f"/objectives/OBJECTIVE/?page={ENDLESS}",
        "/objectives/OBJECTIVE/?page=-1",
        f"/objectives/metrics/?source={HUGE}&metric=%00",
        "/objectives/labels/?source=%C2%B2&metric=x",
        f"/settings/sources/{HUGE}/",
        "/traces/?longer=999999999+min",
        "/traces/?older=9223372036854775807-99999",
        f"/traces/?older={HUGE}-{HUGE}",
        "/traces/?flow=%00&service=%FF%FE",
        f"/traces/{'a' * 5000}/",
        f"/traces/{TRACE_ID}/?page=99999&span=%00&incident=%D9%A3",
        f"/traces/{TRACE_ID}/?page={ENDLESS}&incident={HUGE}",
        "/logs/?older=0-1",
        "/logs/?text=%00&service=%00",
        f"/search?q={HUGE}",
        f"/search?q=inc-{HUGE}",
        "/search?q=%00%ED%A0%80",
        f"/changes/?page={HUGE}",
        f"/flows/?sort={HUGE}",
        f"/flows/checkout/?range={HUGE}d",
        f"/flows/checkout/chart/requests/?range={ENDLESS}d",
        f"/?sort={HUGE}",
    ],
    ids=lambda address: address[:60],
)
def test_no_address_brings_a_page_down(owner: Client, address: str) -> None:
    shop = make_shop()
    make_evidence(shop.incident)
    response = owner.get(address.replace("OBJECTIVE", str(shop.objective.pk)))
    # 502 is a chart's way to say that Prometheus did not answer.
    assert response.status_code in (200, 302, 404, 422, 502)
    assert_guarded(response)
