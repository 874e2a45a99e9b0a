"""Settings: sources, channels and ingest tokens."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from alerts.models import Channel
from telemetry import tokens
from telemetry.models import IngestToken, Source
from tests.connectors.impostor import Reply, impostor
from tests.dashboards.everything import make_channel
from tests.dashboards.pages import Page
from tests.make import make_flow, make_source
from tests.servers import PrometheusServer, free_port

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def form(**given: object) -> dict[str, object]:
    """The form of a source as the browser sends it; nothing listens at its address."""
    return {"name": "Shop", "url": f"http://127.0.0.1:{free_port()}", "seconds": "2", "verify_tls": "on"} | given


class TestSources:
    def test_an_empty_fireline_asks_for_the_first_source(self, owner: Client) -> None:
        assert "No source yet" in Page(owner.get("/settings/")).text

    @pytest.mark.real
    def test_a_new_source_is_asked_at_once(self, owner: Client, prometheus: PrometheusServer) -> None:
        page = Page(owner.post("/settings/sources/new/", form(url=prometheus.url), follow=True))
        assert "Shop is saved. It answers, version" in page.text
        assert Source.objects.get().last_answered_at is not None

    def test_a_source_that_does_not_answer_is_kept_and_says_why(self, owner: Client) -> None:
        page = Page(owner.post("/settings/sources/new/", form(), follow=True))
        source = Source.objects.get()
        assert source.last_error
        assert source.last_error in page.text

    @pytest.mark.real
    def test_the_test_button_answers_in_place(self, owner: Client, prometheus: PrometheusServer) -> None:
        source = make_source(prometheus.url)
        response = owner.post(f"/settings/sources/{source.pk}/test/", headers=HTMX)
        page = Page(response)
        assert "answers, version" in page.text
        assert page.ids() == [f"source-{source.pk}-state"]

    def test_without_javascript_the_test_button_leads_back_with_the_answer(self, owner: Client) -> None:
        source = make_source(f"http://127.0.0.1:{free_port()}")
        response = owner.post(f"/settings/sources/{source.pk}/test/", follow=True)
        source.refresh_from_db()
        assert response.redirect_chain == [("/settings/", 302)]
        assert source.last_error in Page(response).text

    def test_an_old_error_is_shown_with_its_time(self, owner: Client) -> None:
        make_source(last_error="The connection was refused.", last_error_at=timezone.now())
        page = Page(owner.get("/settings/"))
        assert "The connection was refused." in page.text

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("", "required"),
            ("prometheus:9090", "This is no address"),
            ("ftp://prometheus", "This is no address"),
            ("http://", "This is no address"),
            ("http://prometheus:port", "This is no address"),
            ("http://prometheus..example/", "This is no address"),
            (f"http://{'p' * 64}.example/", "This is no address"),
            ("http://olga:secret@prometheus", "Take the name and password out"),
            ("http://169.254.169.254/latest", "169.254.169.254"),
            ("javascript:alert(1)", "This is no address"),
        ],
    )
    def test_a_wrong_address_is_refused_with_the_reason(self, owner: Client, url: str, why: str) -> None:
        response = owner.post("/settings/sources/new/", form(url=url))
        assert response.status_code == 422
        assert why in Page(response).text
        assert not Source.objects.exists()

    def test_host_names_without_a_dot_are_fine(self, owner: Client, settings: Settings) -> None:
        settings.INTERNAL_ADDRESSES = ["localhost", "127.0.0.0/8", "::1"]
        assert owner.post("/settings/sources/new/", form(url=f"http://localhost:{free_port()}/")).status_code == 302
        assert not Source.objects.get().url.endswith("/")

    def test_what_was_typed_survives_a_refusal_but_a_password_is_not_sent_back(self, owner: Client) -> None:
        response = owner.post("/settings/sources/new/", form(url="nowhere", username="olga", password="hunter2"))
        assert any(a.get("value") == "nowhere" for _, a in Page(response).tags)
        assert "hunter2" not in response.content.decode()

    def test_credentials_left_empty_stay_as_they_are(self, owner: Client) -> None:
        source = make_source(credentials={"token": "s3cret"}, headers={"X-Scope-OrgID": "shop"})
        owner.post(f"/settings/sources/{source.pk}/", form(name="Renamed", url=source.url))
        source.refresh_from_db()
        assert (source.name, source.credentials, source.headers) == (
            "Renamed",
            {"token": "s3cret"},
            {"X-Scope-OrgID": "shop"},
        )

    def test_a_stored_secret_is_named_but_never_shown(self, owner: Client) -> None:
        source = make_source(credentials={"username": "olga", "password": "s3cret"}, headers={"X-Key": "t0ken"})
        body = owner.get(f"/settings/sources/{source.pk}/").content.decode()
        assert "X-Key" in body
        assert "s3cret" not in body
        assert "t0ken" not in body

    def test_stored_secrets_never_follow_to_another_server(self, owner: Client) -> None:
        source = make_source(credentials={"token": "s3cret"})
        response = owner.post(f"/settings/sources/{source.pk}/", form(url=f"http://127.0.0.1:{free_port()}"))
        assert response.status_code == 422
        assert "another server" in Page(response).text
        source.refresh_from_db()
        assert source.url == "http://127.0.0.1:9"

    def test_with_the_secrets_entered_again_a_source_may_move(self, owner: Client) -> None:
        source = make_source(credentials={"token": "old"})
        assert owner.post(f"/settings/sources/{source.pk}/", form(token="new")).status_code == 302
        source.refresh_from_db()
        assert source.credentials == {"token": "new"}

    def test_secrets_can_be_forgotten(self, owner: Client) -> None:
        source = make_source(credentials={"token": "old"}, headers={"X-Key": "x"})
        owner.post(f"/settings/sources/{source.pk}/", form(forget="on"))
        source.refresh_from_db()
        assert (source.credentials, source.headers) == ({}, {})

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({"username": "olga"}, "belong together"),
            ({"password": "secret"}, "belong together"),
            ({"username": "olga", "password": "x", "token": "y"}, "Give either"),
            ({"header_lines": "X-Scope-OrgID shop"}, "Line 1 is no header"),
            ({"header_lines": "X-A: 1\n: 2"}, "Line 2 is no header"),
            ({"seconds": "0"}, "greater than or equal"),
            ({"seconds": "soon"}, "number"),
        ],
    )
    def test_what_does_not_fit_together_is_refused(self, owner: Client, given: dict[str, str], why: str) -> None:
        response = owner.post("/settings/sources/new/", form(**given))
        assert response.status_code == 422
        assert why in Page(response).text

    def test_headers_and_time_limit_are_stored(self, owner: Client) -> None:
        owner.post("/settings/sources/new/", form(header_lines="X-Scope-OrgID: shop\n\nX-B: a:b", seconds="2.5"))
        source = Source.objects.get()
        assert source.headers == {"X-Scope-OrgID": "shop", "X-B": "a:b"}
        assert source.timeout == timedelta(seconds=2.5)


class TestChannels:
    def test_a_webhook_is_stored_without_being_shown_again(self, owner: Client) -> None:
        url = "http://127.0.0.1:9/hooks/t0ken"
        page = Page(owner.post("/settings/channels/new/", webhook(url), follow=True))
        assert Channel.objects.get().config == {"url": url}
        assert "http://127.0.0.1/…" in page.text
        assert "t0ken" not in owner.get(f"/settings/channels/{Channel.objects.get().pk}/").content.decode()

    def test_an_address_left_empty_stays_as_it_is(self, owner: Client) -> None:
        channel = make_channel()
        owner.post(f"/settings/channels/{channel.pk}/", webhook("", name="Renamed"))
        channel.refresh_from_db()
        assert (channel.name, channel.config["url"]) == ("Renamed", "https://hooks.example.org/do-not-show-me")

    def test_recipients_are_stored_once_each(self, owner: Client) -> None:
        given = {"name": "Team", "kind": "email", "to": "a@example.org, b@example.org\na@example.org", "enabled": "on"}
        owner.post("/settings/channels/new/", given)
        assert Channel.objects.get().config == {"to": "a@example.org, b@example.org"}

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({"kind": "webhook", "url": ""}, "Give the address"),
            ({"kind": "webhook", "url": "hooks"}, "This is no address"),
            ({"kind": "webhook", "url": "http://hooks..example/"}, "This is no address"),
            ({"kind": "webhook", "url": "http://169.254.169.254/"}, "169.254.169.254"),
            ({"kind": "email", "to": ""}, "at least one"),
            ({"kind": "email", "to": "a@example.org, bob"}, "“bob” is no e-mail address"),
            ({"kind": "email", "to": "a@example.org\r\nBcc: x"}, "is no e-mail address"),
            ({"kind": "fax"}, "valid choice"),
        ],
    )
    def test_a_channel_that_leads_nowhere_is_refused(self, owner: Client, given: dict[str, str], why: str) -> None:
        response = owner.post("/settings/channels/new/", {"name": "Team", "url": "", "to": ""} | given)
        assert response.status_code == 422
        assert why in Page(response).text

    def test_switching_off_is_shown(self, owner: Client) -> None:
        make_channel(enabled=False)
        assert "Switched off" in Page(owner.get("/settings/")).text

    def test_a_test_message_is_delivered_and_said_in_place(self, owner: Client) -> None:
        channel = make_channel(kind="email", config={"to": "a@example.org"})
        page = Page(owner.post(f"/settings/channels/{channel.pk}/test/", headers=HTMX))
        assert "the test was delivered" in page.text
        assert mail.outbox[0].to == ["a@example.org"]

    def test_a_test_that_fails_says_why(self, owner: Client) -> None:
        channel = make_channel(config={"url": f"http://127.0.0.1:{free_port()}/"})
        in_place = Page(owner.post(f"/settings/channels/{channel.pk}/test/", headers=HTMX))
        channel.refresh_from_db()
        assert channel.last_error
        assert channel.last_error in in_place.text
        assert channel.last_error in Page(owner.post(f"/settings/channels/{channel.pk}/test/", follow=True)).text


def webhook(url: str, name: str = "Hook") -> dict[str, str]:
    return {"name": name, "kind": "webhook", "url": url, "to": "", "enabled": "on"}


class TestTokens:
    def test_a_new_token_is_shown_once_and_works(self, owner: Client) -> None:
        response = owner.post("/settings/tokens/new/", {"name": "shop"})
        secret = next(word for word in Page(response).text.split() if word.startswith(tokens.PREFIX))
        assert tokens.verify(secret, timezone.now())
        assert secret not in owner.get("/settings/").content.decode()
        assert "no-store" in response.headers["Cache-Control"]

    def test_the_same_name_twice_is_refused_and_makes_nothing(self, owner: Client) -> None:
        IngestToken.objects.create(name="shop", digest="x")
        response = owner.post("/settings/tokens/new/", {"name": "shop"})
        assert response.status_code == 422
        assert "A token has this name" in Page(response).text
        assert IngestToken.objects.count() == 1

    def test_deleting_asks_first(self, owner: Client) -> None:
        token = IngestToken.objects.create(name="shop", digest="x")
        assert "Delete the token shop?" in Page(owner.get(f"/settings/tokens/{token.pk}/delete/")).text
        assert IngestToken.objects.exists()
        owner.post(f"/settings/tokens/{token.pk}/delete/")
        assert not IngestToken.objects.exists()

    def test_the_page_of_creation_can_be_reloaded(self, owner: Client) -> None:
        assert owner.get("/settings/tokens/new/").headers["Location"] == "/settings/"


class TestStores:
    def test_a_store_of_traces_is_added_and_asked(self, owner: Client) -> None:
        with impostor(Reply(b'{"traces": []}'), Reply(b'{"version": "2.9.0"}')) as server:
            given = form(name="Tempo", kind="tempo", url=server.url, link="https://grafana.example/{trace_id}")
            page = Page(owner.post("/settings/sources/new/", given, follow=True))
        source = Source.objects.get()
        assert "Tempo is saved. It answers, version 2.9.0, holds traces." in page.text
        assert (source.kind, source.link) == ("tempo", "https://grafana.example/{trace_id}")

    def test_its_kind_cannot_change_afterwards(self, owner: Client) -> None:
        source = make_source()
        owner.post(f"/settings/sources/{source.pk}/", form(name="Shop", kind="loki", url=source.url))
        source.refresh_from_db()
        assert (source.name, source.kind) == ("Shop", "prometheus")

    def test_a_clickhouse_says_what_it_holds_and_in_which_tables(self, owner: Client) -> None:
        owner.post("/settings/sources/new/", form(kind="clickhouse", has_logs="on", logs_in="otel.lines"))
        source = Source.objects.get()
        assert (source.has_traces, source.has_logs, source.logs_in) == (False, True, "otel.lines")

    def test_it_has_to_hold_something(self, owner: Client) -> None:
        response = owner.post("/settings/sources/new/", form(kind="elasticsearch"))
        assert response.status_code == 422
        assert "It has to hold something" in Page(response).text

    @pytest.mark.parametrize(
        ("link", "why"),
        [
            ("javascript:alert(1)", "starts with http"),
            ("//elsewhere.example/{trace_id}", "starts with http"),
            ("https://g/{tenant}", "Nothing is known for {tenant}"),
        ],
    )
    def test_a_link_leads_to_a_page_and_names_what_is_known(self, owner: Client, link: str, why: str) -> None:
        response = owner.post("/settings/sources/new/", form(kind="tempo", link=link))
        assert response.status_code == 422
        assert why in Page(response).text

    def test_the_embedded_store_is_not_edited(self, owner: Client) -> None:
        source = make_source("", kind="embedded")
        assert owner.get(f"/settings/sources/{source.pk}/").status_code == 404

    def test_a_store_of_log_lines_can_be_tested_from_the_list(self, owner: Client) -> None:
        source = make_source(f"http://127.0.0.1:{free_port()}", kind="loki")
        page = Page(owner.post(f"/settings/sources/{source.pk}/test/", headers=HTMX))
        assert "nothing listens there" in page.text

    def test_objectives_are_offered_prometheus_only(self, owner: Client) -> None:
        make_source(name="Metrics")
        make_source(name="Traces", kind="tempo")
        flow = make_flow()
        page = owner.get(f"/flows/{flow.slug}/objectives/new/").content.decode()
        assert "Metrics" in page
        assert ">Traces</option>" not in page
