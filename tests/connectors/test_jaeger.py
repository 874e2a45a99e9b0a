"""Jaeger's own ways, and those of what answers its API."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.errors import NotAStore
from connectors.http import Access
from connectors.jaeger import MOST_SERVICES, Jaeger
from connectors.telemetry import TraceQuery
from tests.connectors.impostor import Impostor, Reply, impostor
from tests.connectors.shop import FAILED, SINCE, UNTIL

LOCAL = ("127.0.0.0/8",)
NOTHING = Reply(b'{"data": []}')


def asked(server: Impostor) -> list[dict[str, str]]:
    addresses = [urlsplit(request.path) for request in server.requests]
    return [
        {name: values[0] for name, values in parse_qs(address.query).items()}
        for address in addresses
        if address.path.endswith("/traces")
    ]


def search(server: Impostor, **query: Any) -> Any:
    with Jaeger(Access(server.url, LOCAL)) as jaeger:
        return jaeger.search(TraceQuery(since=SINCE, until=UNTIL, **query))


def span(**more: Any) -> dict[str, Any]:
    return {"traceID": "abc", "spanID": "1f", "operationName": "GET /", "startTime": 1, "duration": 2, **more}


def read(*spans: dict[str, Any], process: dict[str, Any] | None = None) -> Any:
    data = {"data": [{"traceID": "abc", "spans": list(spans), "processes": {"p1": process or {"serviceName": "cart"}}}]}
    with impostor(Reply(json.dumps(data).encode())) as server, Jaeger(Access(server.url, LOCAL)) as jaeger:
        return jaeger.trace("abc")


def test_without_a_service_the_services_are_asked_one_after_the_other_but_not_all() -> None:
    services = Reply(json.dumps({"data": [f"s{number:03}" for number in range(100)]}).encode())
    with impostor(services, NOTHING) as server:
        assert search(server, flow="checkout") == []
        sent = asked(server)
    assert len(sent) == MOST_SERVICES
    assert {json.loads(one["tags"])["user.flow"] for one in sent} == {"checkout"}


def test_a_named_service_is_asked_twice_when_the_outcome_may_be_anothers() -> None:
    with impostor(NOTHING) as server:
        search(server, service="cart", error=True)
        first, second = asked(server)
    assert json.loads(first["tags"]) == {"error": "true"}
    assert "tags" not in second


def test_times_are_microseconds() -> None:
    with impostor(NOTHING) as server:
        search(server, service="cart")
        (sent,) = asked(server)
    assert int(sent["start"]) == int(SINCE.timestamp()) * 1_000_000


def test_short_ids_are_filled_up() -> None:
    (found,) = read(span(processID="p1"))
    assert (found.trace_id, found.span_id) == ("abc".zfill(32), "1f".zfill(16))


@pytest.mark.parametrize(
    ("tags", "status"),
    [
        ([], "unset"),
        ([{"key": "error", "type": "bool", "value": True}], "error"),
        ([{"key": "error", "type": "string", "value": "true"}], "error"),
        ([{"key": "error", "type": "bool", "value": "true"}], "error"),
        ([{"key": "error", "type": "bool", "value": False}], "unset"),
        ([{"key": "error", "type": "string", "value": "unset"}], "unset"),
        ([{"key": "otel.status_code", "type": "string", "value": "OK"}], "ok"),
        ([{"key": "otel.status_code", "type": "string", "value": "ERROR"}], "error"),
    ],
)
def test_a_failure_is_told_in_many_ways(tags: list[Any], status: str) -> None:
    (found,) = read(span(processID="p1", tags=tags))
    assert found.status == status


def test_a_number_that_came_as_a_text_is_a_number_where_its_type_says_so() -> None:
    tags = [{"key": "code", "type": "int64", "value": "503"}, {"key": "zip", "type": "string", "value": "0503"}]
    (found,) = read(span(processID="p1", tags=tags))
    assert found.attributes == {"code": 503, "zip": "0503"}


def test_a_link_to_another_trace_is_no_parent() -> None:
    references = [
        {"refType": "FOLLOWS_FROM", "traceID": "abc", "spanID": "2"},
        {"refType": "CHILD_OF", "traceID": "def", "spanID": "3"},
        {"refType": "CHILD_OF", "traceID": "abc", "spanID": "4"},
    ]
    (found,) = read(span(processID="p1", references=references))
    assert found.parent_id == "4".zfill(16)


def test_a_span_whose_process_is_missing_is_read_all_the_same() -> None:
    (found,) = read(span(processID="gone"))
    assert found.service == "unknown"


def test_an_event_has_the_name_that_its_fields_say() -> None:
    fields = [{"key": "event", "value": "retry"}, {"key": "attempt", "type": "int64", "value": 2}]
    (found,) = read(span(processID="p1", logs=[{"timestamp": 7, "fields": fields}]))
    assert [(event.at_ns, event.name, event.attributes) for event in found.events] == [(7000, "retry", {"attempt": 2})]


def test_a_wrong_path_is_no_unknown_trace() -> None:
    with (
        impostor(Reply(b"404 page not found", 404, "text/plain")) as server,
        Jaeger(Access(server.url, LOCAL)) as jaeger,
        pytest.raises(NotAStore, match="Check its path"),
    ):
        jaeger.trace(FAILED)
