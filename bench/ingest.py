"""How many spans a second the OTLP receiver takes on one core, beside plain protobuf decoding in the same run.

    uv run python -m bench.ingest [--seconds 5] [--batch 500]

Batches of 10-span traces with the attributes of a real HTTP service go through the real view, middleware included,
into a new SQLite database, as an exporter sends them.
"""

import argparse
import itertools
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5, help="how long to measure each of the two")
    parser.add_argument("--batch", type=int, default=500, help="spans in one request (512 is what SDKs send at most)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fireline-bench-") as directory:
        _prepare(directory)
        few = itertools.cycle(itertools.islice(_requests(arguments.batch), 20))
        decoded = _rate(_decode, few, arguments.seconds)
        taken = _rate(_sender(), _requests(arguments.batch), arguments.seconds)
    print(f"plain protobuf decoding  {decoded * arguments.batch:>10,.0f} spans/s")
    print(f"through the receiver     {taken * arguments.batch:>10,.0f} spans/s")
    print(f"ratio                    {decoded / taken:>10,.1f} × the time of decoding alone")


def _prepare(directory: str) -> None:
    os.environ.update(
        DJANGO_SETTINGS_MODULE="config.settings",
        FIRELINE_SECRET_KEY="only for the benchmark",
        FIRELINE_VAR=directory,
        FIRELINE_INGEST_TOKEN="bench",
        FIRELINE_ALLOWED_HOSTS="testserver",
        FIRELINE_LOG_LEVEL="ERROR",
    )
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    # The same middleware, but not the pages, which take no part in this.
    settings.ROOT_URLCONF = "telemetry.urls"
    os.makedirs(os.path.join(directory, "static"))
    for database in ("default", "telemetry"):
        call_command("migrate", database=database, verbosity=0)


RESOURCE: dict[str, str | int] = {
    "service.name": "checkout",
    "service.version": "2.4.1",
    "deployment.environment": "production",
    "telemetry.sdk.language": "python",
    "host.name": "checkout-7f9c",
}
ATTRIBUTES: dict[str, str | int] = {
    "user.flow": "checkout",
    "http.request.method": "POST",
    "http.route": "/checkout",
    "http.response.status_code": 200,
    "server.address": "checkout.internal",
    "tenant": "acme",
    "region": "eu-west",
    "payment.method": "card",
}


def _requests(batch: int) -> Iterator[bytes]:
    """Endless new requests of `batch` spans, ten a trace."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    while True:
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        _add(group.resource.attributes, RESOURCE)
        scope = group.scope_spans.add()
        for number in range(batch):
            if number % 10 == 0:
                trace_id, parent = os.urandom(16), b""
            now = time.time_ns()
            span_id = os.urandom(8)
            span = scope.spans.add(
                trace_id=trace_id,
                span_id=span_id,
                parent_span_id=parent,
                name="POST /checkout",
                kind=2 if not parent else 1,
                start_time_unix_nano=now - 50_000_000,
                end_time_unix_nano=now,
            )
            parent = parent or span_id
            _add(span.attributes, ATTRIBUTES)
        yield request.SerializeToString()


def _add(target: Any, values: dict[str, str | int]) -> None:
    for key, value in values.items():
        pair = target.add(key=key)
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value


def _decode(body: bytes) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    ExportTraceServiceRequest.FromString(body)


def _sender() -> Callable[[bytes], None]:
    from django.test import Client

    client = Client(headers={"Authorization": "Bearer bench"})

    def send(body: bytes) -> None:
        answer = client.post("/v1/traces", body, content_type="application/x-protobuf")
        assert answer.status_code == 200, answer.content

    return send


def _rate(work: Callable[[bytes], None], bodies: Iterator[bytes], seconds: float) -> float:
    """Calls a second of processor time; making the requests is not counted."""
    used, calls = 0.0, 0
    while used < seconds:
        body = next(bodies)
        before = time.process_time()
        work(body)
        used += time.process_time() - before
        calls += 1
    return calls / used


if __name__ == "__main__":
    main()
