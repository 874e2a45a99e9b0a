"""Tempo's own ways, beyond what every trace store owes."""

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.errors import NotAStore
from connectors.http import Access
from connectors.telemetry import TraceQuery
from connectors.tempo import Tempo, traceql
from tests.connectors.impostor import Impostor, Reply, impostor
from tests.connectors.shop import FAILED, SINCE, UNTIL

LOCAL = ("127.0.0.0/8",)
NO_ROUTE = Reply(b"404 page not found\n", 404, "text/plain")


def reply(answer: object) -> Reply:
    return Reply(json.dumps(answer).encode())


def hit(**more: Any) -> dict[str, Any]:
    return {"traceID": FAILED[1:], "startTimeUnixNano": "1772373780000000000", "durationMs": 820, **more}


def asked(server: Impostor, number: int = 0) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(server.requests[number].path).query).items()}


def search(server: Impostor, **query: Any) -> Any:
    with Tempo(Access(server.url, LOCAL)) as tempo:
        return tempo.search(TraceQuery(since=SINCE, until=UNTIL, **query))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "{ nestedSetParent < 0 || kind = server || kind = consumer }"),
        ({"flow": 'a "b"'}, '{ .user.flow = "a \\"b\\"" } && { nested'),
        ({"service": "pay", "operation": "GET /"}, '{ resource.service.name = "pay" && name = "GET /" } && { nested'),
        ({"attributes": {"http.route": "/x"}}, '{ .http.route = "/x" } && { nested'),
        ({"attributes": {"card type": "debit"}}, '{ ."card type" = "debit" } && { nested'),
        ({"error": True}, "{ status = error } && { nested"),
        ({"min_duration": timedelta(milliseconds=1.5)}, "{ duration >= 1500us } && { nested"),
    ],
)
def test_a_query_is_put_in_traceql(query: dict[str, Any], said: str) -> None:
    assert traceql(TraceQuery(**query)).startswith(said)


def test_a_number_that_was_typed_is_found_as_a_number_and_as_a_text() -> None:
    assert '(.code = "503" || .code = 503)' in traceql(TraceQuery(attributes={"code": "503"}))
    assert "{ .code = 503 }" in traceql(TraceQuery(attributes={"code": 503}))
    assert "{ .cached = true }" in traceql(TraceQuery(attributes={"cached": True}))


def test_a_search_always_has_both_ends_as_tempo_asks_only_its_memory_otherwise() -> None:
    with impostor(reply({"traces": []})) as server:
        with Tempo(Access(server.url, LOCAL)) as tempo:
            tempo.search(TraceQuery(until=UNTIL))
        sent = asked(server)
    assert int(sent["end"]) - int(sent["start"]) == 24 * 3600 + 1


def test_more_is_asked_for_where_hits_are_judged_afterwards_but_never_more_than_allowed() -> None:
    with impostor(reply({"traces": []})) as server:
        search(server, limit=20)
        search(server, limit=20, error=False)
        search(server, limit=400, error=True)
        assert [asked(server, number)["limit"] for number in range(3)] == ["20", "60", "500"]


def test_a_hit_without_its_root_is_told_as_far_as_it_is_known() -> None:
    unknown = hit(
        rootServiceName="<root span not yet received>", serviceStats={"cart": {"spanCount": 2, "errorCount": 1}}
    )
    with impostor(reply({"traces": [unknown]})) as server:
        (found,) = search(server)
    assert (found.trace_id, found.duration_ns, found.span_count, found.error) == (FAILED, 820_000_000, 2, True)


def test_old_servers_answer_one_set_of_spans_only() -> None:
    span = {
        "spanID": "1",
        "durationNanos": "5000000",
        "attributes": [{"key": "nestedSetParent", "value": {"intValue": "-1"}}],
    }
    span["attributes"] += [{"key": "kind", "value": {"stringValue": "server"}}]  # type: ignore[operator]
    with impostor(reply({"traces": [hit(spanSet={"spans": [span]})]})) as server:
        (found,) = search(server)
    assert found.duration_ns == 5_000_000


