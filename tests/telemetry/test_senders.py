"""What real senders send over a real connection arrives."""

import json
import sqlite3
from datetime import UTC, datetime

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tests.telemetry import messages
from tests.telemetry.deployment import TOKEN, web

pytestmark = pytest.mark.real


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    with web(tmp_path, FIRELINE_OTLP_MAX_BYTES="2000") as running:
        yield running


def send_with_sdk(url: str, compression: Compression) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    exporter = OTLPSpanExporter(f"{url}/v1/traces", headers=headers, compression=compression)
    provider = TracerProvider(resource=Resource({"service.name": "checkout"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop")
    attributes = {"user.flow": "checkout", "items": (1, 2), "compression": compression.value}
    with tracer.start_as_current_span("POST /checkout", kind=trace.SpanKind.SERVER, attributes=attributes) as span:
        span.record_exception(ValueError("declined"))
        span.set_status(trace.StatusCode.ERROR, "declined")
    provider.shutdown()


def test_senders_are_served_over_real_connections(server, tmp_path):
    for compression in (Compression.NoCompression, Compression.Gzip):
        send_with_sdk(server.url, compression)
    chunk = messages.traces(messages.span(datetime.now(UTC), name="chunked")).SerializeToString()
    assert server.post(iter([chunk[:10], chunk[10:]])).status_code == 200
    assert server.post(iter([bytes(800)] * 3)).status_code == 413
    assert server.post(bytes(50 * 1024 * 1024)).status_code == 413

    columns = "name, service, kind, status, status_message, attributes, events"
    with sqlite3.connect(tmp_path / "telemetry.sqlite3") as connection:
        rows = connection.execute(f"SELECT {columns} FROM telemetry_storedspan ORDER BY id").fetchall()
    connection.close()
    assert [row[0] for row in rows] == ["POST /checkout", "POST /checkout", "chunked"]
    for row, packing in zip(rows, ("none", "gzip"), strict=False):
        assert row[1:5] == ("checkout", "server", "error", "declined")
        assert json.loads(row[5]) == {"user.flow": "checkout", "items": [1, 2], "compression": packing}
        ((_, name, attributes),) = json.loads(row[6])
        assert (name, attributes["exception.type"]) == ("exception", "ValueError")
