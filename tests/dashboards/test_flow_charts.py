"""A flow's traffic: what is asked, how the answer is drawn, and what is said when there is none."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboards import flow_charts, traffic
from slo.counting import Matcher, Sli
from slo.instants import floor
from slo.models import Flow, Objective
from tests.dashboards.everything import lately, make_change, make_incident
from tests.make import MINUTE, NOON, make_flow, make_objective, make_source
from tests.servers import PrometheusServer, free_port, prometheus_server

pytestmark = pytest.mark.django_db(databases="__all__")

BUCKETS = {"0.1": 0.5, "1.0": 0.9, "+Inf": 1.0}
LATENCY = Sli("latency", "d_seconds", (Matcher("flow", "=", "checkout"),), threshold=Decimal("0.5"))
EVENTS = Sli("events", "r_total", bad_matchers=(Matcher("code", "=~", "5.."),))


def history(now: datetime) -> str:
    """An hour of 2 requests a second, every tenth of them with a 500, nine of ten within 1 s; 60 s apart."""
    counters = ["# TYPE d_seconds histogram"]
    errors = []
    for n in range(61):
        at, count = (now - (60 - n) * MINUTE).timestamp(), 120.0 * n
        for code, share in (("200", 0.9), ("500", 0.1)):
            labels = f'flow="checkout",code="{code}",instance="a",job="shop"'
            errors += [
                *(
                    f'd_seconds_bucket{{{labels},le="{le}"}} {count * share * part} {at}'
                    for le, part in BUCKETS.items()
                ),
                f"d_seconds_count{{{labels}}} {count * share} {at}",
                f"d_seconds_sum{{{labels}}} {count * share} {at}",
            ]
    return "\n".join(counters + errors)


@pytest.fixture(scope="module")
def shop() -> Iterator[PrometheusServer]:
    with prometheus_server(openmetrics=history(floor(timezone.now(), MINUTE))) as server:
        yield server


@pytest.fixture
def checkout(shop: PrometheusServer) -> Flow:
    flow, source = make_flow("Checkout"), make_source(shop.url)
    matchers = [{"label": "flow", "op": "=", "value": "checkout"}]
    bad = [{"label": "code", "op": "=~", "value": "5.."}]
    make_objective(flow=flow, source=source, metric="d_seconds_count", matchers=matchers, bad_matchers=bad)
    make_objective(
        flow=flow, source=source, kind="latency", metric="d_seconds", matchers=matchers, threshold=Decimal("1")
    )
    return flow


def drawn(owner: Client, kind: str, query: str = "") -> dict[str, Any]:
    response = owner.get(f"/flows/checkout/chart/{kind}/{query}")
    assert response.status_code == 200, response.content
    answer: dict[str, Any] = response.json()
    return answer


def known(column: list[float | None]) -> list[float]:
    return [value for value in column if value is not None]


@pytest.mark.real
class TestAgainstARealPrometheus:
    def test_requests_are_drawn_per_second(self, owner: Client, checkout: Flow) -> None:
        times, values = drawn(owner, "requests")["columns"]
        assert len(times) == len(values)
        assert known(values)[-1] == pytest.approx(2, rel=0.01)

    def test_errors_are_a_share_of_all_requests(self, owner: Client, checkout: Flow) -> None:
        chart = drawn(owner, "errors")
        assert known(chart["columns"][1])[-1] == pytest.approx(0.1, rel=0.01)
        assert chart["limit"] == pytest.approx(0.001)

    def test_no_errors_are_zero_and_not_a_gap(self, owner: Client, checkout: Flow) -> None:
        Objective.objects.update(bad_matchers=[{"label": "code", "op": "=", "value": "503"}])
        assert set(known(drawn(owner, "errors")["columns"][1])) == {0}

    @pytest.mark.parametrize(
        "marked",
        [
            {"marks": "good", "bad_matchers": [{"label": "code", "op": "=", "value": "200"}]},
            # Of a metric of its own, chosen by its own labels alone.
            {"bad_metric": "d_seconds_count", "bad_matchers": [{"label": "code", "op": "=", "value": "500"}]},
        ],
    )
    def test_the_bad_share_is_the_same_however_it_is_marked(
        self, owner: Client, checkout: Flow, marked: dict[str, Any]
    ) -> None:
        Objective.objects.filter(kind="events").update(**marked)
        assert known(drawn(owner, "errors")["columns"][1])[-1] == pytest.approx(0.1, rel=0.01)

    def test_percentiles_come_from_the_histogram(self, owner: Client, checkout: Flow) -> None:
        chart = drawn(owner, "latency")
        assert [line["label"] for line in chart["series"]] == ["p50", "p95", "p99"]
        assert known(chart["columns"][1])[-1] == pytest.approx(0.1, rel=0.01)
        assert known(chart["columns"][3])[-1] == pytest.approx(1.0, rel=0.01)
        assert chart["limit"] == 1.0

    def test_time_without_samples_is_a_gap(self, owner: Client, checkout: Flow) -> None:
        column = drawn(owner, "requests", "?range=6h")["columns"][1]
        assert column[0] is None
        assert known(column)

    def test_a_metric_that_is_gone_is_all_gap(self, owner: Client, checkout: Flow) -> None:
        Objective.objects.update(metric="gone_total", kind="events")
        assert known(drawn(owner, "requests")["columns"][1]) == []

    def test_a_query_that_is_refused_says_what_prometheus_said(self, owner: Client, checkout: Flow) -> None:
        Objective.objects.update(total_expression="sum(rate(", bad_expression="0")
        response = owner.get("/flows/checkout/chart/requests/")
        assert response.status_code == 502
        assert "parse" in response.json()["error"]


def test_a_store_that_is_away_is_said_in_a_sentence_and_not_waited_for(owner: Client) -> None:
    make_objective(flow=make_flow("Checkout"), source=make_source(f"http://127.0.0.1:{free_port()}"))
    response = owner.get("/flows/checkout/chart/requests/")
    assert response.status_code == 502
    assert "cannot be reached" in response.json()["error"]
    assert timedelta(seconds=5) >= flow_charts.PATIENCE


def test_a_flow_without_a_histogram_has_no_latency_chart(owner: Client) -> None:
    make_objective(flow=make_flow("Checkout"))
    assert owner.get("/flows/checkout/chart/latency/").status_code == 404
    assert "latency" not in owner.get("/flows/checkout/").content.decode()


def test_an_objective_that_judges_time_slices_has_no_requests_to_draw(owner: Client) -> None:
    make_objective(flow=make_flow("Checkout"), kind="bool", metric="", expression="up", bad_matchers=[])
    assert owner.get("/flows/checkout/chart/requests/").status_code == 404
    assert "chart/requests" not in owner.get("/flows/checkout/").content.decode()


@pytest.mark.parametrize("kind", ["nonsense", "requests"])
def test_what_cannot_be_drawn_is_said(owner: Client, kind: str) -> None:
    make_flow("Checkout")
    response = owner.get(f"/flows/checkout/chart/{kind}/")
    assert response.status_code == 404
    assert "objective" in response.json()["error"]


def test_incidents_and_changes_are_marked_on_the_charts() -> None:
    flow = make_flow("Checkout")
    incident = make_incident(flow)
    make_incident(make_flow("Login"))
    make_change("checkout 2026.11.3", at=lately(9 * MINUTE))
    found = flow_charts.marks(flow, lately(30 * MINUTE), lately())
    assert [(mark["label"], mark["tone"]) for mark in found] == [
        ("checkout 2026.11.3", ""),
        (f"INC-{incident.pk}", "page"),
    ]


@pytest.mark.parametrize("span", traffic.RANGES.values())
def test_a_chart_has_enough_points_but_not_too_many(span: timedelta) -> None:
    shape = traffic.frame(NOON + timedelta(seconds=7.3), span)
    assert 100 <= (shape.end - shape.start) / shape.step <= traffic.POINTS
    assert shape.end <= NOON + timedelta(seconds=7.3)


def test_two_polls_within_a_step_ask_for_the_same_points() -> None:
    early, late = (traffic.frame(NOON + timedelta(seconds=s), traffic.RANGES["1h"]) for s in (1, 14))
    assert early == late


def test_a_value_is_never_drawn_at_another_time() -> None:
    shape = traffic.Frame(NOON, NOON + 3 * MINUTE, MINUTE)
    lines = traffic.requests(EVENTS, MINUTE)
    chart = traffic.chart(shape, lines, [[(NOON + MINUTE, 5.0)]], as_of=NOON)
    assert chart["columns"][1] == [None, 5.0, None, None]


@pytest.mark.parametrize(
    ("sli", "stem"),
    [
        (LATENCY, "d_seconds"),
        (Sli("events", "d_seconds_count"), "d_seconds"),
        (Sli("events", "d_seconds_bucket"), "d_seconds"),
        (EVENTS, ""),
        (Sli("events", total_expression="sum(x)", bad_expression="sum(y)"), ""),
    ],
)
def test_the_histogram_behind_an_objective_is_found_by_its_name(sli: Sli, stem: str) -> None:
    assert traffic.histogram_of(sli) == stem


def test_slow_requests_are_counted_however_the_client_writes_the_limit() -> None:
    [line] = traffic.errors(LATENCY, MINUTE)
    assert 'le=~"0\\\\.5|' in line.query or 'le=~"0\\\\.5"' in line.query
