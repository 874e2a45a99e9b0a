"""Prometheus metrics of one process: request durations with exemplars, and the /metrics page."""

import time
from collections.abc import Callable, Mapping

import prometheus_client
from flask import Flask, Response, g, request
from opentelemetry import trace
from prometheus_client import Gauge, Histogram
from prometheus_client.exposition import choose_encoder

from demo.processes import METRICS_PATH, READY_PATH

# One set for all services; the boundaries are what latency objectives can promise.
SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
HTTP_LABELS = ("http_request_method", "http_route", "http_response_status_code")
UNMEASURED = frozenset({METRICS_PATH, READY_PATH})

type Labels = Callable[[], Mapping[str, str]]

prometheus_client.disable_created_metrics()
_build = Gauge("shop_build_info", "The version that runs: always 1.", ("service", "version"))


def exemplar() -> dict[str, str] | None:
    """The running span as an exemplar."""
    running = trace.get_current_span().get_span_context()
    if not running.is_valid:
        return None
    return {"trace_id": f"{running.trace_id:032x}", "span_id": f"{running.span_id:016x}"}


def expose(app: Flask, service: str, version: str) -> None:
    """Serve /metrics."""
    _build.labels(service=service, version=version).set(1)
    app.get(METRICS_PATH)(exposition)


def measure(app: Flask, names: tuple[str, ...] = (), labels: Labels = dict) -> None:
    """Measure every request of `app`. `names` are labels besides HTTP's; `labels()` are their values."""
    duration = Histogram(
        "http_server_request_duration_seconds",
        "Duration of HTTP server requests.",
        (*HTTP_LABELS, *names),
        buckets=SECONDS,
    )

    @app.before_request
    def begin() -> None:
        g.begun = time.perf_counter()

    @app.after_request
    def end(response: Response) -> Response:
        if request.path not in UNMEASURED:
            route = request.url_rule.rule if request.url_rule else ""
            values = (request.method, route, str(response.status_code))
            series = duration.labels(**dict(zip(HTTP_LABELS, values, strict=True)), **labels())
            series.observe(time.perf_counter() - g.begun, exemplar())
        return response


def exposition() -> Response:
    """The metrics in OpenMetrics, which carries exemplars, when the scraper accepts it."""
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(prometheus_client.REGISTRY), content_type=content_type)
