"""The ways of Elasticsearch and OpenSearch, beyond what every store owes."""

import json
from typing import Any

import pytest

from connectors import documents
from connectors.elasticsearch import TRACES_AT_ONCE, ElasticsearchLogs, ElasticsearchTraces
from connectors.errors import Refused, TimedOut, TooMuch
from connectors.http import Access
from connectors.telemetry import LogQuery, TraceQuery
from tests.connectors.impostor import Reply, impostor
from tests.connectors.shop import FAILED, SINCE, UNTIL

LOCAL = ("127.0.0.0/8",)


def found(*documents: dict[str, Any], **more: Any) -> Reply:
    hits = [{"_source": document} for document in documents]
    answer = {"timed_out": False, "_shards": {"total": 1, "failed": 0}, "hits": {"hits": hits}} | more
    return Reply(json.dumps(answer).encode())


def lines(*documents: dict[str, Any], **query: Any) -> Any:
    with impostor(found(*documents)) as server, ElasticsearchLogs(Access(server.url, LOCAL)) as store:
        return store.search(LogQuery(since=SINCE, until=UNTIL, **query))


def spans(*documents: dict[str, Any]) -> Any:
    with impostor(found(*documents)) as server, ElasticsearchTraces(Access(server.url, LOCAL)) as store:
        return store.trace(FAILED)


def test_a_line_of_ecs_is_read() -> None:
    document = {
        "@timestamp": "2026-03-01T14:00:00.250Z",
        "message": "no",
        "log": {"level": "warn", "logger": "cart"},
        "service.name": "cart",
        "trace": {"id": FAILED},
        "labels": {"user_flow": "checkout", "region": "eu"},
    }
    (line,) = lines(document)
    assert (line.body, line.severity, line.service, line.trace_id) == ("no", 13, "cart", FAILED)
    assert line.attributes == {"user.flow": "checkout", "region": "eu"}


def test_a_transaction_and_a_span_of_apm_are_read() -> None:
    common = {"trace": {"id": FAILED}, "@timestamp": "2026-03-01T14:00:00Z", "service": {"name": "cart"}}
    transaction = {"transaction": {"id": "00f067aa0ba902b7", "name": "GET /", "duration": {"us": 5}}}
    transaction |= {"processor": {"event": "transaction"}, "event": {"outcome": "failure"}}
    call = {"span": {"id": "a1b2c3d4e5f60718", "name": "GET db", "type": "db", "duration": {"us": 3}}}
    call |= {"parent": {"id": "00f067aa0ba902b7"}, "transaction": {"id": "00f067aa0ba902b7"}}
    first, second = sorted(spans(common | transaction, common | call), key=lambda span: span.name)
    assert (first.kind, first.status, first.duration_ns) == ("server", "error", 5000)
    assert (second.kind, second.parent_id, second.duration_ns) == ("client", first.span_id, 3000)


def test_log_lines_in_an_index_of_spans_are_left_out() -> None:
    assert spans({"@timestamp": "2026-03-01T14:00:00Z", "trace_id": FAILED, "body": {"text": "no"}}) == []


@pytest.mark.parametrize("moment", ["2026-03-01T14:00:00.123456789Z", "1772373600123.456789"])
def test_a_time_is_a_date_or_milliseconds(moment: str) -> None:
    assert documents.time_ns(moment) == 1772373600123456789


def test_nested_and_dotted_names_are_the_same() -> None:
    assert documents.flat({"a": {"b.c": 1, "d": {"e": 2}}}) == {"a.b.c": 1, "a.d.e": 2}


def test_words_that_merely_stand_in_order_are_no_match() -> None:
    document = {"@timestamp": "2026-03-01T14:00:00Z", "message": "timed, out"}
    assert lines(document, text="timed out") == []


def test_a_search_that_was_given_up_is_no_answer() -> None:
    given_up = pytest.raises(TimedOut, match="did not search everything")
    with impostor(found(timed_out=True)) as server, ElasticsearchLogs(Access(server.url, LOCAL)) as store, given_up:
        store.search(LogQuery())


def test_an_index_that_nobody_has_is_said() -> None:
    empty = found(_shards={"total": 0, "failed": 0})
    refused = pytest.raises(Refused, match=r"no index that matches spans-\*")
    with impostor(empty) as server, ElasticsearchTraces(Access(server.url, LOCAL), "spans-*") as store, refused:
        store.probe()


def test_its_own_errors_are_told_by_their_cause() -> None:
    cause = {"type": "illegal_argument_exception", "reason": "Result window is too large"}
    error = {"type": "search_phase_execution_exception", "reason": "all shards failed", "root_cause": [cause]}
    reply = Reply(json.dumps({"error": error, "status": 400}).encode(), 400)
    too_much = pytest.raises(TooMuch, match="illegal_argument_exception: Result window is too large")
    with impostor(reply) as server, ElasticsearchLogs(Access(server.url, LOCAL)) as store, too_much:
        store.search(LogQuery())


@pytest.mark.parametrize(("distribution", "said"), [(None, "9.1.0"), ("opensearch", "OpenSearch 9.1.0")])
def test_it_says_which_of_the_two_it_is(distribution: str | None, said: str) -> None:
    version = {"number": "9.1.0"} | ({"distribution": distribution} if distribution else {})
    root = Reply(json.dumps({"version": version}).encode())
    with impostor(found(), root) as server, ElasticsearchLogs(Access(server.url, LOCAL)) as store:
        assert store.probe() == said


def test_who_may_read_an_index_only_is_served_too() -> None:
    with impostor(found(), Reply(b"{}", 403)) as server, ElasticsearchLogs(Access(server.url, LOCAL)) as store:
        assert store.probe() == ""


def test_spans_of_many_traces_are_asked_for_in_parts() -> None:
    ids = [{"trace_id": f"{number + 1:032x}"} for number in range(TRACES_AT_ONCE + 1)]
    with impostor(found(*ids), found()) as server, ElasticsearchTraces(Access(server.url, LOCAL)) as store:
        assert store.search(TraceQuery(since=SINCE, until=UNTIL, limit=100)) == []
        assert len(server.requests) == 3


def test_a_named_index_is_the_one_that_is_asked() -> None:
    with impostor(found()) as server, ElasticsearchLogs(Access(server.url, LOCAL), "shop-*") as store:
        store.search(LogQuery())
        assert server.requests[0].path.startswith("/shop-*/_search?")
