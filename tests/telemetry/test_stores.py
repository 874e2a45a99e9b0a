"""Which stores are asked, how a source is tested, and where a link into one leads."""

import json
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from connectors.clickhouse import ClickHouseLogs
from connectors.elasticsearch import ElasticsearchLogs, ElasticsearchTraces
from connectors.errors import StoreError
from connectors.http import Store
from connectors.jaeger import Jaeger
from connectors.loki import Loki
from connectors.telemetry import LogQuery, TraceQuery
from connectors.tempo import Tempo
from telemetry import checks, links, stores
from telemetry.models import ROLES, Role, Source
from telemetry.store import EmbeddedLogs, EmbeddedTraces
from tests.connectors.impostor import Reply, impostor
from tests.connectors.shop import FAILED, SINCE, UNTIL
from tests.make import make_source

pytestmark = pytest.mark.django_db

Kind = Source.Kind


def kinds(found: list[Any]) -> list[type]:
    return [type(store) for store in found]


def test_without_sources_the_embedded_store_is_all_there_is() -> None:
    make_source()
    assert kinds(stores.trace_stores()) == [EmbeddedTraces]
    assert kinds(stores.log_stores()) == [EmbeddedLogs]


def test_configured_stores_are_asked_for_what_they_hold() -> None:
    for kind in (Kind.TEMPO, Kind.LOKI, Kind.ELASTICSEARCH):
        make_source(kind=kind)
    make_source(kind=Kind.CLICKHOUSE, has_traces=False)
    assert kinds(stores.trace_stores()) == [EmbeddedTraces, Tempo, ElasticsearchTraces]
    assert kinds(stores.log_stores()) == [EmbeddedLogs, Loki, ElasticsearchLogs, ClickHouseLogs]


def test_every_kind_but_prometheus_has_a_connector_for_each_of_its_roles() -> None:
    for kind, roles in ROLES.items():
        if kind not in (Kind.PROMETHEUS, Kind.EMBEDDED):
            assert tuple(stores.of(Source(kind=kind, url="http://127.0.0.1:9"))) == roles


def test_what_only_has_one_role_cannot_be_switched_off() -> None:
    assert Source(kind=Kind.LOKI, has_logs=False).roles == (Role.LOGS,)
    assert Source(kind=Kind.PROMETHEUS).roles == (Role.METRICS,)


def test_a_page_waits_less_than_a_source_allows() -> None:
    make_source(kind=Kind.JAEGER, timeout=timedelta(seconds=30))
    patient, hurried = stores.trace_stores()[1], stores.trace_stores(stores.PAGE_PATIENCE)[1]
    assert isinstance(patient, Store)
    assert isinstance(hurried, Store)
    assert (patient.api.peer.timeout.seconds, hurried.api.peer.timeout.seconds) == (30, 5)


def test_the_settings_bound_what_a_store_is_asked(settings: Settings) -> None:
    settings.STORE_MOST_QUESTIONS, settings.STORE_MOST_LINES = 1, 3
    with impostor(Reply(b'{"status": "success", "data": {"result": []}}')) as server:
        make_source(server.url, kind=Kind.LOKI)
        loki = stores.log_stores()[1]
        loki.search(LogQuery(since=SINCE, until=UNTIL))
        with pytest.raises(StoreError, match="Questions so far: 1"):
            loki.search(LogQuery(since=SINCE, until=UNTIL))
        assert b"limit=3&" in server.requests[0].body


def test_victoriatraces_answers_jaegers_api_under_a_prefix_that_nobody_has_to_know() -> None:
    with impostor(Reply(b'{"data": []}')) as server:
        for url in (server.url, f"{server.url}/select/jaeger"):
            store = stores.of(Source(kind=Kind.VICTORIATRACES, url=url))[Role.TRACES]
            assert isinstance(store, Jaeger)
            store.search(TraceQuery(service="cart"))
        assert all(request.path.startswith("/select/jaeger/api/traces?") for request in server.requests)


