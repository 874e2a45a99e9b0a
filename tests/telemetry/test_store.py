"""The embedded store gives back what was sent, once, and knows each trace as a whole."""

import itertools
from datetime import timedelta

import pytest
from django.db import OperationalError, connections

from connectors.errors import Unreachable
from connectors.telemetry import LogQuery, SpanEvent, TraceQuery, to_ns
from telemetry.models import StoredLog, StoredSpan, StoredTrace
from telemetry.router import database
from telemetry.store import EmbeddedLogs, EmbeddedTraces, full_trace_id, record_logs, record_spans
from tests.telemetry.spans import MS, NOW, make_line, make_span, trace_id

pytestmark = pytest.mark.django_db(databases="__all__")

FLOW = {"user.flow": "checkout"}


def found(**query):
    """The numbers of the traces that a search finds, in its order."""
    return [int(hit.trace_id, 16) for hit in EmbeddedTraces().search(TraceQuery(**query))]


def lines(**query):
    return [line.body for line in EmbeddedLogs().search(LogQuery(**query))]


# -- Spans -----------------------------------------------------------------------------------------------------


def test_a_span_comes_back_as_it_was_sent():
    span = make_span(
        parent=7,
        status="error",
        status_message="declined",
        attributes={"n": 2**63 - 1, "text": "ä😀\x1b<b>", "list": [1, None]},
        resource={"service.version": "2.4.1"},
        events=(SpanEvent(5, "exception", {"exception.type": "E"}),),
    )
    record_spans([span], NOW)
    assert EmbeddedTraces().trace(span.trace_id) == [span]


def test_spans_come_back_by_start():
    record_spans([make_span(span_id=1, at=NOW + timedelta(seconds=1)), make_span(span_id=2)], NOW)
    assert [span.span_id[-1] for span in EmbeddedTraces().trace(trace_id(1))] == ["2", "1"]


def test_an_unknown_trace_has_no_spans():
    assert EmbeddedTraces().trace(trace_id(9)) == []
    assert EmbeddedTraces().trace("no/such\0trace") == []


def test_a_trace_is_found_by_its_id_in_any_case_and_without_leading_zeros():
    record_spans([make_span(0xABC)], NOW)
    assert EmbeddedTraces().trace("ABC")
    assert EmbeddedTraces().trace(f" {trace_id(0xABC)} ")


@pytest.mark.parametrize(("text", "full"), [("", ""), ("xyz", ""), ("a" * 33, ""), ("A" * 32, "a" * 32)])
def test_what_is_no_trace_id_is_told_apart(text, full):
    assert full_trace_id(text) == full


def test_a_batch_that_is_sent_again_changes_nothing():
    batch = [make_span(span_id=1), make_span(span_id=2, parent=1)]
    assert record_spans(batch, NOW) == 2
    before = StoredTrace.objects.values().get()
    assert record_spans(batch, NOW + timedelta(minutes=1)) == 0
    assert StoredTrace.objects.values().get() == before
    assert StoredSpan.objects.count() == 2


def test_a_batch_that_is_sent_again_with_more_counts_only_what_is_new():
    record_spans([make_span(span_id=1)], NOW)
    assert record_spans([make_span(span_id=1), make_span(span_id=2, parent=1)], NOW) == 1
    assert StoredTrace.objects.get().span_count == 2


def test_what_was_sent_before_does_not_put_off_the_judgement_of_its_trace():
    record_spans([make_span(1)], NOW)
    record_spans([make_span(1), make_span(2)], NOW + timedelta(minutes=1))
    arrived = dict(StoredTrace.objects.values_list("trace_id", "received_at"))
    assert arrived == {trace_id(1): NOW, trace_id(2): NOW + timedelta(minutes=1)}


def test_a_span_twice_in_one_batch_is_stored_once():
    assert record_spans([make_span(), make_span()], NOW) == 1
    assert StoredTrace.objects.get().span_count == 1


def test_ten_thousand_spans_in_one_trace_are_kept_and_given_back():
    batch = [make_span(span_id=n, parent=n - 1) for n in range(1, 10_001)]
    assert record_spans(batch, NOW) == 10_000
    assert StoredTrace.objects.get().span_count == 10_000
    assert len(EmbeddedTraces().trace(trace_id(1))) == 10_000


# -- Traces as a whole -----------------------------------------------------------------------------------------

ROOT = make_span(span_id=1, attributes=FLOW, ms=100, service="gateway", name="POST /checkout")
CALL = make_span(span_id=2, parent=1, kind="client", ms=90, at=NOW + timedelta(milliseconds=5), status="error")
SERVER = make_span(
    span_id=3, parent=2, service="payment", attributes=FLOW, ms=80, at=NOW + timedelta(milliseconds=6), status="error"
)
TASK = make_span(
    span_id=4,
    parent=1,
    service="worker",
    name="send mail",
    kind="consumer",
    attributes=FLOW,
    at=NOW + timedelta(seconds=30),
    ms=500,
)


