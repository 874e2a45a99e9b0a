"""OTLP requests become spans and log lines; what cannot be kept is counted with its reason."""

import json
import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from connectors.telemetry import Span, SpanEvent, to_ns
from telemetry import limits, otlp
from tests.telemetry import messages
from tests.telemetry.messages import MS, SPAN, TRACE

NOW = datetime(2026, 3, 1, 14, 3, tzinfo=UTC)
PERIOD = otlp.Period.around(NOW, timedelta(days=3))


def read(request) -> otlp.Batch[Span]:
    return otlp.traces(request.SerializeToString(), as_json=False, period=PERIOD)


def read_json(body: bytes) -> otlp.Batch[Span]:
    return otlp.traces(body, as_json=True, period=PERIOD)


def read_logs(request):
    return otlp.logs(request.SerializeToString(), as_json=False, period=PERIOD, now=NOW)


def attribute(value):
    """What becomes of one attribute value."""
    (span,) = read(messages.traces(messages.span(NOW, attributes={"it": value}))).items
    return span.attributes["it"]


def test_a_span_is_read_with_all_it_says():
    event = SpanMessage.Event(name="exception", time_unix_nano=7, attributes=messages.pairs({"exception.type": "E"}))
    message = messages.span(
        NOW, span_id=SPAN, parent="00f067aa0ba902b7", error=True, attributes={"tenant": "acme"}, events=[event]
    )
    message.status.message = "declined"
    (span,) = read(messages.traces(message, region="eu")).items
    assert span == Span(
        trace_id=TRACE,
        span_id=SPAN,
        parent_id="00f067aa0ba902b7",
        service="checkout",
        name="POST /checkout",
        kind="server",
        start_ns=to_ns(NOW),
        duration_ns=50 * MS,
        status="error",
        status_message="declined",
        attributes={"tenant": "acme"},
        resource={"service.name": "checkout", "region": "eu"},
        events=(SpanEvent(7, "exception", {"exception.type": "E"}),),
    )


@pytest.mark.parametrize(
    ("code", "kind", "status"),
    [
        (Status.STATUS_CODE_OK, SpanMessage.SPAN_KIND_CLIENT, ("client", "ok")),
        (Status.STATUS_CODE_UNSET, SpanMessage.SPAN_KIND_CONSUMER, ("consumer", "unset")),
        (99, 99, ("unspecified", "unset")),
    ],
)
def test_kinds_and_statuses_have_words_and_unknown_ones_are_not_fatal(code, kind, status):
    message = messages.span(NOW, kind=kind)
    message.status.code = code
    (span,) = read(messages.traces(message)).items
    assert (span.kind, span.status) == status


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("text", "text"),
        (True, True),
        (2**63 - 1, 2**63 - 1),
        (-(2**63), -(2**63)),
        (0.5, 0.5),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (b"\x00\xff", "00ff"),
        ([1, "two"], [1, "two"]),
        ({"a": {"b": 1}}, {"a": {"b": 1}}),
        ("nul\x00here", "nul�here"),
    ],
)
def test_attribute_values_become_what_json_and_both_databases_can_hold(value, kept):
    assert attribute(value) == kept


def test_a_span_that_ends_before_it_starts_has_no_duration():
    message = messages.span(NOW)
    message.end_time_unix_nano = 1
    assert read(messages.traces(message)).items[0].duration_ns == 0


def test_a_service_without_a_name_is_unknown():
    assert read(messages.traces(messages.span(NOW), service="")).items[0].service == "unknown"


def test_a_parent_of_zeros_is_no_parent():
    assert read(messages.traces(messages.span(NOW, parent="0" * 16))).items[0].parent_id == ""


# -- One bad span does not cost its batch ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": b""}, "trace id"),
        ({"trace_id": bytes(16)}, "trace id"),
        ({"trace_id": b"1234567"}, "trace id"),
        ({"span_id": bytes(8)}, "span id"),
        ({"span_id": b"123456789"}, "span id"),
        ({"start_time_unix_nano": 0, "end_time_unix_nano": 0}, "older than Fireline keeps"),
        ({"start_time_unix_nano": to_ns(NOW - timedelta(days=4))}, "older than Fireline keeps"),
        ({"start_time_unix_nano": to_ns(NOW + timedelta(hours=2))}, "more than an hour ahead"),
        ({"end_time_unix_nano": 2**64 - 1}, "more than an hour ahead"),
    ],
)
def test_a_span_that_cannot_be_kept_is_counted_with_the_reason(fields, reason):
    bad = messages.span(NOW)
    for name, value in fields.items():
        setattr(bad, name, value)
    batch = read(messages.traces(messages.span(NOW), bad))
    assert len(batch.items) == 1
    ((said, count),) = batch.rejected.items()
    assert reason in said
    assert count == 1


def test_a_clock_that_is_a_little_ahead_is_believed():
    assert read(messages.traces(messages.span(NOW + timedelta(minutes=59)))).rejected.total() == 0


