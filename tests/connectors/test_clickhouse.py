"""ClickHouse's own ways, beyond what every store owes."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.clickhouse import IDS_AT_ONCE, ClickHouseLogs, ClickHouseTraces
from connectors.errors import NotAStore, Refused, StoreError, TimedOut, TooMuch
from connectors.http import Access, Bounds
from connectors.telemetry import LogQuery, TraceQuery
from tests.connectors.impostor import Impostor, Reply, impostor
from tests.connectors.shop import FAILED, SINCE, UNTIL

LOCAL = ("127.0.0.0/8",)
NOTHING = Reply(b'{"meta": [], "data": [], "rows": 0}')


def exception(code: int, message: str, status: int = 500) -> Reply:
    return Reply(f"Code: {code}. DB::Exception: {message}".encode(), status, "text/plain")


def sent(server: Impostor, number: int = 0) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(server.requests[number].path).query).items()}


def search(server: Impostor, table: str = "", **query: Any) -> Any:
    with ClickHouseTraces(Access(server.url, LOCAL), table) as store:
        return store.search(TraceQuery(since=SINCE, until=UNTIL, **query))


def test_values_travel_beside_the_query_not_in_it() -> None:
    evil = "'; DROP TABLE otel_traces; --"
    with impostor(NOTHING) as server:
        search(server, flow=evil, service=evil, operation=evil, attributes={evil: evil})
        body, values = server.requests[0].body.decode(), sent(server)
    assert "DROP" not in body
    assert {values[f"param_{name}"] for name in ("flow", "service", "operation", "name0", "value0")} == {evil}


def test_ids_and_words_in_lists_cannot_leave_them() -> None:
    with impostor(NOTHING) as server, ClickHouseLogs(Access(server.url, LOCAL)) as store:
        store.lines_of([FAILED, "', 'x"], since=SINCE, until=UNTIL)
        assert sent(server)["param_ids"] == f"['{FAILED}']"


@pytest.mark.parametrize("table", ["otel_traces; DROP", "a.b.c", "`x`", "1st", "otel traces"])
def test_a_table_that_is_none_is_refused_before_anything_is_asked(table: str) -> None:
    with impostor(NOTHING) as server:
        with pytest.raises(Refused, match="is no name of a table"):
            search(server, table)
        assert server.requests == []


def test_a_table_may_be_in_another_database() -> None:
    with impostor(NOTHING) as server:
        search(server, "otel.spans")
        assert "FROM `otel`.`spans` WHERE" in server.requests[0].body.decode()


def test_the_store_is_told_when_nobody_waits_any_more() -> None:
    with impostor(NOTHING) as server:
        search(server)
        assert (sent(server)["max_execution_time"], sent(server)["wait_end_of_query"]) == ("10", "1")


def test_a_user_who_may_not_set_a_time_limit_asks_without() -> None:
    readonly = exception(164, "Cannot modify 'max_execution_time' setting in readonly mode. (READONLY)")
    with impostor(readonly, NOTHING) as server:
        assert search(server) == []
        assert "max_execution_time" not in sent(server, 1)


@pytest.mark.parametrize(
    ("reply", "error", "words"),
    [
        (exception(60, "Table default.otel_traces does not exist. (UNKNOWN_TABLE)", 404), Refused, "does not exist"),
        (exception(47, "Unknown identifier `SpanName`. (UNKNOWN_IDENTIFIER)", 404), Refused, "Unknown identifier"),
        (exception(159, "Timeout exceeded: elapsed 10.1 seconds. (TIMEOUT_EXCEEDED)"), TimedOut, "gave up"),
        (exception(241, "Memory limit (for query) exceeded. (MEMORY_LIMIT_EXCEEDED)"), TooMuch, "too much"),
        (exception(516, "default: Authentication failed. (AUTHENTICATION_FAILED)", 403), Refused, "credentials"),
        (Reply(b'{"data": [], "exception": "Code: 159"}'), Refused, "Code: 159"),
        (Reply(b"Ok.\n", kind="text/plain"), NotAStore, "is not ClickHouse"),
    ],
)
def test_its_errors_are_told_by_what_they_mean(reply: Reply, error: type[StoreError], words: str) -> None:
    with impostor(reply) as server, pytest.raises(error, match=words):
        search(server)


def test_whole_numbers_may_come_as_texts() -> None:
    row = {"trace_id": FAILED, "flow": "", "service": "cart", "name": "GET", "start_ns": "5", "duration_ns": "7"}
    answer = {"data": [row | {"failed": 1, "span_count": "2"}]}
    with impostor(Reply(json.dumps(answer).encode())) as server:
        (hit,) = search(server)
    assert (hit.start_ns, hit.duration_ns, hit.error, hit.span_count) == (5, 7, True, 2)


def test_spans_of_older_exporters_are_read_too() -> None:
    row = {
        "TraceId": FAILED,
        "SpanId": "00f067aa0ba902b7",
        "ParentSpanId": "",
        "ServiceName": "",
        "SpanName": "GET",
        "SpanKind": "SPAN_KIND_CLIENT",
        "start_ns": 1,
        "Duration": 2,
        "StatusCode": "STATUS_CODE_ERROR",
        "StatusMessage": "",
        "SpanAttributes": {},
        "ResourceAttributes": {},
        "event_ns": [],
        "event_names": [],
        "event_attributes": [],
    }
    answer = Reply(json.dumps({"data": [row]}).encode())
    with impostor(answer) as server, ClickHouseTraces(Access(server.url, LOCAL)) as store:
        (span,) = store.trace(FAILED)
    assert (span.kind, span.status, span.service) == ("client", "error", "unknown")


def test_many_traces_lines_are_asked_for_in_parts() -> None:
    with impostor(NOTHING) as server, ClickHouseLogs(Access(server.url, LOCAL)) as store:
        store.lines_of([f"{number + 1:032x}" for number in range(IDS_AT_ONCE + 1)])
        assert len(server.requests) == 2


def test_no_more_lines_are_asked_for_than_allowed() -> None:
    with impostor(NOTHING) as server, ClickHouseLogs(Access(server.url, LOCAL, bounds=Bounds(lines=7))) as store:
        store.search(LogQuery(since=SINCE, until=UNTIL, limit=500))
        assert server.requests[0].body.decode().endswith("LIMIT 7")


def test_a_missing_table_is_found_when_the_source_is_tested() -> None:
    missing, refused = (
        exception(60, "Table default.logs does not exist", 404),
        pytest.raises(Refused, match="not exist"),
    )
    with impostor(missing) as server, ClickHouseLogs(Access(server.url, LOCAL), "logs") as store, refused:
        store.probe()