@pytest.mark.parametrize("order", list(itertools.permutations([ROOT, CALL, SERVER, TASK])))
def test_a_trace_is_the_same_whole_in_whatever_order_its_spans_arrive(order):
    for span in order:
        record_spans([span], NOW)
    (summary,) = EmbeddedTraces().search(TraceQuery())
    assert (summary.flow, summary.service, summary.name, summary.span_count) == (
        "checkout",
        "gateway",
        "POST /checkout",
        4,
    )
    # The mail that was sent later did not keep anybody waiting, and the retried call did not fail the request.
    assert (summary.start_ns, summary.duration_ns, summary.error) == (to_ns(NOW), 100 * MS, False)
    trace = StoredTrace.objects.get()
    assert (trace.failed, trace.slowest_ns, trace.end_ns) == (True, 500 * MS, TASK.end_ns)


def test_a_request_failed_when_its_entry_span_says_so():
    record_spans([make_span(status="error")], NOW)
    assert found(error=True) == [1]


def test_while_no_entry_span_is_known_any_error_counts_and_the_whole_extent_is_the_duration():
    early = make_span(span_id=2, parent=1, kind="client", ms=10, status="error")
    late = make_span(span_id=3, parent=1, kind="client", ms=10, at=NOW + timedelta(milliseconds=40))
    record_spans([late], NOW)
    record_spans([early], NOW)
    (summary,) = EmbeddedTraces().search(TraceQuery())
    assert (summary.error, summary.duration_ns) == (True, 50 * MS)
    record_spans([make_span(span_id=1, ms=45)], NOW)
    (summary,) = EmbeddedTraces().search(TraceQuery())
    assert (summary.error, summary.duration_ns) == (False, 45 * MS)


def test_a_load_generator_around_the_flow_is_not_its_entry():
    generator = make_span(span_id=9, kind="client", service="load", name="POST", ms=300, status="error")
    gateway = make_span(span_id=1, parent=9, attributes=FLOW, ms=100, at=NOW + timedelta(milliseconds=1))
    record_spans([generator, gateway], NOW)
    (summary,) = EmbeddedTraces().search(TraceQuery())
    assert (summary.service, summary.duration_ns, summary.error) == ("gateway", 100 * MS, False)


def test_the_flow_may_be_said_by_any_span_or_by_a_resource():
    record_spans([make_span(1, 1), make_span(1, 2, 1, kind="client", attributes=FLOW)], NOW)
    record_spans([make_span(2, resource={"user.flow": "login"})], NOW)
    assert (found(flow="checkout"), found(flow="login")) == ([1], [2])


# -- Searching traces ------------------------------------------------------------------------------------------


def test_traces_are_found_newest_first_or_slowest_first():
    for number, ms in ((1, 10), (2, 30), (3, 20)):
        record_spans([make_span(number, at=NOW + timedelta(seconds=number), ms=ms)], NOW)
    assert found() == [3, 2, 1]
    assert found(slowest_first=True) == [2, 3, 1]
    assert found(limit=1) == [3]


def test_traces_are_found_by_time_duration_and_error():
    for number in (1, 2, 3):
        at = NOW + timedelta(seconds=number)
        record_spans([make_span(number, at=at, ms=number * 10, status="error" if number == 2 else "unset")], NOW)
    assert found(since=NOW + timedelta(seconds=2)) == [3, 2]
    assert found(until=NOW + timedelta(seconds=2)) == [2, 1]
    assert found(min_duration=timedelta(milliseconds=20)) == [3, 2]
    assert found(max_duration=timedelta(milliseconds=20)) == [2, 1]
    assert (found(error=True), found(error=False)) == ([2], [3, 1])


def test_traces_are_found_by_the_service_of_any_of_their_spans():
    record_spans([make_span(1, 1), make_span(1, 2, 1, service="payment"), make_span(2)], NOW)
    assert found(service="payment") == [1]
    assert found(service="pay\0ment") == []


# -- Log lines -------------------------------------------------------------------------------------------------


def test_a_line_comes_back_as_it_was_sent():
    line = make_line("\x1b[31m<script>", 1, severity=17, service="payment", attributes={"a": 1}, resource={"b": [2]})
    record_logs([line])
    assert EmbeddedLogs().lines_of([trace_id(1)]) == [line]


def test_the_same_line_is_stored_once_and_another_beside_it():
    same, other = make_line("a"), make_line("a", severity=10)
    assert record_logs([same, same, other]) == 2
    assert record_logs([same, other, make_line("b")]) == 1
    assert StoredLog.objects.count() == 3