# -- Limits ----------------------------------------------------------------------------------------------------


def test_long_texts_are_cut_with_a_mark_and_counted():
    message = messages.span(NOW, name="n" * 1000, attributes={"k" * 1000: "v" * 100_000})
    batch = read(messages.traces(message, service="s" * 1000))
    (span,) = batch.items
    ((key, value),) = span.attributes.items()
    assert (len(span.name), len(span.service), len(key), len(value)) == (
        limits.NAME,
        limits.SERVICE,
        limits.KEY,
        limits.VALUE,
    )
    assert all(text.endswith(limits.MARK) for text in (span.name, span.service, key, value))
    assert batch.cut == 4


def test_more_attributes_and_events_than_are_kept_are_left_out_and_counted():
    events = [SpanMessage.Event(name=f"{n}") for n in range(200)]
    message = messages.span(NOW, attributes={f"{n}": n for n in range(200)}, events=events)
    batch = read(messages.traces(message))
    assert len(batch.items[0].attributes) == limits.ATTRIBUTES
    assert len(batch.items[0].events) == limits.EVENTS
    assert batch.cut == 2


# -- What is not OTLP ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"garbage", b"\xff" * 100, b"<html>", b'{"resourceSpans": []}'])
def test_garbage_is_unreadable_protobuf(body):
    with pytest.raises(otlp.Unreadable, match=r"not a whole OTLP protobuf message|holds no"):
        otlp.traces(body, as_json=False, period=PERIOD)


def test_half_a_message_is_unreadable():
    body = messages.traces(messages.span(NOW)).SerializeToString()
    with pytest.raises(otlp.Unreadable, match="cut it short"):
        otlp.traces(body[: len(body) // 2], as_json=False, period=PERIOD)


@pytest.mark.parametrize(("body", "as_json"), [(b"", False), (b"{}", True), (b'{"resourceSpans": []}', True)])
def test_an_empty_request_is_fine(body, as_json):
    assert otlp.traces(body, as_json=as_json, period=PERIOD).items == []


def test_a_text_where_a_json_span_belongs_is_refused_alone():
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": ["text", messages.json_span(NOW)]}]}]})
    batch = read_json(body.encode())
    assert (len(batch.items), batch.rejected.total()) == (1, 1)


def test_logs_sent_to_the_traces_path_are_refused_one_by_one():
    body = messages.logs(messages.line(NOW)).SerializeToString()
    assert otlp.traces(body, as_json=False, period=PERIOD).rejected.total() == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'"resourceSpans"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
        b'{"resourceSpans": 7}',
        b'{"resourceSpans": [7]}',
        b'{"resourceSpans": [{"scopeSpans": {"spans": []}}]}',
        b'{"resourceLogs": [{"scopeLogs": []}]}',
        messages.json_traces({"traceId": TRACE, "startTimeUnixNano": "99999999999999999999999"}),
        messages.json_traces({"traceId": TRACE, "name": {}}),
    ],
)
def test_garbage_is_unreadable_json(body):
    with pytest.raises(otlp.Unreadable, match=r"JSON|holds no resource_spans"):
        read_json(body)


@given(st.binary(max_size=200))
def test_whatever_bytes_arrive_they_are_read_or_refused(body):
    for as_json in (True, False):
        try:
            otlp.traces(body, as_json=as_json, period=PERIOD)
            otlp.logs(body, as_json=as_json, period=PERIOD, now=NOW)
        except otlp.Unreadable as error:
            assert str(error)  # noqa: PT017 - most inputs raise, some do not


odd_values: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 7, 0.5, math.nan, 10**30, "text", "\0", "\ud800", [], [[]], [None], {}, {"a": 1}]
)


@given(st.dictionaries(st.sampled_from(["traceId", "spanId", "name", "kind", "attributes", "links"]), odd_values))
def test_whatever_a_json_span_says_it_is_read_or_refused(fields):
    try:
        read_json(messages.json_traces(messages.json_span(NOW, **fields)))
    except otlp.Unreadable as error:
        assert str(error)  # noqa: PT017


# -- OTLP/JSON -------------------------------------------------------------------------------------------------


def test_json_and_protobuf_say_the_same():
    body = messages.json_traces(
        messages.json_span(
            NOW,
            parentSpanId="00f067aa0ba902b7",
            kind=2,
            attributes=[{"key": "n", "value": {"intValue": "9007199254740993"}}],
            status={"code": 2, "message": "declined"},
            links=[{"traceId": TRACE, "spanId": SPAN}],
        )
    )
    message = messages.span(
        NOW, span_id=SPAN, parent="00f067aa0ba902b7", name="GET /", ms=5, error=True, attributes={"n": 9007199254740993}
    )
    message.status.message = "declined"
    expected = read(messages.traces(message, service=""))
    (from_json,), (from_protobuf,) = read_json(body).items, expected.items
    assert from_json.attributes == from_protobuf.attributes
    assert (from_json.parent_id, from_json.kind, from_json.status) == ("00f067aa0ba902b7", "server", "error")
    assert from_json.duration_ns == from_protobuf.duration_ns


