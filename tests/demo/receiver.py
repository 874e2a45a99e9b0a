"""A small OTLP/HTTP receiver, and the inbox for change events: what the shop sends, kept for looking at."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


@dataclass(frozen=True)
class Span:
    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    failed: bool
    seconds: float
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: list[str]


@dataclass(frozen=True)
class Line:
    trace_id: str
    span_id: str
    service: str
    body: str
    severity: str
    attributes: dict[str, Any]


@dataclass
class Received:
    port: int = 0
    spans: list[Span] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    changes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def trace(self, trace_id: str) -> list[Span]:
        return [span for span in list(self.spans) if span.trace_id == trace_id]

    def said(self, trace_id: str) -> list[Line]:
        return [line for line in list(self.lines) if line.trace_id == trace_id]

    def take(self, path: str, token: str, body: bytes) -> None:
        if path == "/v1/traces":
            self._take_spans(ExportTraceServiceRequest.FromString(body))
        elif path == "/v1/logs":
            self._take_lines(ExportLogsServiceRequest.FromString(body))
        else:
            self.changes.append((token, json.loads(body)))

    def _take_spans(self, request: ExportTraceServiceRequest) -> None:
        for group in request.resource_spans:
            resource = plain(group.resource.attributes)
            for span in (span for scope in group.scope_spans for span in scope.spans):
                self.spans.append(
                    Span(
                        trace_id=span.trace_id.hex(),
                        span_id=span.span_id.hex(),
                        parent_id=span.parent_span_id.hex(),
                        service=resource["service.name"],
                        name=span.name,
                        kind=KINDS[span.kind],
                        failed=span.status.code == 2,
                        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
                        attributes=plain(span.attributes),
                        resource=resource,
                        events=[event.name for event in span.events],
                    )
                )

    def _take_lines(self, request: ExportLogsServiceRequest) -> None:
        for group in request.resource_logs:
            service = plain(group.resource.attributes)["service.name"]
            for line in (line for scope in group.scope_logs for line in scope.log_records):
                self.lines.append(
                    Line(
                        line.trace_id.hex(),
                        line.span_id.hex(),
                        service,
                        line.body.string_value,
                        line.severity_text,
                        plain(line.attributes),
                    )
                )


def plain(attributes: Any) -> dict[str, Any]:
    return {item.key: value_of(item.value) for item in attributes}


def value_of(value: Message) -> Any:
    chosen = value.WhichOneof("value")
    return getattr(value, chosen) if chosen else None


@contextmanager
def receiving() -> Iterator[Received]:
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.take(self.path, self.headers.get("Authorization", ""), body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield received
        server.shutdown()
