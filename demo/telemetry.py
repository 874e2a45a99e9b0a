"""OpenTelemetry for one process: spans and log lines by OTLP/HTTP, the same lines as JSON on stdout."""

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")

import requests
from opentelemetry import trace
from opentelemetry._logs import get_logger_provider, set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from demo.flow_context import CarriedLogs, CarriedSpans
from demo.processes import Process, processes

ENVIRONMENT = "demo"
CLIENT, PRODUCER, CONSUMER = SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER
_PLAIN_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "taskName"}
_tracer = trace.get_tracer("demo")


def start(process: Process, version: str) -> None:
    """Set up tracing and logging for this process; call once, before the first request."""
    resource = Resource.create(
        {
            "service.name": process.name,
            "service.namespace": "shop",
            "service.version": version,
            "service.instance.id": process.target,
            # The stable name, and the one that many stores still index.
            "deployment.environment.name": ENVIRONMENT,
            "deployment.environment": ENVIRONMENT,
        }
    )
    # `stop` ends both, within a limit; at exit they would wait for an absent receiver without one.
    tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
    loggers = LoggerProvider(resource=resource, shutdown_on_exit=False)
    tracers.add_span_processor(CarriedSpans())
    if _endpoint("TRACES"):
        tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    if _endpoint("LOGS"):
        loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    trace.set_tracer_provider(tracers)
    set_logger_provider(loggers)
    log_to_stdout(process.name, LoggingHandler(logger_provider=loggers))
    RequestsInstrumentor().instrument(request_hook=name_call)


def name_call(running: trace.Span, request: requests.PreparedRequest) -> None:
    """Name a client span after its path, which has no ids in this shop, and say which service is called."""
    services = {process.target: process.name for process in processes()}
    parts = urlsplit(str(request.url))
    running.update_name(f"{request.method} {parts.path}")
    running.set_attribute("peer.service", services.get(parts.netloc, parts.netloc))


def _endpoint(signal: str) -> str:
    return os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")


def log_to_stdout(service: str, *others: logging.Handler) -> None:
    """One JSON object a line on stdout; `others` get the same records."""
    stdout = logging.StreamHandler(sys.stdout)
    stdout.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    # Not by basicConfig: it would give the OTLP handler a format, and its lines a prefix that stdout's have not.
    for handler in (stdout, *others):
        handler.addFilter(CarriedLogs())
        root.addHandler(handler)


class JsonLines(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self.service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        running = trace.get_current_span().get_span_context()
        if running.is_valid:
            line |= {"trace_id": f"{running.trace_id:032x}", "span_id": f"{running.span_id:016x}"}
        line |= {key: value for key, value in vars(record).items() if key not in _PLAIN_RECORD}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


@contextmanager
def span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | int | float) -> Iterator[trace.Span]:
    """A span of the shop's own; `db_system_name="…"` becomes the attribute `db.system.name`.

    What escapes from it is recorded as an exception event, with `error.type`, and fails the span.
    """
    named = {key.replace("_", "."): value for key, value in attributes.items()}
    with _tracer.start_as_current_span(name, kind=kind, attributes=named) as running:
        try:
            yield running
        except Exception as error:
            running.set_attribute("error.type", type(error).__name__)
            raise


def fail(running: trace.Span, error: Exception) -> None:
    """Mark a span that somebody else opened as failed by `error`."""
    running.record_exception(error)
    running.set_attribute("error.type", type(error).__name__)
    running.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))


def stop(limit: float = 2.0) -> None:
    """Send what is still waiting, for at most `limit` seconds: an absent receiver must not hold up the end."""
    providers = (trace.get_tracer_provider(), get_logger_provider())
    ending = [
        threading.Thread(target=provider.shutdown, daemon=True)
        for provider in providers
        if isinstance(provider, TracerProvider | LoggerProvider)
    ]
    for thread in ending:
        thread.start()
    deadline = time.monotonic() + limit
    for thread in ending:
        thread.join(max(0.0, deadline - time.monotonic()))