# -- Testing a source
def test_a_source_says_its_version_and_what_it_holds() -> None:
    answers = (Reply(b'{"traces": []}'), Reply(b'{"version": "2.9.0"}'))
    with impostor(*answers) as server:
        source = make_source(server.url, kind=Kind.TEMPO)
        assert checks.check(source) == "answers, version 2.9.0, holds traces"
    source.refresh_from_db()
    assert source.answer == "answers, version 2.9.0, holds traces"


def test_a_source_of_both_is_tested_for_both() -> None:
    with impostor(Reply(b'{"data": [{"version": "26.9"}]}')) as server:
        source = make_source(server.url, kind=Kind.CLICKHOUSE, logs_in="logs.lines")
        assert checks.check(source) == "answers, version 26.9, holds traces and log lines"
        assert any(b"`logs`.`lines`" in request.body for request in server.requests)


def test_a_source_without_its_index_says_so() -> None:
    empty = {"timed_out": False, "_shards": {"total": 0}, "hits": {"hits": []}}
    with impostor(Reply(json.dumps(empty).encode())) as server:
        source = make_source(server.url, kind=Kind.ELASTICSEARCH, traces_in="spans-*")
        assert "has no index that matches spans-*" in checks.check(source)


# -- Links
def made(role: Role = Role.TRACES) -> list[str]:
    return [link.url for link in links.of_trace(role, FAILED, "cart & co", SINCE, UNTIL)]


def test_a_template_is_filled_in() -> None:
    make_source(kind=Kind.TEMPO, link="https://g/{trace_id}?from={from}&to={to}&s={service}&at={from_iso}")
    assert made() == [
        f"https://g/{FAILED}?from=1772373600000&to=1772374200000&s=cart%20%26%20co&at=2026-03-01T14%3A00%3A00Z"
    ]


def test_the_json_of_grafana_stays_json_in_an_address() -> None:
    make_source(kind=Kind.TEMPO, link='https://g/explore?panes={"a":{"query":"{trace_id}"}}')
    assert made() == [f"https://g/explore?panes=%7B%22a%22:%7B%22query%22:%22{FAILED}%22%7D%7D"]


def test_jaegers_own_page_needs_no_template() -> None:
    make_source("http://127.0.0.1:16686", kind=Kind.JAEGER)
    assert made() == [f"http://127.0.0.1:16686/trace/{FAILED}"]


def test_a_store_without_a_page_has_no_link_and_a_store_of_lines_none_to_a_trace() -> None:
    make_source(kind=Kind.TEMPO)
    make_source(kind=Kind.LOKI, link="https://g/{trace_id}")
    assert made() == []
    assert made(Role.LOGS) == [f"https://g/{FAILED}"]


def test_names_that_nothing_is_known_for_are_found() -> None:
    assert links.unknown_places('{"a": {"q": "{trace_id} {tenant}"}}') == ["tenant"]


# -- What is remembered of a source that is asked
def test_a_store_that_answers_is_remembered_but_not_at_every_question() -> None:
    with impostor(Reply(b'{"traces": []}')) as server:
        source = make_source(server.url, kind=Kind.TEMPO, last_error="It was down.", last_error_at=SINCE)
        tempo = stores.trace_stores()[1]
        tempo.search(TraceQuery())
        source.refresh_from_db()
        answered = source.last_answered_at
        tempo.search(TraceQuery())
        source.refresh_from_db()
    assert source.last_error == ""
    assert answered is not None
    assert source.last_answered_at == answered


def test_a_store_that_does_not_answer_is_remembered_with_the_reason() -> None:
    with impostor(Reply(b"<html>", kind="text/html")) as server:
        source = make_source(server.url, kind=Kind.LOKI)
        with pytest.raises(StoreError):
            stores.log_stores()[1].search(LogQuery())
    source.refresh_from_db()
    assert "it answered with a web page" in source.last_error


def test_that_fireline_asked_enough_is_no_fault_of_the_store(settings: Settings) -> None:
    settings.STORE_MOST_QUESTIONS = 0
    source = make_source(kind=Kind.TEMPO)
    with pytest.raises(StoreError, match="Fireline stops asking"):
        stores.trace_stores()[1].search(TraceQuery())
    source.refresh_from_db()
    assert source.last_error == ""
