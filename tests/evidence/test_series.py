"""Metric series: what is read from OpenMetrics text however odd, and what is picked from it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from connectors.telemetry import to_ns
from evidence.case import Interval
from evidence.series import Series, SeriesTable, read_openmetrics

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = int(NOON.timestamp())


def counter(*values: float) -> Series:
    times = np.array([to_ns(NOON + place * timedelta(seconds=10)) for place in range(len(values))], dtype=np.int64)
    return Series("requests_total", {"service": "pay"}, times, np.array(values, dtype=np.float64), "counter")


def only(lines: Sequence[str]) -> Series:
    [one] = read_openmetrics(lines)
    return one


def test_a_sample_keeps_its_name_labels_instant_and_type() -> None:
    one = only(
        ["# TYPE latency_seconds gauge", f'latency_seconds{{service="pay",stat="p99"}} 0.25 {SECOND}.5', "# EOF"]
    )
    assert (one.name, one.labels, one.type) == ("latency_seconds", {"service": "pay", "stat": "p99"}, "gauge")
    assert one.times.tolist() == [to_ns(NOON) + 500_000_000]
    assert one.values.tolist() == [0.25]
    assert one.selector == 'latency_seconds{service="pay",stat="p99"}'


def test_quotes_commas_braces_and_line_breaks_belong_to_a_label_value() -> None:
    one = only([f'up{{path="a \\"b\\", {{c}}\\n\\\\d",service="pay"}} 1 {SECOND}'])
    assert one.labels == {"path": 'a "b", {c}\n\\d', "service": "pay"}


def test_an_exemplar_is_not_taken_for_the_sample() -> None:
    one = only(["# TYPE took histogram", f'took_bucket{{le="1"}} 7 {SECOND} # {{trace_id="ab"}} 0.4 {SECOND - 9}'])
    assert one.values.tolist() == [7]
    assert one.cumulative


def test_lines_that_cannot_be_read_are_counted_and_the_rest_is_kept() -> None:
    table = read_openmetrics(
        [
            "",
            "up 1",
            "up",
            f"up{{broken 1 {SECOND}",
            f"up{{a=b}} 1 {SECOND}",
            f"up one {SECOND}",
            f"up 1 {SECOND}",
            'up{a="',
        ]
    )
    assert table.skipped == 6
    assert [one.values.tolist() for one in table] == [[1.0]]


def test_nan_is_not_a_measurement() -> None:
    assert only([f"up NaN {SECOND}", f"up 1 {SECOND + 1}"]).values.tolist() == [1.0]


def test_samples_out_of_order_are_sorted_and_the_last_of_an_instant_counts() -> None:
    one = only([f"up 3 {SECOND + 2}", f"up 1 {SECOND}", f"up 2 {SECOND}"])
    assert one.values.tolist() == [2.0, 3.0]


def test_milliseconds_are_told_from_seconds() -> None:
    assert only([f"up 1 {SECOND}000"]).times.tolist() == [to_ns(NOON)]


def test_a_counter_becomes_a_rate_and_a_restart_is_no_negative_one() -> None:
    assert counter(100, 150, 20, 20).as_rate().values.tolist() == [5.0, 2.0, 0.0]


def test_a_gauge_is_not_made_a_rate_whatever_it_is_called() -> None:
    one = Series("requests_total", {}, counter(4, 2, 9).times, np.array([4.0, 2.0, 9.0]), "gauge")
    assert one.as_rate().values.tolist() == [4.0, 2.0, 9.0]


def test_a_counter_declared_as_a_gauge_is_known_by_never_falling() -> None:
    one = Series("requests_total", {}, counter(1, 2, 4).times, np.array([1.0, 2.0, 4.0]), "gauge")
    assert one.cumulative


@pytest.mark.parametrize(
    ("labels", "service", "pod"),
    [
        ({"service": "a", "job": "x"}, "a", ""),
        ({"service_name": "a", "k8s_pod_name": "a-1"}, "a", "a-1"),
        ({"job": "a"}, "a", ""),
        ({}, "", ""),
    ],
)
def test_a_series_knows_whose_it_is(labels: dict[str, str], service: str, pod: str) -> None:
    one = Series("up", labels, counter().times, counter().values)
    assert (one.service, one.pod) == (service, pod)


def test_series_are_picked_by_name_service_and_label() -> None:
    table = read_openmetrics(
        f'{name}{{service="{service}",stat="{stat}"}} 1 {SECOND}'
        for name in ("took", "asked")
        for service in ("a", "b")
        for stat in ("p50", "p99")
    )
    assert table.names == ["asked", "took"]
    assert table.services == ["a", "b"]
    assert [one.labels["stat"] for one in table.select("took", service="a")] == ["p50", "p99"]
    assert len(table.select(service="b", stat="p50")) == 2
    assert SeriesTable().select("took") == []


def test_only_what_was_measured_in_the_window_is_looked_at() -> None:
    window = Interval(NOON + timedelta(seconds=10), NOON + timedelta(seconds=30))
    assert counter(1, 2, 3, 4).during([window]).tolist() == [2.0, 3.0]
