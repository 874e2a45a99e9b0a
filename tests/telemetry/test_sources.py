"""Configured stores: asking one, and remembering how it answered."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connectors.errors import Unreachable
from telemetry import checks, sources
from telemetry.models import Source
from tests.connectors.impostor import Reply, impostor
from tests.make import make_source
from tests.servers import PrometheusServer, free_port

pytestmark = pytest.mark.django_db


@pytest.mark.real
def test_a_source_that_answers_says_who_it_is(prometheus: PrometheusServer) -> None:
    source = make_source(prometheus.url, last_error="it was down", last_error_at=timezone.now())
    said = checks.check(source)
    source.refresh_from_db()
    assert said.startswith("answers, version 2.")
    assert said.endswith(", exemplars on")
    assert (source.answer, source.last_error, source.last_error_at) == (said, "", None)
    assert source.last_answered_at is not None


def test_a_source_that_does_not_answer_keeps_when_it_last_did() -> None:
    before = timezone.now() - timedelta(hours=1)
    source = make_source(f"http://127.0.0.1:{free_port()}", last_answered_at=before, answer="answers, version 2")
    said = checks.check(source)
    source.refresh_from_db()
    assert "nothing listens there" in said
    assert (source.last_error, source.last_answered_at, source.answer) == (said, before, "answers, version 2")


def test_a_store_that_answers_queries_only_is_a_source_too() -> None:
    one = Reply(b'{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}')
    with impostor(one, Reply(b"", 404, "text/plain")) as server:
        assert checks.check(make_source(server.url)) == "answers"


def test_credentials_headers_and_patience_are_the_sources_own() -> None:
    source = make_source(
        "http://127.0.0.1:1",
        credentials={"username": "olga", "password": "hush"},
        headers={"X-Scope-OrgID": "shop"},
        timeout=timedelta(seconds=0.2),
    )
    source.refresh_from_db()
    with impostor(Reply(silent=True)) as server:
        source.url = server.url
        assert "did not answer within 0.2" in checks.check(source)
        sent = server.requests[0].headers
    assert sent["X-Scope-OrgID"] == "shop"
    assert sent["Authorization"].startswith("Basic ")


def test_an_internal_address_is_not_asked(settings: object) -> None:
    settings.INTERNAL_ADDRESSES = []  # type: ignore[attr-defined]
    with impostor(Reply(b"{}")) as server:
        assert "is an internal address" in checks.check(make_source(server.url))
        assert server.requests == []


def test_remembering_an_answer_does_not_write_back_what_somebody_edits() -> None:
    source = make_source(name="Old name")
    Source.objects.filter(pk=source.pk).update(name="New name")
    sources.record_error(source, Unreachable("down"), timezone.now())
    sources.record_answer(source, timezone.now())
    source.refresh_from_db()
    assert (source.name, source.last_error) == ("New name", "")


def test_the_first_prometheus_is_the_default() -> None:
    assert sources.default_prometheus() is None
    first = make_source(name="Zulu")
    make_source(name="Alpha")
    assert sources.default_prometheus() == first
