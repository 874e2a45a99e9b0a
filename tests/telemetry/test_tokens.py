"""Ingest tokens are shown once, kept as a hash, and known by when they were last used."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from telemetry import tokens
from telemetry.models import IngestToken

pytestmark = pytest.mark.django_db(databases="__all__")

NOW = datetime(2026, 3, 1, 14, 3, tzinfo=UTC)


def test_a_new_token_lets_its_bearer_in_and_is_not_stored():
    row, token = tokens.create("checkout", None)
    assert tokens.verify(token, NOW)
    assert token not in str(IngestToken.objects.values().get(pk=row.pk))


def test_tokens_differ():
    assert tokens.create("a", None)[1] != tokens.create("b", None)[1]


def test_a_deleted_token_lets_nobody_in():
    row, token = tokens.create("checkout", None)
    row.delete()
    assert not tokens.verify(token, NOW)


def test_the_hash_is_no_token():
    row, _ = tokens.create("checkout", None)
    assert not tokens.verify(row.digest, NOW)


def test_the_token_of_the_settings_needs_no_row():
    assert tokens.verify("test-ingest-token", NOW)


def test_an_unset_token_in_the_settings_lets_nobody_in(settings):
    settings.INGEST_TOKEN = ""
    assert not tokens.verify("", NOW)


def test_its_use_is_noted_at_most_once_a_minute():
    row, token = tokens.create("checkout", None)
    for seconds, noted in ((0, 0), (59, 0), (61, 61), (62, 61)):
        tokens.verify(token, NOW + timedelta(seconds=seconds))
        row.refresh_from_db()
        assert row.last_used_at == NOW + timedelta(seconds=noted)


def test_a_token_in_frequent_use_writes_nothing():
    _, token = tokens.create("checkout", None)
    tokens.verify(token, NOW)
    with CaptureQueriesContext(connection) as queries:
        tokens.verify(token, NOW)
    assert len(queries) == 1
