"""Exemplars as a real Prometheus scrapes them: only those of requests that the objective counts as bad."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone

from alerts import exemplars
from connectors.errors import Unreachable
from dashboards import metric_facts
from slo.models import Objective
from telemetry import sources
from tests.make import make_objective, make_source
from tests.servers import PrometheusServer, free_port, prometheus_server, wait_until

pytestmark = [pytest.mark.real, pytest.mark.django_db]

OK, FAILED, SLOW, ELSEWHERE = ("1" * 32, "2" * 32, "3" * 32, "4" * 32)
SERIES = 'http_request_seconds_{part}{{flow="{flow}",code="{code}"{le}}} {value}'


def bucket(le: str, value: int, *, code: str = "200", flow: str = "checkout", trace: str = "", took: float = 0) -> str:
    line = SERIES.format(part="bucket", flow=flow, code=code, le=f',le="{le}"', value=value)
    return f'{line} # {{trace_id="{trace}"}} {took}' if trace else line


def histogram(code: str, flow: str, *buckets: str) -> list[str]:
    rest = [SERIES.format(part=part, flow=flow, code=code, le="", value=2) for part in ("count", "sum")]
    return [*buckets, *rest]


def failures(flow: str, trace: str) -> list[str]:
    quick = bucket("0.5", 2, code="503", flow=flow, trace=trace, took=0.2)
    return histogram("503", flow, quick, bucket("+Inf", 2, code="503", flow=flow))


EXPOSED = "\n".join(
    [
        "# TYPE http_request_seconds histogram",
        *histogram("200", "checkout", bucket("0.5", 1, trace=OK, took=0.1), bucket("+Inf", 2, trace=SLOW, took=2.5)),
        *failures("checkout", FAILED),
        *failures("login", ELSEWHERE),
        "# EOF\n",
    ]
)


@pytest.fixture(scope="module")
def scraped() -> Iterator[PrometheusServer]:
    """A Prometheus that has scraped the histograms above from a process with exemplars."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
            self.end_headers()
            self.wfile.write(EXPOSED.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    process = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=process.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    target = {"job_name": "shop", "static_configs": [{"targets": [f"127.0.0.1:{process.server_address[1]}"]}]}
    try:
        with prometheus_server(scrape_configs=[target]) as server:
            yield server
    finally:
        process.shutdown()
        process.server_close()
        thread.join()


def found(objective: Objective, expected: int = 1, labels: dict[str, str] | None = None) -> list[str]:
    def ask() -> list[str]:
        return exemplars.bad(objective, *the_last_minutes(), labels)

    wait_until(lambda: len(ask()) >= expected, 15, "exemplars")
    return ask()


def the_last_minutes() -> tuple[datetime, datetime]:
    now = timezone.now()
    return now - timedelta(minutes=5), now + timedelta(minutes=1)


def checkout(server: PrometheusServer, **fields: Any) -> Objective:
    matchers = [{"label": "flow", "op": "=", "value": "checkout"}]
    return make_objective(source=make_source(server.url), matchers=matchers, **fields)


def test_failed_requests_are_found_at_the_histogram_whose_count_is_counted(scraped: PrometheusServer) -> None:
    assert found(checkout(scraped, metric="http_request_seconds_count")) == [FAILED]


def test_good_events_that_are_marked_leave_the_others_as_bad(scraped: PrometheusServer) -> None:
    good = [{"label": "code", "op": "=~", "value": "2.."}]
    objective = checkout(scraped, metric="http_request_seconds_count", marks="good", bad_matchers=good)
    assert found(objective) == [FAILED]


def test_good_events_that_more_than_one_label_marks_tell_no_bad_series(scraped: PrometheusServer) -> None:
    good = [{"label": "code", "op": "=", "value": "200"}, {"label": "flow", "op": "=", "value": "checkout"}]
    objective = checkout(scraped, metric="http_request_seconds_count", marks="good", bad_matchers=good)
    assert exemplars.bad(objective, *the_last_minutes()) == []


def test_bad_events_of_a_counter_of_their_own_are_found_there(scraped: PrometheusServer) -> None:
    bad = [{"label": "flow", "op": "=", "value": "login"}, {"label": "code", "op": "=", "value": "503"}]
    objective = checkout(scraped, metric="orders_total", bad_metric="http_request_seconds_count", bad_matchers=bad)
    assert found(objective) == [ELSEWHERE]


def test_a_group_has_the_requests_with_its_labels(scraped: PrometheusServer) -> None:
    everywhere = make_objective(source=make_source(scraped.url), metric="http_request_seconds_count", grouping=["flow"])
    assert found(everywhere, labels={"flow": "login"}) == [ELSEWHERE]


@pytest.mark.parametrize(("metric", "latency"), [("http_request_seconds_count", False), ("http_request_seconds", True)])
def test_the_editor_sees_the_exemplars_of_a_histogram_also_when_its_count_is_chosen(
    scraped: PrometheusServer, metric: str, latency: bool
) -> None:
    found(checkout(scraped, metric="http_request_seconds_count"))
    with sources.client(make_source(scraped.url)) as client:
        assert metric_facts.facts(client, metric, latency, (), timezone.now() + timedelta(seconds=1)).exemplars


def test_only_requests_over_the_threshold_are_slow(scraped: PrometheusServer) -> None:
    objective = checkout(scraped, kind="latency", metric="http_request_seconds", threshold="0.5", bad_matchers=[])
    assert found(objective) == [SLOW]


def test_an_objective_counted_by_an_expression_has_none(scraped: PrometheusServer) -> None:
    objective = checkout(scraped, metric="", bad_expression="vector(1)", total_expression="vector(2)")
    assert exemplars.bad(objective, *the_last_minutes()) == []


def test_a_prometheus_that_is_away_is_said_to_be() -> None:
    objective = make_objective(source=make_source(f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(Unreachable):
        exemplars.bad(objective, *the_last_minutes())


def test_nobody_waits_long_for_exemplars(monkeypatch: pytest.MonkeyPatch) -> None:
    timeouts: list[timedelta] = []

    def client(source: Any) -> Any:
        timeouts.append(source.timeout)
        raise Unreachable("not asked in this test")

    monkeypatch.setattr(sources, "client", client)
    with pytest.raises(Unreachable):
        exemplars.bad(make_objective(source=make_source(timeout=timedelta(minutes=1))), *the_last_minutes())
    assert timeouts == [exemplars.TIMEOUT]