@pytest.mark.parametrize("kind", [3, "SPAN_KIND_CLIENT"])
def test_json_enums_may_be_numbers_or_names(kind):
    assert read_json(messages.json_traces(messages.json_span(NOW, kind=kind))).items[0].kind == "client"


@pytest.mark.parametrize("moment", [to_ns(NOW), str(to_ns(NOW))])
def test_json_times_may_be_numbers_or_texts(moment):
    assert read_json(messages.json_traces(messages.json_span(NOW, startTimeUnixNano=moment))).items[
        0
    ].start_ns == to_ns(NOW)


def test_json_ids_are_hex_in_any_case():
    (span,) = read_json(messages.json_traces(messages.json_span(NOW, traceId=TRACE.upper()))).items
    assert span.trace_id == TRACE


@pytest.mark.parametrize("trace_id", ["not hex", 7, None, [], "5b8e"])
def test_a_json_id_that_is_no_hex_costs_only_its_span(trace_id):
    body = messages.json_traces(messages.json_span(NOW), messages.json_span(NOW, traceId=trace_id))
    batch = read_json(body)
    assert (len(batch.items), batch.rejected.total()) == (1, 1)


def test_json_fields_that_nobody_knows_yet_are_ignored():
    assert len(read_json(messages.json_traces(messages.json_span(NOW, flavour="new"))).items) == 1


def test_half_a_surrogate_pair_is_replaced_and_a_whole_one_kept():
    body = messages.json_traces(messages.json_span(NOW, name="x\ud800y 😀"))
    assert b"\\ud800" in body
    assert read_json(body).items[0].name == "x?y 😀"


# -- Log records -----------------------------------------------------------------------------------------------


def test_a_log_record_is_read_with_its_trace():
    (line,) = read_logs(
        messages.logs(messages.line(NOW, trace=TRACE, span_id=SPAN, severity_number=17, attributes={"code": 7}))
    ).items
    assert (line.at_ns, line.severity, line.body, line.service) == (to_ns(NOW), 17, "payment declined", "checkout")
    assert (line.trace_id, line.span_id, line.attributes) == (TRACE, SPAN, {"code": 7})


def test_a_log_record_without_a_trace_is_fine():
    (line,) = read_logs(messages.logs(messages.line(NOW))).items
    assert (line.trace_id, line.span_id) == ("", "")


def test_a_log_record_with_half_a_trace_id_is_kept_without_it():
    assert read_logs(messages.logs(messages.line(NOW, trace="beef", span_id=SPAN))).items[0].span_id == ""


@pytest.mark.parametrize(("text", "severity"), [("ERROR", 17), ("Warning", 13), ("info", 9), ("loud", 0), ("", 0)])
def test_a_severity_that_is_only_text_gets_its_number(text, severity):
    assert read_logs(messages.logs(messages.line(NOW, severity_text=text))).items[0].severity == severity


def test_a_log_record_without_a_time_gets_the_observed_one_or_that_of_its_arrival():
    observed, none = messages.line(NOW), messages.line(NOW)
    observed.time_unix_nano = none.time_unix_nano = 0
    observed.observed_time_unix_nano = to_ns(NOW) - 5
    assert [line.at_ns for line in read_logs(messages.logs(observed, none)).items] == [to_ns(NOW) - 5, to_ns(NOW)]


def test_a_structured_body_becomes_json():
    (line,) = read_logs(messages.logs(messages.line(NOW, {"event": "declined", "code": 7}))).items
    assert json.loads(line.body) == {"event": "declined", "code": 7}


def test_control_characters_and_markup_in_a_line_are_kept_as_they_are_but_for_nul():
    (line,) = read_logs(messages.logs(messages.line(NOW, "\x1b[31m<script>\x00\u202e"))).items
    assert line.body == "\x1b[31m<script>�\u202e"


def test_a_log_record_from_the_future_is_refused():
    batch = read_logs(messages.logs(messages.line(NOW + timedelta(hours=2)), messages.line(NOW)))
    assert (len(batch.items), batch.rejected.total()) == (1, 1)


def test_a_very_long_body_is_cut_and_counted():
    batch = read_logs(messages.logs(messages.line(NOW, "x" * 100_000)))
    assert len(batch.items[0].body) == limits.BODY
    assert batch.cut == 1


def test_json_log_records_have_hex_ids_too():
    body = json.dumps(
        {
            "resourceLogs": [
                {"scopeLogs": [{"logRecords": [{"traceId": TRACE, "spanId": SPAN, "body": {"stringValue": "x"}}]}]}
            ]
        }
    )
    (line,) = otlp.logs(body.encode(), as_json=True, period=PERIOD, now=NOW).items
    assert (line.trace_id, line.span_id, line.body) == (TRACE, SPAN, "x")