def test_the_lines_of_traces_come_oldest_first():
    record_logs([make_line("new", 1, at=NOW + timedelta(seconds=1)), make_line("old", 2), make_line("none")])
    assert [line.body for line in EmbeddedLogs().lines_of([trace_id(1), trace_id(2)])] == ["old", "new"]
    assert EmbeddedLogs().lines_of([]) == []
    assert EmbeddedLogs().lines_of([""]) == []
    assert len(EmbeddedLogs().lines_of([trace_id(1), trace_id(2)], limit=1)) == 1


def test_lines_are_found_newest_first_by_each_filter():
    record_logs(
        [
            make_line("Payment DECLINED 100 %", 1, severity=17, service="payment"),
            make_line("ok", 2, at=NOW + timedelta(seconds=1), service="gateway"),
        ]
    )
    assert lines() == ["ok", "Payment DECLINED 100 %"]
    assert lines(trace_id=trace_id(2)) == ["ok"]
    assert lines(service="gateway") == ["ok"]
    assert lines(min_severity=13) == ["Payment DECLINED 100 %"]
    assert lines(text="declined 100 %") == ["Payment DECLINED 100 %"]
    assert lines(text="declined_100") == []
    assert lines(text="\0") == []
    assert lines(since=NOW + timedelta(seconds=1)) == ["ok"]
    assert lines(until=NOW) == ["Payment DECLINED 100 %"]
    assert lines(limit=1) == ["ok"]


def test_a_trace_id_that_is_none_finds_no_lines_rather_than_all_without_a_trace():
    record_logs([make_line("none")])
    assert lines(trace_id="xyz") == []


# -- Faults and cost -------------------------------------------------------------------------------------------


class Broken:
    """Stands in for a database that is locked or away."""

    def __call__(self, execute, sql, params, many, context):
        raise OperationalError("database is locked")


@pytest.mark.parametrize(
    "ask",
    [
        lambda: EmbeddedTraces().trace(trace_id(1)),
        lambda: EmbeddedTraces().search(TraceQuery()),
        lambda: EmbeddedLogs().lines_of([trace_id(1)]),
        lambda: EmbeddedLogs().search(LogQuery()),
    ],
)
def test_a_database_that_does_not_answer_is_a_store_that_does_not(ask):
    with connections[database()].execute_wrapper(Broken()), pytest.raises(Unreachable, match="Try again"):
        ask()


def test_a_larger_batch_costs_statements_by_the_chunk_not_by_the_span(django_assert_max_num_queries):
    spans = [make_span(number, span_id) for number in range(20) for span_id in range(1, 11)]
    # One chunk of spans, one of traces, a savepoint around them.
    with django_assert_max_num_queries(4, using=database()):
        record_spans(spans, NOW)


# -- What the explanation asks besides
def counted(attribute, **query):
    return dict(EmbeddedTraces().count_by(TraceQuery(**query), attribute))


def test_requests_are_counted_once_for_each_value_that_a_span_or_its_resource_carries():
    eu = {"region": "eu"}
    twice = [make_span(1, 1, resource=eu), make_span(1, 2, parent=1, resource=eu)]
    record_spans([*twice, make_span(2, attributes={"region": "us"}, resource=eu), make_span(3)], NOW)
    assert counted("region") == {"eu": 1, "us": 1}
    assert counted("region.that.nobody.has") == {}


def test_only_so_many_values_are_counted_and_the_most_frequent_first():
    spans = [make_span(number, attributes={"user": number // 3}) for number in range(1, 9)]
    record_spans(spans, NOW)
    assert list(counted("user", limit=2).values()) == [3, 3]


def test_a_value_that_was_typed_finds_numbers_and_truth_values():
    record_spans([make_span(1, attributes={"code": 503, "cached": True, "zip": "0503"})], NOW)
    for said in ({"code": "503"}, {"code": 503}, {"cached": "true"}, {"cached": True}, {"zip": "0503"}):
        assert found(attributes=said) == [1]
    for said in ({"code": "50"}, {"cached": "false"}, {"zip": "503"}, {"other": "nan"}):
        assert found(attributes=said) == []


def test_service_operation_and_attributes_are_of_one_span():
    record_spans([make_span(1, 1, service="a", attributes={"x": "1"}), make_span(1, 2, 1, service="b", name="op")], NOW)
    assert found(service="b", operation="op") == [1]
    assert found(service="a", operation="op") == []
    assert found(service="b", attributes={"x": "1"}) == []


def test_lines_of_a_trace_can_be_bounded_in_time():
    record_logs([make_line("old", 1, at=NOW - timedelta(hours=2)), make_line("new", 1)])
    lines = EmbeddedLogs().lines_of([trace_id(1)], since=NOW - timedelta(hours=1), until=NOW)
    assert [line.body for line in lines] == ["new"]