def test_of_a_trace_with_more_spans_than_are_told_the_beginning_is_not_guessed() -> None:
    said = [{"key": "kind", "value": {"stringValue": "server"}}, {"key": "status", "value": {"stringValue": "error"}}]
    said += [{"key": "user.flow", "value": {"stringValue": "checkout"}}]
    inner = {"spanID": "1", "durationNanos": "5000000", "attributes": said}
    stats = {"gateway": {"spanCount": 200}, "cart": {"spanCount": 100, "errorCount": 90}}
    cut = hit(rootServiceName="gateway", serviceStats=stats, spanSets=[{"spans": [inner], "matched": 150}])
    with impostor(reply({"traces": [cut]})) as server:
        (found,) = search(server)
    assert (found.service, found.duration_ns, found.error, found.span_count) == ("gateway", 820_000_000, False, 300)


def test_nothing_found_may_leave_the_list_out() -> None:
    with impostor(reply({"metrics": {}})) as server:
        assert search(server) == []


def test_ids_come_in_base64_or_in_hex() -> None:
    for encoded in (base64.b64encode(bytes.fromhex(FAILED)).decode(), FAILED.upper()):
        span = {"traceId": encoded, "spanId": "00f067aa0ba902b7", "startTimeUnixNano": "5", "endTimeUnixNano": "9"}
        answer = {"trace": {"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": [span]}]}]}}
        with impostor(reply(answer)) as server, Tempo(Access(server.url, LOCAL)) as tempo:
            (found,) = tempo.trace(FAILED)
        assert (found.trace_id, found.service, found.duration_ns) == (FAILED, "unknown", 4)


def test_a_server_without_the_second_version_is_asked_by_the_first_from_then_on() -> None:
    with impostor(NO_ROUTE, Reply(b"", 404, "text/plain")) as server, Tempo(Access(server.url, LOCAL)) as tempo:
        assert tempo.trace(FAILED) == []
        assert tempo.trace(FAILED) == []
        paths = [request.path for request in server.requests]
    assert paths == [f"/api/v2/traces/{FAILED}", f"/api/traces/{FAILED}", f"/api/traces/{FAILED}"]


@pytest.mark.parametrize("answer", [NO_ROUTE, Reply(b"<html>Not found</html>", 404, "text/html")])
def test_a_wrong_path_is_no_unknown_trace(answer: Reply) -> None:
    wrong = pytest.raises(NotAStore, match="Check its path")
    with impostor(answer) as server, Tempo(Access(server.url, LOCAL)) as tempo, wrong:
        tempo.trace(FAILED)


def test_counts_by_attribute_are_of_roots_or_of_the_named_services_requests() -> None:
    with impostor(reply({"series": []})) as server, Tempo(Access(server.url, LOCAL)) as tempo:
        tempo.count_by(TraceQuery(flow="checkout", error=False, since=SINCE, until=UNTIL), "region")
        tempo.count_by(TraceQuery(service="cart", since=SINCE, until=UNTIL), "service.version")
        first, second = asked(server)["q"], asked(server, 1)["q"]
    assert "nestedSetParent < 0 && .region != nil" in first
    assert "status != error" in first
    assert first.endswith("by (.region)")
    assert 'resource.service.name = "cart" && kind = server' in second


def test_it_says_its_version_where_it_has_one() -> None:
    with (
        impostor(reply({"traces": []}), reply({"version": "2.9.0"})) as server,
        Tempo(Access(server.url, LOCAL)) as tempo,
    ):
        assert tempo.probe() == "2.9.0"
    with impostor(reply({"traces": []}), NO_ROUTE) as server, Tempo(Access(server.url, LOCAL)) as tempo:
        assert tempo.probe() == ""
