"""What every store of traces and logs owes: the same questions get the same answers, whatever the store is.

The embedded store is live. The others answer from tests/data/stores, which says how each recording came to be.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from connectors.clickhouse import ClickHouseLogs, ClickHouseTraces
from connectors.elasticsearch import ElasticsearchLogs, ElasticsearchTraces
from connectors.errors import NotAStore, Refused, StoreError, TimedOut, TooMuch, Unreachable
from connectors.http import Access, Bounds
from connectors.jaeger import Jaeger
from connectors.loki import Loki
from connectors.telemetry import (
    CountsLogs,
    CountsTraces,
    LogQuery,
    LogStore,
    Span,
    TraceQuery,
    TraceStore,
)
from connectors.tempo import Tempo
from connectors.victorialogs import VictoriaLogs
from telemetry.store import EmbeddedLogs, EmbeddedTraces, record_logs, record_spans
from tests.connectors import shop
from tests.connectors.impostor import Reply, impostor
from tests.connectors.recording import recorded
from tests.connectors.shop import FAILED, HEALTHY, RETRIED, SINCE, UNKNOWN, UNTIL, at
from tests.servers import free_port

LOCAL = ("127.0.0.0/8",)
TRACES: dict[str, Callable[[Access], Any]] = {
    "tempo": Tempo,
    "tempo-v1": Tempo,
    "jaeger": Jaeger,
    "victoriatraces": Jaeger,
    "elasticsearch": lambda access: ElasticsearchTraces(access, events="logs-*"),
    "opensearch": lambda access: ElasticsearchTraces(access, "otel-v1-apm-span-*"),
    "clickhouse": ClickHouseTraces,
}
LOGS: dict[str, Callable[[Access], Any]] = {
    "loki": Loki,
    "loki-mixed": Loki,
    "victorialogs": VictoriaLogs,
    "elasticsearch": ElasticsearchLogs,
    "opensearch": ElasticsearchLogs,
    "clickhouse": ClickHouseLogs,
}
# Where the API is not at the root.
PREFIXES = {"victoriatraces": "/select/jaeger"}


@pytest.fixture(params=["embedded", *TRACES])
def traces(request: pytest.FixtureRequest) -> Iterator[TraceStore]:
    if request.param == "embedded":
        request.getfixturevalue("db")
        record_spans(shop.SPANS, UNTIL)
        yield EmbeddedTraces()
        return
    with recorded(request.param) as server:
        url = server.url + PREFIXES.get(request.param, "")
        with TRACES[request.param](Access(url, LOCAL)) as store:
            yield store


@pytest.fixture(params=["embedded", *LOGS])
def logs(request: pytest.FixtureRequest) -> Iterator[LogStore]:
    if request.param == "embedded":
        request.getfixturevalue("db")
        record_logs(shop.LINES)
        yield EmbeddedLogs()
        return
    with recorded(request.param) as server, LOGS[request.param](Access(server.url, LOCAL)) as store:
        yield store


pytestmark = pytest.mark.django_db(databases="__all__")


def found(store: TraceStore, **asked: Any) -> list[str]:
    return [hit.trace_id for hit in store.search(TraceQuery(since=SINCE, until=asked.pop("until", UNTIL), **asked))]


def said(store: LogStore, **asked: Any) -> list[str]:
    return [line.body for line in store.search(LogQuery(since=SINCE, until=UNTIL, **asked))]


def plain(span: Span) -> Span:
    """What every store keeps of a span; a few keep the values of attributes as texts."""
    known = {name: str(value) for name, value in span.attributes.items()}
    kept = {"service.name": str(span.resource["service.name"])}
    events = tuple(replace(event, attributes=dict(event.attributes)) for event in span.events)
    return replace(span, attributes=known, resource=kept, events=events)


class TestTraces:
    def test_a_trace_comes_back_whole_with_its_parents_failures_and_events(self, traces: TraceStore) -> None:
        assert [plain(span) for span in traces.trace(FAILED)] == [plain(span) for span in shop.spans_of(FAILED)]

    def test_its_id_may_be_in_capitals(self, traces: TraceStore) -> None:
        assert len(traces.trace(FAILED.upper())) == 3

    def test_an_unknown_trace_is_empty(self, traces: TraceStore) -> None:
        assert list(traces.trace(UNKNOWN)) == []

    def test_what_cannot_be_a_trace_id_is_not_asked_for(self, traces: TraceStore) -> None:
        assert list(traces.trace("../no trace")) == []

    def test_a_flows_requests_are_found_newest_first(self, traces: TraceStore) -> None:
        assert found(traces, flow="checkout") == [FAILED, HEALTHY]

    def test_a_hit_says_how_the_request_went_for_its_caller(self, traces: TraceStore) -> None:
        hit = traces.search(TraceQuery(flow="checkout", since=SINCE, until=UNTIL))[0]
        assert (hit.flow, hit.service, hit.name) == ("checkout", "gateway", "POST /checkout")
        assert (hit.start_ns, hit.duration_ns, hit.error) == (at("14:03:00"), shop.ms(820), True)
        assert hit.span_count == 3

    def test_failed_requests_are_those_that_failed_for_their_caller(self, traces: TraceStore) -> None:
        assert found(traces, error=True) == [FAILED]
        assert found(traces, flow="login", error=True) == []

    def test_a_retried_call_does_not_make_a_request_fail(self, traces: TraceStore) -> None:
        assert found(traces, error=False) == [HEALTHY, RETRIED]

    def test_a_service_anywhere_in_the_trace_counts(self, traces: TraceStore) -> None:
        assert found(traces, service="payment") == [FAILED, HEALTHY]
        assert found(traces, service="payment", error=True) == [FAILED]

    def test_an_operation_with_an_attribute_selects_too(self, traces: TraceStore) -> None:
        chosen = {"payment.method": "invoice"}
        assert found(traces, service="payment", operation="POST /authorize", attributes=chosen) == [HEALTHY]

    def test_slow_requests_come_slowest_first(self, traces: TraceStore) -> None:
        slow = timedelta(milliseconds=500)
        assert found(traces, min_duration=slow, slowest_first=True) == [RETRIED, FAILED]

    def test_quick_requests_are_found_as_well(self, traces: TraceStore) -> None:
        assert found(traces, flow="checkout", max_duration=timedelta(milliseconds=500)) == [HEALTHY]

    def test_a_search_keeps_to_its_time(self, traces: TraceStore) -> None:
        assert found(traces, until=SINCE + timedelta(minutes=2, seconds=15)) == [RETRIED]

    def test_a_flow_that_nobody_knows_has_no_requests(self, traces: TraceStore) -> None:
        assert found(traces, flow='no "such" flow') == []

    def test_requests_are_counted_by_an_attribute_where_the_store_can(self, traces: TraceStore) -> None:
        if not isinstance(traces, CountsTraces):
            assert isinstance(traces, Jaeger), "only Jaeger's API has nothing to count by"
            return
        query = TraceQuery(flow="checkout", since=SINCE, until=UNTIL)
        assert traces.count_by(query, "payment.method") == {"card": 1, "invoice": 1}
        assert traces.count_by(replace(query, error=True), "payment.method") == {"card": 1}


class TestLogs:
    def test_the_lines_of_a_request_come_oldest_first(self, logs: LogStore) -> None:
        lines = logs.lines_of([FAILED, HEALTHY], since=SINCE, until=UNTIL)
        assert [line.body for line in lines] == [line.body for line in shop.LINES[1:]]

    def test_a_line_says_when_what_how_badly_and_of_which_span(self, logs: LogStore) -> None:
        line = logs.lines_of([FAILED], since=SINCE, until=UNTIL)[0]
        known = shop.LINES[2]
        assert (line.at_ns, line.level, line.service) == (known.at_ns, "error", "payment")
        assert (line.trace_id, line.span_id, line.body) == (FAILED, known.span_id, known.body)

    def test_only_so_many_lines_are_answered(self, logs: LogStore) -> None:
        assert len(logs.lines_of([FAILED, HEALTHY], limit=2, since=SINCE, until=UNTIL)) == 2

    def test_an_unknown_trace_has_no_lines(self, logs: LogStore) -> None:
        assert list(logs.lines_of([UNKNOWN], since=SINCE, until=UNTIL)) == []

    def test_no_trace_has_no_lines(self, logs: LogStore) -> None:
        assert list(logs.lines_of([])) == []
        assert list(logs.lines_of(["no trace"])) == []

    def test_a_search_answers_the_newest_first(self, logs: LogStore) -> None:
        assert said(logs) == [line.body for line in reversed(shop.LINES)]

    def test_a_service_says_its_own_lines(self, logs: LogStore) -> None:
        assert said(logs, service="gateway") == ["answering 503 [checkout]", "configuration read"]

    def test_severe_lines_are_those_from_a_severity_on(self, logs: LogStore) -> None:
        assert said(logs, min_severity=13) == [line.body for line in reversed(shop.LINES[2:])]

    def test_a_text_is_found_whatever_its_case(self, logs: LogStore) -> None:
        assert said(logs, text="TIMED OUT") == [shop.LINES[2].body]

    def test_a_text_is_no_pattern(self, logs: LogStore) -> None:
        assert said(logs, text="503 [checkout]") == [shop.LINES[3].body]

    def test_a_flow_and_an_attribute_select_lines(self, logs: LogStore) -> None:
        assert said(logs, flow="checkout", attributes={"provider": "provider-b"}) == [shop.LINES[2].body]

    def test_a_traces_lines_can_be_searched_too(self, logs: LogStore) -> None:
        assert said(logs, trace_id=FAILED, min_severity=17) == [shop.LINES[2].body]

    def test_lines_are_counted_over_time_where_the_store_can(self, logs: LogStore) -> None:
        assert isinstance(logs, CountsLogs)
        query = LogQuery(since=SINCE + shop.minutes(1), until=SINCE + timedelta(minutes=4, seconds=20))
        counts = logs.counts(query, shop.minutes(1))
        assert [(count.at.minute, count.lines) for count in counts] == [(1, 1), (2, 1), (3, 2), (4, 0)]


# -- What goes wrong is a sentence, whichever store it is
CONNECTORS = (
    Tempo,
    Jaeger,
    Loki,
    VictoriaLogs,
    ElasticsearchTraces,
    ElasticsearchLogs,
    ClickHouseTraces,
    ClickHouseLogs,
)
REMOTE: dict[str, Callable[[Access], Any]] = {store.__name__: store for store in CONNECTORS}


@pytest.fixture(params=REMOTE)
def connector(request: pytest.FixtureRequest) -> Callable[[Access], Any]:
    return REMOTE[request.param]


def ask(store: Any) -> object:
    if isinstance(store, TraceStore):
        return store.search(TraceQuery(service="payment", since=SINCE, until=UNTIL))
    return store.search(LogQuery(since=SINCE, until=UNTIL))


def fault(connector: Callable[[Access], Any], reply: Reply, **access: Any) -> StoreError:
    """What asking a server says that answers `reply`."""
    with impostor(reply) as server, connector(Access(server.url, LOCAL, **access)) as store:
        with pytest.raises(StoreError) as caught:
            ask(store)
        assert "127.0.0.1" in str(caught.value)
        assert str(caught.value).endswith((".", "?"))
        return caught.value


class TestFaults:
    def test_a_store_that_is_down(self, connector: Callable[[Access], Any]) -> None:
        nowhere = connector(Access(f"http://127.0.0.1:{free_port()}", LOCAL))
        with nowhere as store, pytest.raises(Unreachable, match="nothing listens there"):
            ask(store)

    def test_a_store_that_is_slow(self, connector: Callable[[Access], Any]) -> None:
        error = fault(connector, Reply(silent=True), timeout=timedelta(seconds=0.2))
        assert isinstance(error, TimedOut)

    def test_an_answer_that_trickles(self, connector: Callable[[Access], Any]) -> None:
        error = fault(connector, Reply(b"{", trickle=True), timeout=timedelta(seconds=0.3))
        assert isinstance(error, TimedOut)

    def test_a_web_page(self, connector: Callable[[Access], Any]) -> None:
        error = fault(connector, Reply(b"<html>Welcome</html>", kind="text/html"))
        assert isinstance(error, NotAStore)
        assert "web page" in str(error)

    def test_a_sign_in_page_elsewhere(self, connector: Callable[[Access], Any]) -> None:
        error = fault(connector, Reply(status=302, headers={"Location": "https://login.example/secret"}))
        assert isinstance(error, NotAStore)
        assert "secret" not in str(error)

    def test_another_products_json(self, connector: Callable[[Access], Any]) -> None:
        assert isinstance(fault(connector, Reply(b'{"hello": "world"}')), NotAStore)

    def test_a_wrong_path(self, connector: Callable[[Access], Any]) -> None:
        error = fault(connector, Reply(b"404 page not found", 404, "text/plain"))
        assert isinstance(error, NotAStore)
        assert "Check its path" in str(error)

    @pytest.mark.parametrize("status", [401, 403])
    def test_wrong_credentials(self, connector: Callable[[Access], Any], status: int) -> None:
        error = fault(connector, Reply(b"no org id", status, "text/plain"))
        assert isinstance(error, Refused)
        assert "credentials" in str(error)

    def test_a_store_with_a_fault_of_its_own(self, connector: Callable[[Access], Any]) -> None:
        error = fault(connector, Reply(b"compactor ring is empty", 500, "text/plain"))
        assert isinstance(error, Unreachable)
        assert "compactor ring is empty" in str(error)

    def test_a_store_that_gave_up(self, connector: Callable[[Access], Any]) -> None:
        assert isinstance(fault(connector, Reply(b"context deadline exceeded", 500, "text/plain")), TimedOut)

    def test_a_question_that_is_too_big(self, connector: Callable[[Access], Any]) -> None:
        error = fault(connector, Reply(b"the query time range exceeds the limit (31d)", 400, "text/plain"))
        assert isinstance(error, TooMuch)

    def test_a_question_that_is_refused(self, connector: Callable[[Access], Any]) -> None:
        error = fault(connector, Reply(b"parse error at line 1", 400, "text/plain"))
        assert isinstance(error, Refused)
        assert "parse error at line 1" in str(error)

    def test_a_store_that_asks_for_patience(self, connector: Callable[[Access], Any]) -> None:
        assert isinstance(fault(connector, Reply(b"too many outstanding requests", 429, "text/plain")), Unreachable)

    def test_an_answer_that_is_cut_off(self, connector: Callable[[Access], Any]) -> None:
        assert isinstance(fault(connector, Reply(b'{"data":', cut=True)), Unreachable)

    def test_an_answer_that_is_too_big(self, connector: Callable[[Access], Any]) -> None:
        error = fault(connector, Reply(b"{" + b" " * 3_000_000), bounds=Bounds(size=1_000_000))
        assert isinstance(error, TooMuch)

    def test_a_store_that_was_asked_enough_is_left_alone(self, connector: Callable[[Access], Any]) -> None:
        with (
            impostor(Reply(b"", 500)) as server,
            connector(Access(server.url, LOCAL, bounds=Bounds(questions=2))) as store,
        ):
            for _ in range(2):
                with pytest.raises(Unreachable):
                    ask(store)
            with pytest.raises(TooMuch, match="Questions so far: 2"):
                ask(store)
            assert len(server.requests) == 2

    def test_an_internal_address_is_not_asked(self, connector: Callable[[Access], Any]) -> None:
        with impostor(Reply(b"{}")) as server, connector(Access(server.url)) as store:
            with pytest.raises(StoreError, match="is an internal address"):
                ask(store)
            assert server.requests == []

    def test_credentials_and_headers_are_sent(self, connector: Callable[[Access], Any]) -> None:
        with impostor(Reply(b"", 500)) as server:
            access = Access(server.url, LOCAL, headers={"X-Scope-OrgID": " shop "}, token="secret")
            with connector(access) as store, pytest.raises(Unreachable):
                ask(store)
            sent = server.requests[0].headers
        assert (sent["X-Scope-OrgID"], sent["Authorization"]) == ("shop", "Bearer secret")
