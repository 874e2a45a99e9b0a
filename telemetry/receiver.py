"""Takes what senders post: OTLP/HTTP traces and logs, and announced changes.

Answers as the OTLP specification asks: in the request's own format, errors as a google.rpc.Status, what was refused of
a good request as partial success, and 503 with Retry-After when the same request may succeed later.
"""

import logging
from collections.abc import Callable, Sequence

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import code_pb2
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTracePartialSuccess,
    ExportTraceServiceResponse,
)

from telemetry import announcements, bodies, otlp, store, tokens

logger = logging.getLogger(__name__)

PROTOBUF, JSON = "application/x-protobuf", "application/json"
RETRY_AFTER_SECONDS = 5
_MOST_CHANGE_BYTES = 256 * 1024
_CODES = {
    400: code_pb2.INVALID_ARGUMENT,
    401: code_pb2.UNAUTHENTICATED,
    405: code_pb2.UNIMPLEMENTED,
    413: code_pb2.RESOURCE_EXHAUSTED,
    415: code_pb2.INVALID_ARGUMENT,
    503: code_pb2.UNAVAILABLE,
}


class Refusal(Exception):
    """The request is not taken; `str(refusal)` tells its sender why, `status` whether to send it again (503)."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@csrf_exempt
@login_not_required
def traces(request: HttpRequest) -> HttpResponse:
    return _export(request, _take_traces)


@csrf_exempt
@login_not_required
def logs(request: HttpRequest) -> HttpResponse:
    return _export(request, _take_logs)


@csrf_exempt
@login_not_required
def changes(request: HttpRequest) -> HttpResponse:
    """Announce a deploy, a flag flip or another change: a JSON object, described in docs/telemetry.md."""
    try:
        body = _body(request, (JSON,), _MOST_CHANGE_BYTES)
        change, new = announcements.record(body, timezone.now())
    except Refusal as refusal:
        return _headed(JsonResponse({"error": str(refusal)}, status=refusal.status), refusal.status)
    except announcements.Invalid as invalid:
        return JsonResponse({"error": str(invalid), "errors": invalid.errors}, status=422)
    except (OperationalError, InterfaceError) as error:
        return _headed(JsonResponse({"error": _busy(error)}, status=503), 503)
    answer = {"id": change.pk, "external_id": change.external_id, "at": change.at, "new": new}
    return JsonResponse(answer, status=201 if new else 200)


def _export(request: HttpRequest, take: Callable[[bytes, bool], Message]) -> HttpResponse:
    as_json = request.content_type != PROTOBUF
    try:
        body = _body(request, (PROTOBUF, JSON), settings.OTLP_MAX_BYTES)
        return _answer(200, take(body, as_json), as_json)
    except Refusal as refusal:
        status, sentence = refusal.status, str(refusal)
    except otlp.Unreadable as error:
        status, sentence = 400, str(error)
    except (OperationalError, InterfaceError) as error:
        status, sentence = 503, _busy(error)
    logger.warning("%s answered %s: %s", request.path, status, sentence)
    return _answer(status, _status(status, sentence), as_json)


def _take_traces(body: bytes, as_json: bool) -> Message:
    now = timezone.now()
    period = otlp.Period.around(now, settings.TELEMETRY_MAX_AGE)
    batch = otlp.traces(body, as_json=as_json, period=period)
    store.record_spans(batch.items, now)
    answer = ExportTraceServiceResponse()
    if said := _said(batch, "spans"):
        partial_success = ExportTracePartialSuccess(rejected_spans=batch.rejected.total(), error_message=said)
        answer.partial_success.CopyFrom(partial_success)
    return answer


def _take_logs(body: bytes, as_json: bool) -> Message:
    now = timezone.now()
    period = otlp.Period.around(now, settings.TELEMETRY_MAX_AGE)
    batch = otlp.logs(body, as_json=as_json, period=period, now=now)
    store.record_logs(batch.items)
    answer = ExportLogsServiceResponse()
    if said := _said(batch, "log records"):
        partial_success = ExportLogsPartialSuccess(rejected_log_records=batch.rejected.total(), error_message=said)
        answer.partial_success.CopyFrom(partial_success)
    return answer


def _said[T](batch: otlp.Batch[T], what: str) -> str:
    """What the sender should know about a batch that was taken; empty when all of it was taken as it is."""
    reasons = [f"{count} of the {what} refused: {reason}." for reason, count in batch.rejected.most_common()]
    if reasons:
        # Few exporters show what they are told, so the operator can read it here.
        logger.warning("Taken in part: %s", " ".join(reasons))
    if batch.cut:
        reasons.append(f"{batch.cut} texts or lists were longer than Fireline keeps and were cut.")
    return " ".join(reasons)


# -- What all three have in common ------------------------------------------------------------------------------------


def _body(request: HttpRequest, types: Sequence[str], most: int) -> bytes:
    """The body of an authorised POST. Raises `Refusal`."""
    if request.method != "POST":
        raise Refusal(405, "Send telemetry and changes by POST.")
    _authorise(request)
    given = request.content_type or ""
    if given not in types:
        raise Refusal(415, f"The Content-Type must be {' or '.join(types)}, not {given[:80]!r}.")
    try:
        return bodies.read(request, most)
    except bodies.TooLarge:
        raise Refusal(413, f"The body is larger than {most:,} bytes. Send smaller batches.") from None
    except bodies.Compressed as error:
        raise Refusal(415, f"The Content-Encoding must be gzip or none, not {str(error)[:80]!r}.") from None
    except bodies.Damaged as error:
        raise Refusal(400, str(error)) from None


def _authorise(request: HttpRequest) -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refusal(401, "Send `Authorization: Bearer <ingest token>`. Tokens are made on the settings page.")
    if not tokens.verify(token.strip(), timezone.now()):
        raise Refusal(401, "This ingest token is not known. It may have been deleted; make a new one in the settings.")


def _busy(error: Exception) -> str:
    logger.warning("Telemetry was turned away, because the database did not take it: %s", error)
    return f"The database is busy or away. Send the same request again in {RETRY_AFTER_SECONDS} s; nothing was stored."


def _status(status: int, sentence: str) -> Message:
    answer: Message = Status(code=_CODES[status], message=sentence)
    return answer


def _answer(status: int, message: Message, as_json: bool) -> HttpResponse:
    if as_json:
        return _headed(HttpResponse(json_format.MessageToJson(message), JSON, status), status)
    return _headed(HttpResponse(message.SerializeToString(), PROTOBUF, status), status)


def _headed(response: HttpResponse, status: int) -> HttpResponse:
    extra = {401: ("WWW-Authenticate", "Bearer"), 405: ("Allow", "POST"), 503: ("Retry-After", RETRY_AFTER_SECONDS)}
    if status in extra:
        name, value = extra[status]
        response[name] = str(value)
    return response
