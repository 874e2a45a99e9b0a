"""Samples as they are stored: what a real Prometheus answers, and what is left out."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from connectors import prometheus, raw_samples
from connectors.errors import NotAStore, TooMuch
from connectors.prometheus import Prometheus
from connectors.raw_samples import Histogram, Samples
from tests.connectors.impostor import impostor
from tests.connectors.test_prometheus import HISTORY, LOOPBACK, NOON, ask, success
from tests.servers import PrometheusServer, prometheus_server
from tests.slo.scrapes import native_histogram, remote_write_bodies

MINUTE = timedelta(minutes=1)
CHECKOUT = 'requests_total{service="checkout"}'


@pytest.fixture(scope="module")
def server() -> Iterator[PrometheusServer]:
    with prometheus_server(openmetrics=HISTORY) as running:
        yield running


@pytest.fixture
def client(server: PrometheusServer) -> Iterator[Prometheus]:
    with Prometheus(server.url, allowed=LOOPBACK) as client:
        yield client


@pytest.mark.real
def test_samples_keep_their_own_times(client: Prometheus) -> None:
    (found,) = client.raw(CHECKOUT, NOON - 3 * MINUTE, NOON + MINUTE / 4)
    assert found.labels["service"] == "checkout"
    assert [NOON.timestamp() - at for at in found.times] == [120, 60, 0]
    assert found.values == [10, 25, 40]


@pytest.mark.real
def test_a_range_holds_its_end_but_not_its_start(client: Prometheus) -> None:
    (found,) = client.raw(CHECKOUT, NOON - MINUTE, NOON)
    assert found.values == [40]


@pytest.mark.real
def test_series_without_samples_in_the_range_are_not_there(client: Prometheus) -> None:
    assert client.raw("requests_total{}", NOON + MINUTE, NOON + 2 * MINUTE) == []


@pytest.mark.real
def test_native_histograms_come_with_their_buckets() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    with prometheus_server(flags=["--enable-feature=native-histograms"]) as server:
        # Schema 0: buckets up to 1, 2, 4, … seconds.
        remote_write_bodies(server.url, [native_histogram("seconds", now, buckets=(3, 2), first=1)])
        with Prometheus(server.url, allowed=LOOPBACK) as client:
            (found,) = client.raw("seconds{}", now - MINUTE, now)
    assert found.values == [5]
    assert found.histograms == [Histogram(5, ((1.0, 2.0, 3.0), (2.0, 4.0, 2.0)))]


def rows(*pairs: tuple[float, str], **more: Any) -> list[dict[str, Any]]:
    return [{"metric": {}, "values": [list(pair) for pair in pairs]} | more]


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_what_is_not_a_number_is_left_out(value: str) -> None:
    assert list(raw_samples.read(rows((1, "5"), (2, value), (3, "6")), 0)) == [Samples({}, [1, 3], [5, 6])]


def test_a_series_of_which_nothing_is_left_is_not_there() -> None:
    assert list(raw_samples.read(rows((1, "NaN")), 0)) == []


def test_finite_values_of_any_size_stay() -> None:
    assert list(raw_samples.read(rows((1, "1e308"), (2, "1e308")), 0)) == [Samples({}, [1, 2], [1e308, 1e308])]


@pytest.mark.parametrize(("limit", "events"), [(0.5, 0), (1.0, 0), (1.5, 1.5), (2.0, 3), (3.0, 4), (9.0, 5)])
def test_a_part_of_a_bucket_holds_as_large_a_part_of_its_events(limit: float, events: float) -> None:
    assert Histogram(5, ((1.0, 2.0, 3.0), (2.0, 4.0, 2.0))).at_most(limit) == events


def test_nothing_is_guessed_about_a_bucket_without_an_end() -> None:
    assert Histogram(5, ((1.0, float("inf"), 5.0),)).at_most(100) == 0


def test_a_flood_of_samples_is_refused_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "LARGEST_RAW", 1024**2)
    flood = rows(*[(n, "1") for n in range(200_000)])
    with (
        impostor(success({"resultType": "matrix", "result": flood})) as server,
        ask(server) as client,
        pytest.raises(TooMuch, match="Choose fewer series or a shorter time"),
    ):
        client.raw("up", NOON - MINUTE, NOON)


def test_a_store_need_not_pack_what_it_answers() -> None:
    with impostor(success({"resultType": "matrix", "result": []})) as server, ask(server) as client:
        client.raw("up", NOON - MINUTE, NOON)
        assert server.requests[0].headers["Accept-Encoding"] == "identity"


def test_half_a_cluster_is_no_answer() -> None:
    with impostor(success({"resultType": "matrix", "result": []})) as server, ask(server) as client:
        client.raw("up", NOON - MINUTE, NOON)
        asked = parse_qs(server.requests[0].body.decode())
    assert (asked["partial_response"], asked["deny_partial_response"]) == (["false"], ["1"])


@pytest.mark.parametrize("result", [{"a": 1}, [{"metric": {}, "values": [[1]]}], [{"values": [[2e9, "2"]]}], "text"])
def test_an_answer_of_another_form_is_named_as_such(result: object) -> None:
    with (
        impostor(success({"resultType": "matrix", "result": result})) as server,
        ask(server) as client,
        pytest.raises(NotAStore, match="form that Prometheus's API does not have"),
    ):
        client.raw("up", NOON - MINUTE, NOON)
