"""The OTLP/HTTP receiver as its senders see it."""

import gzip
import json
import zlib
from datetime import timedelta

import pytest
from django.db import OperationalError, connections
from django.utils import timezone
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from telemetry.models import StoredLog, StoredSpan
from telemetry.router import database
from tests.telemetry import messages

pytestmark = [pytest.mark.django_db(databases="__all__"), pytest.mark.urls("telemetry.urls")]

PROTOBUF, JSON = "application/x-protobuf", "application/json"


@pytest.fixture
def post(client):
    def send(body, path="/v1/traces", content_type=PROTOBUF, token="test-ingest-token", **headers):
        headers = {"Authorization": f"Bearer {token}", **headers}
        return client.post(path, body, content_type=content_type, headers=headers)

    return send


def one_span(**more) -> bytes:
    return messages.traces(messages.span(timezone.now(), **more)).SerializeToString()


def refusal(answer) -> str:
    """The sentence of a Status, in the format that was asked in."""
    if answer["Content-Type"] == PROTOBUF:
        return str(Status.FromString(answer.content).message)
    return str(json.loads(answer.content)["message"])


def test_spans_are_taken_in_protobuf(post):
    answer = post(one_span())
    assert (answer.status_code, answer["Content-Type"], answer.content) == (200, PROTOBUF, b"")
    assert StoredSpan.objects.count() == 1


def test_spans_are_taken_in_json(post):
    answer = post(messages.json_traces(messages.json_span(timezone.now())), content_type=JSON)
    assert (answer.status_code, answer["Content-Type"], answer.content) == (200, JSON, b"{}")
    assert StoredSpan.objects.get().span_id == messages.SPAN


def test_a_charset_beside_the_content_type_is_fine(post):
    body = messages.json_traces(messages.json_span(timezone.now()))
    assert post(body, content_type="application/json; charset=utf-8").status_code == 200


def test_log_records_are_taken(post):
    body = messages.logs(messages.line(timezone.now(), "\x1b[31m<script>alert(1)</script>")).SerializeToString()
    assert post(body, "/v1/logs").status_code == 200
    assert StoredLog.objects.get().body == "\x1b[31m<script>alert(1)</script>"


def test_a_request_that_is_sent_again_is_stored_once(post):
    body = one_span()
    assert post(body).content == post(body).content
    assert StoredSpan.objects.count() == 1


# -- Compressed ------------------------------------------------------------------------------------------------


def test_gzip_is_unpacked(post):
    assert post(gzip.compress(one_span()), **{"Content-Encoding": "gzip"}).status_code == 200
    assert StoredSpan.objects.count() == 1


def test_gzip_in_several_members_is_unpacked(post):
    body = one_span()
    packed = gzip.compress(body[:10]) + gzip.compress(body[10:])
    assert post(packed, **{"Content-Encoding": "gzip"}).status_code == 200


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(post, settings):
    settings.OTLP_MAX_BYTES = 1024 * 1024
    bomb = zlib.compressobj(wbits=31)
    packed = b"".join(bomb.compress(bytes(1024 * 1024)) for _ in range(200)) + bomb.flush()
    assert len(packed) < settings.OTLP_MAX_BYTES
    answer = post(packed, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert "Send smaller batches" in refusal(answer)


@pytest.mark.parametrize("packed", [b"no gzip", gzip.compress(b"x" * 1000, mtime=0)[:-20]], ids=["no gzip", "cut off"])
def test_damaged_gzip_is_refused(post, packed):
    answer = post(packed, **{"Content-Encoding": "gzip"})
    assert answer.status_code == 400
    assert "gzip" in refusal(answer)


def test_another_compression_is_refused_by_name(post):
    answer = post(one_span(), **{"Content-Encoding": "br"})
    assert answer.status_code == 415
    assert "'br'" in refusal(answer)


# -- Refused as a whole ----------------------------------------------------------------------------------------


def test_a_body_of_50_mb_is_refused_unread(post):
    answer = post(bytes(50 * 1024 * 1024))
    assert answer.status_code == 413
    assert "16,777,216 bytes" in refusal(answer)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"garbage", PROTOBUF), (one_span()[:40], PROTOBUF), (b"{", JSON), (b"[" * 100_000, JSON)],
    ids=["garbage", "half a message", "half JSON", "deep JSON"],
)
def test_what_is_not_otlp_is_refused_in_its_own_format(post, body, content_type):
    answer = post(body, content_type=content_type)
    assert (answer.status_code, answer["Content-Type"]) == (400, content_type)
    assert refusal(answer)
    assert StoredSpan.objects.count() == 0


def test_another_content_type_is_refused_in_json(post):
    answer = post(b"<spans/>", content_type="text/xml")
    assert (answer.status_code, answer["Content-Type"]) == (415, JSON)
    assert "application/x-protobuf or application/json" in refusal(answer)


def test_only_post_is_answered(client):
    answer = client.get("/v1/traces")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic dGVzdDp0ZXN0", "Bearer ä"])
def test_nobody_sends_without_a_known_token(client, header):
    headers = {} if header is None else {"Authorization": header}
    answer = client.post("/v1/traces", one_span(), content_type=PROTOBUF, headers=headers)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, "Bearer")
    assert "token" in refusal(answer)
    assert StoredSpan.objects.count() == 0


def test_an_unset_token_in_the_settings_opens_nothing(post, settings):
    settings.INGEST_TOKEN = ""
    assert post(one_span(), token="").status_code == 401


# -- Taken in part ---------------------------------------------------------------------------------------------


def test_what_was_refused_of_a_good_request_is_said(post):
    now = timezone.now()
    body = messages.traces(
        messages.span(now), messages.span(now + timedelta(hours=2)), messages.span(now, trace="0" * 32)
    ).SerializeToString()
    answer = post(body)
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 2)
    assert "1 of the spans refused: its time is more than an hour ahead of Fireline's clock." in partial.error_message
    assert StoredSpan.objects.count() == 1


def test_what_was_refused_is_logged_for_the_operator_too(post, caplog):
    post(messages.traces(messages.span(timezone.now(), trace="0" * 32)).SerializeToString())
    post(b"garbage")
    assert "Taken in part: 1 of the spans refused: its trace id" in caplog.text
    assert "/v1/traces answered 400: The body is not a whole OTLP protobuf message." in caplog.text


def test_what_was_cut_is_said_without_counting_as_refused(post):
    body = messages.logs(messages.line(timezone.now(), "x" * 100_000)).SerializeToString()
    partial = ExportLogsServiceResponse.FromString(post(body, "/v1/logs").content).partial_success
    assert partial.rejected_log_records == 0
    assert "1 texts or lists were longer" in partial.error_message


def test_partial_success_is_said_in_json_too(post):
    body = messages.json_traces(messages.json_span(timezone.now(), spanId="zz"))
    answer = json.loads(post(body, content_type=JSON).content)
    assert answer["partialSuccess"]["rejectedSpans"] == "1"


# -- When the database does not take it ------------------------------------------------------------------------


@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_a_locked_database_asks_the_sender_to_come_again(post, content_type, caplog):
    def locked(execute, sql, params, many, context):
        raise OperationalError("database is locked")

    body = one_span() if content_type == PROTOBUF else messages.json_traces(messages.json_span(timezone.now()))
    with connections[database()].execute_wrapper(locked):
        answer = post(body, content_type=content_type)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "nothing was stored" in refusal(answer)
    assert post(body, content_type=content_type).status_code == 200
