import orjson
import pytest

from evidence.log_table import LogBuilder
from evidence.otlp_json import Read, read_logs, read_traces
from evidence.span_table import CLIENT, ERROR, SERVER, SpanBuilder

type Json = dict[str, object]
TRACE = "4BF92F3577B34DA6A3CE929D0E0E4736"


def attributes(**named: str) -> list[Json]:
    return [{"key": key.replace("_", "."), "value": {"stringValue": value}} for key, value in named.items()]


def traces(*spans: Json, **resource: str) -> bytes:
    scopes = [{"spans": list(spans)}]
    return orjson.dumps({"resourceSpans": [{"resource": {"attributes": attributes(**resource)}, "scopeSpans": scopes}]})


def logs(*records: Json, **resource: str) -> bytes:
    scopes = [{"logRecords": list(records)}]
    return orjson.dumps({"resourceLogs": [{"resource": {"attributes": attributes(**resource)}, "scopeLogs": scopes}]})


def make_span(**fields: object) -> Json:
    times = {"startTimeUnixNano": "1000", "endTimeUnixNano": "4000"}
    return {"traceId": TRACE, "spanId": "00F067AA0BA902B7", "name": "pay", **times, **fields}


def make_record(**fields: object) -> Json:
    return {"timeUnixNano": "1000", "body": {"stringValue": "hello"}, **fields}


def test_a_span_is_read_with_what_its_resource_says():
    builder = SpanBuilder()
    assert read_traces([traces(make_span(), service_name="shop", k8s_pod_name="shop-1")], builder) == Read(1, 0)
    table = builder.table()
    assert (table.service_name(0), table.operation_name(0), table.duration_ns.tolist()) == ("shop", "pay", [3000])
    assert table.instances[table.instance[0]] == "shop-1"
    assert (table.trace_id(0), table.span_name(0)) == (TRACE.lower(), "00f067aa0ba902b7")


@pytest.mark.parametrize(("kind", "read"), [(3, CLIENT), ("SPAN_KIND_SERVER", SERVER), ("odd", 0), (None, 0), (99, 0)])
def test_a_kind_is_a_number_or_a_name(kind: object, read: int):
    builder = SpanBuilder()
    read_traces([traces(make_span(kind=kind))], builder)
    assert builder.table().kind.tolist() == [read]


@pytest.mark.parametrize("code", [2, "STATUS_CODE_ERROR"])
def test_a_failed_span_says_what_failed(code: object):
    builder = SpanBuilder()
    events = [{"name": "exception", "attributes": attributes(exception_type="TimeoutError")}]
    read_traces([traces(make_span(status={"code": code, "message": "no answer"}, events=events))], builder)
    table = builder.table()
    assert table.status.tolist() == [ERROR]
    assert table.problems[table.problem[0]] == "TimeoutError"


def test_times_may_be_numbers():
    builder = SpanBuilder()
    read_traces([traces(make_span(startTimeUnixNano=5, endTimeUnixNano=9))], builder)
    assert builder.table().duration_ns.tolist() == [4]


def test_a_span_that_ends_before_it_starts_took_no_time():
    builder = SpanBuilder()
    read_traces([traces(make_span(startTimeUnixNano=9, endTimeUnixNano=5))], builder)
    assert builder.table().duration_ns.tolist() == [0]


def test_a_parent_of_zeros_is_no_parent():
    builder = SpanBuilder()
    read_traces([traces(make_span(parentSpanId="0" * 16))], builder)
    assert builder.table().orphan.tolist() == [False]


@pytest.mark.parametrize("line", [b"{", b"[]", b"null", b'{"other": 1}', b'{"resourceSpans": 3}', b"\xff\xfe"])
def test_lines_that_are_something_else_are_counted_and_left_out(line: bytes):
    builder = SpanBuilder()
    assert read_traces([line, traces(make_span()), b"\n"], builder) == Read(1, 1)


def test_one_broken_span_does_not_lose_its_neighbours():
    builder = SpanBuilder()
    assert read_traces([traces(make_span(startTimeUnixNano="soon"), make_span())], builder) == Read(1, 1)


def test_snake_case_is_understood():
    scopes = [{"spans": [{"trace_id": "ab", "span_id": "cd", "start_time_unix_nano": 1, "end_time_unix_nano": 3}]}]
    builder = SpanBuilder()
    read_traces([orjson.dumps({"resource_spans": [{"scope_spans": scopes}]})], builder)
    assert builder.table().duration_ns.tolist() == [2]


def test_links_are_read():
    builder = SpanBuilder()
    other = make_span(spanId="b" * 16, links=[{"traceId": TRACE, "spanId": "00F067AA0BA902B7"}])
    read_traces([traces(make_span(), other)], builder)
    assert builder.table().links.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("fields", "severity"),
    [
        ({"severityNumber": 17}, 17),
        ({"severityNumber": "SEVERITY_NUMBER_WARN2"}, 13),
        ({"severityText": "Error"}, 17),
        ({"severityText": "INFO"}, 9),
        ({"severityNumber": 0, "severityText": "fatal"}, 21),
        ({"severityText": "loud"}, 0),
        ({}, 0),
    ],
)
def test_severity_is_a_number_or_a_word(fields: Json, severity: int):
    builder = LogBuilder()
    read_logs([logs(make_record(**fields))], builder)
    assert builder.table().severity.tolist() == [severity]


def test_a_line_belongs_to_its_request():
    builder = LogBuilder()
    read_logs([logs(make_record(traceId=TRACE, spanId="00F067AA0BA902B7"), service_name="shop")], builder)
    table = builder.table()
    assert table.trace_ids[table.trace[0]] == TRACE.lower()
    assert table.span_id.tolist() == [0x00F067AA0BA902B7]


def test_a_structured_body_is_read_by_its_message():
    body = {"kvlistValue": {"values": attributes(level="info", msg="cache warmed")}}
    builder = LogBuilder()
    read_logs([logs(make_record(body=body))], builder)
    assert list(builder.table().templates) == ["cache warmed"]


def test_a_line_without_its_own_time_has_the_time_it_was_seen():
    builder = LogBuilder()
    read_logs([logs({"observedTimeUnixNano": "7", "timeUnixNano": "0", "body": {"stringValue": "x"}})], builder)
    assert builder.table().at_ns.tolist() == [7]
