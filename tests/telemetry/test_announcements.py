"""Changes are announced by POST /api/changes, and stored once however often they are sent."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from telemetry.models import Change

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.urls("telemetry.urls")]

DEPLOY = {
    "kind": "deploy",
    "title": "checkout 2.4.1",
    "service": "checkout",
    "version": "2.4.1",
    "at": "2026-03-01T14:03:00Z",
    "url": "https://ci.example.org/build/7",
    "attributes": {"commit": "beef", "replicas": 3},
    "external_id": "build-7",
}


@pytest.fixture
def announce(client):
    def send(change, content_type="application/json", token="test-ingest-token"):
        headers = {"Authorization": f"Bearer {token}"}
        return client.post("/api/changes", change, content_type=content_type, headers=headers)

    return send


def test_a_change_is_stored_as_it_was_announced(announce):
    answer = announce(DEPLOY)
    change = Change.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "id": change.pk,
        "external_id": "build-7",
        "at": "2026-03-01T14:03:00Z",
        "new": True,
    }
    assert (change.kind, change.title, change.service, change.version) == (
        "deploy",
        "checkout 2.4.1",
        "checkout",
        "2.4.1",
    )
    assert change.at == datetime(2026, 3, 1, 14, 3, tzinfo=UTC)
    assert change.attributes == {"commit": "beef", "replicas": "3"}


def test_a_title_is_enough_and_then_it_happened_now(announce):
    assert announce({"title": "checkout 2.4.1"}).status_code == 201
    change = Change.objects.get()
    assert change.kind == "deploy"
    assert abs(change.at - timezone.now()) < timedelta(minutes=1)


def test_a_change_that_is_announced_again_is_stored_once_and_stays_as_it_was(announce):
    announce(DEPLOY)
    answer = announce(DEPLOY | {"title": "another title"})
    assert (answer.status_code, answer.json()["new"]) == (200, False)
    assert Change.objects.get().title == "checkout 2.4.1"


def test_a_change_without_a_name_of_its_own_is_known_by_what_it_says(announce):
    nameless = {name: value for name, value in DEPLOY.items() if name != "external_id"}
    assert [announce(nameless).status_code for _ in range(2)] == [201, 200]
    assert announce(nameless | {"version": "2.4.2"}).status_code == 201


def test_unix_seconds_are_a_time_too(announce):
    assert announce(DEPLOY | {"at": 1772373780}).json()["at"] == "2026-03-01T14:03:00Z"


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("title", "", "Say what changed"),
        ("title", "x" * 201, "at most 200 characters"),
        ("kind", "party", "one of deploy, flag, config, other"),
        ("url", "javascript:alert(1)", "whole address"),
        ("at", "yesterday", "with its zone"),
        ("at", "2026-03-01T14:03:00", "with its zone"),
        ("at", "2026-13-41T14:03:00Z", "with its zone"),
        ("at", 1e300, "with its zone"),
        ("at", "0001-01-01T00:00:00+14:00", "with its zone"),
        ("at", "9999-12-31T23:00:00-12:00", "with its zone"),
        ("at", True, "with its zone"),
        ("at", "2999-01-01T00:00:00Z", "ahead of Fireline's clock"),
        ("attributes", [], "must be an object"),
        ("attributes", {"a": {}}, "a text, a number"),
        ("attributes", {f"{n}": n for n in range(51)}, "at most 50"),
    ],
)
def test_a_change_that_cannot_be_stored_is_refused_with_a_sentence_at_its_field(announce, field, value, sentence):
    answer = announce(DEPLOY | {field: value})
    assert answer.status_code == 422
    assert sentence in answer.json()["errors"][field][0]
    assert not Change.objects.exists()


@pytest.mark.parametrize("body", ["{", "[]", "7", "[" * 100_000])
def test_what_is_no_json_object_is_refused(announce, body):
    answer = announce(body)
    assert answer.status_code == 422
    assert "JSON" in answer.json()["error"]


def test_characters_that_no_database_takes_are_replaced(announce):
    assert announce(r'{"title": "a\u0000b\ud800", "attributes": {"\u0000": "\ud800"}}').status_code == 201
    change = Change.objects.get()
    assert (change.title, change.attributes) == ("a?b?", {"?": "?"})


def test_nobody_announces_without_a_token(announce):
    answer = announce(DEPLOY, token="wrong")
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "token" in answer.json()["error"]


def test_a_change_is_announced_in_json_only(announce):
    assert announce("title=x", content_type="application/x-www-form-urlencoded").status_code == 415


def test_a_change_of_a_megabyte_is_refused(announce):
    assert announce(DEPLOY | {"title": "x" * 1024 * 1024}).status_code == 413
