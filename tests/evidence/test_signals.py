"""Requests read from metrics of any naming."""

import pytest

from evidence.series import Series
from evidence.signals import Signal, signals
from tests.evidence.measured import series


def only(*given: Series) -> Signal:
    [one] = signals(given)
    return one


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("request_latency_seconds", "latency"),
        ("http_server_request_duration_seconds", "latency"),
        ("response_time_ms", "latency"),
        ("availability_percent", "errors"),
        ("success_rate", "errors"),
        ("error_ratio", "errors"),
        ("requests_per_5m", "requests"),
        ("http_requests_total", "requests"),
        ("qps", "requests"),
    ],
)
def test_a_name_tells_what_is_measured(name: str, role: str) -> None:
    assert only(series(name, [1, 1, 1], service="a")).role == role


@pytest.mark.parametrize(
    "name",
    [
        "process_cpu_seconds_total",
        "jvm_gc_duration_seconds",
        "http_client_request_duration_seconds",
        "http_requests_in_flight",
        "request_size_bytes",
        "build_info",
        "temperature",
    ],
)
def test_what_is_no_request_to_the_service_is_left_out(name: str) -> None:
    assert signals([series(name, [1, 2, 3], service="a")]) == []


def test_milliseconds_become_seconds() -> None:
    assert only(series("response_time_ms", [250], service="a")).values.tolist() == [0.25]


@pytest.mark.parametrize(
    ("name", "value"), [("availability_percent", 97.0), ("success_rate", 0.97), ("error_rate", 0.03)]
)
def test_success_and_failure_become_the_share_that_failed(name: str, value: float) -> None:
    assert only(series(name, [value], service="a")).values.tolist() == pytest.approx([0.03])


def test_a_status_label_tells_failed_requests_from_others() -> None:
    good = series("http_requests_total", [0, 540, 1080], "counter", service="a", status="200")
    gone = series("http_requests_total", [0, 30, 60], "counter", service="a", status="404")
    bad = series("http_requests_total", [0, 30, 60], "counter", service="a", status="503")
    found = {one.role: one for one in signals([good, gone, bad])}
    assert found["requests"].values.tolist() == [10, 10]
    assert found["errors"].values.tolist() == pytest.approx([0.05, 0.05])


def test_errors_counted_apart_are_divided_by_the_requests() -> None:
    asked = series("requests_total", [0, 600, 1200], "counter", service="a")
    failed = series("request_errors_total", [0, 6, 12], "counter", service="a")
    found = {one.role: one for one in signals([asked, failed])}
    assert found["errors"].values.tolist() == pytest.approx([0.01, 0.01])


def test_a_histogram_gives_its_mean_added_over_pods_before_it_is_divided() -> None:
    given = []
    for pod, count, total in (("a-1", 900, 90), ("a-2", 100, 100)):
        given.append(series("request_duration_seconds_count", [0, count], "histogram", service="a", pod=pod))
        given.append(series("request_duration_seconds_sum", [0, total], "histogram", service="a", pod=pod))
    found = {one.role: one for one in signals(given)}
    assert found["latency"].values.tolist() == pytest.approx([0.19])
    assert {one.pod: one.values[0] for one in signals(given, per_pod=True) if one.role == "latency"} == {
        "a-1": pytest.approx(0.1),
        "a-2": pytest.approx(1.0),
    }


def test_an_edge_tells_about_its_destination() -> None:
    one = only(series("request_latency_seconds", [1], source="a", destination="b"))
    assert (one.service, one.source) == ("b", "a")


def test_series_scraped_a_little_apart_are_still_added() -> None:
    first = series("requests_per_second", [10.0] * 10, service="a", pod="1")
    second = Series("requests_per_second", {"service": "a", "pod": "2"}, first.times + 7 * 10**9, first.values)
    assert only(first, second).values[1:-1].tolist() == pytest.approx([20.0] * 8)
