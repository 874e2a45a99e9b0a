"""Everything is behind the login but what must not be."""

import pytest
from django.test import Client
from django.urls import URLPattern

from tests.dashboards.everything import address, make_change, make_evidence, make_shop, patterns
from tests.make import make_user

pytestmark = pytest.mark.django_db(databases="__all__")

# Asked by machines that cannot sign in: the first two tell no secret, the others want a token.
OPEN = {"healthz", "readyz", "login"}
WITH_TOKEN = {"otlp-traces", "otlp-logs", "change-announce"}


def private() -> list[URLPattern]:
    return [one for one in patterns() if one.name not in OPEN | WITH_TOKEN]


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_gets_the_login_page_instead_of_any_other(stranger: Client, method: str) -> None:
    shop = make_shop()
    for pattern in private():
        response = getattr(stranger, method)(address(pattern, shop))
        assert response.status_code == 302, pattern.name
        assert response.headers["Location"].startswith("/login/"), pattern.name


def test_a_stranger_reads_nothing_of_what_is_inside(stranger: Client) -> None:
    shop = make_shop()
    make_evidence(shop.incident)
    make_change()
    for pattern in patterns():
        body = stranger.get(address(pattern, shop), follow=True).content.decode()
        assert "checkout" not in body.lower().replace("next=/flows/checkout", "").replace("/flows/checkout/", ""), (
            pattern.name
        )


def test_senders_without_a_token_are_refused(stranger: Client) -> None:
    shop = make_shop()
    for pattern in patterns():
        if pattern.name in WITH_TOKEN:
            assert stranger.post(address(pattern, shop), b"", "application/json").status_code == 401, pattern.name


def test_a_session_cookie_is_no_ingest_token(owner: Client) -> None:
    assert owner.post("/v1/traces", b"{}", "application/json").status_code == 401


def test_whoever_signs_in_comes_to_the_page_that_was_asked_for(stranger: Client) -> None:
    make_shop()
    response = stranger.post("/login/?next=/flows/", {"username": "nobody", "password": "wrong"})
    assert response.status_code == 422
    assert "do not belong together" in response.content.decode()


def test_the_login_sends_nobody_to_another_site(stranger: Client) -> None:
    make_user("olga", password="correct horse")
    form = {"username": "olga", "password": "correct horse", "next": "https://evil.example/"}
    assert stranger.post("/login/", form).headers["Location"] == "/"


def test_a_polled_fragment_of_an_ended_session_leads_the_page_to_the_login(stranger: Client) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/flows/checkout/?range=6h"}
    response = stranger.get("/live/", headers=headers, follow=True)
    assert response.headers["HX-Redirect"] == "/login/?next=%2Fflows%2Fcheckout%2F%3Frange%3D6h"
    assert b"<form" not in response.content


def test_signing_out_needs_a_post(owner: Client) -> None:
    assert owner.get("/logout/").status_code == 405
    assert owner.post("/logout/").status_code == 302
    assert owner.get("/").status_code == 302
