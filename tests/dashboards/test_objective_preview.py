"""The live parts of the objective's form, against a real Prometheus and against what can go wrong."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboards import objective_charts, objective_preview
from slo.models import Objective
from tests import servers
from tests.connectors.impostor import Reply, impostor
from tests.dashboards.everything import HOSTILE, make_incident
from tests.dashboards.objective_forms import filled
from tests.dashboards.pages import Page
from tests.make import HOUR, MINUTE, NOON, make_flow, make_objective, make_source, tier
from tests.servers import PrometheusServer, free_port
from tests.slo.scrapes import native_histogram, remote_write_bodies

pytestmark = pytest.mark.django_db

HOUR_WINDOW = {
    "window": "1 h",
    "tier_severity": ["page"],
    "tier_long": ["600"],
    "tier_short": ["120"],
    "tier_share": ["20"],
}
PREVIEW = "/flows/checkout/objectives/preview/"


def history() -> str:
    """Two hours of a counter and a histogram: all is well but for ten minutes, half an hour ago.

    It goes on for a while after now, so that every slice is full however long the tests take.
    """
    end = int(timezone.now().timestamp()) // 60 * 60
    lines: dict[str, list[str]] = {name: [] for name in ("good", "bad", "fast", "slow", "count", "up")}
    good = bad = 0
    for at in range(end - 7200, end + 1800, 60):
        failing = end - 2400 < at <= end - 1800
        good, bad = good + (50 if failing else 100), bad + (50 if failing else 0)
        labels = 'job="shop",instance="shop:1"'
        lines["good"].append(f'requests_total{{{labels},service="checkout",code="200"}} {good} {at}')
        lines["bad"].append(f'requests_total{{{labels},service="checkout",code="500"}} {bad} {at}')
        lines["fast"].append(f'duration_seconds_bucket{{{labels},le="0.25"}} {good} {at}')
        lines["slow"].append(f'duration_seconds_bucket{{{labels},le="+Inf"}} {good + bad} {at}')
        lines["count"].append(f"duration_seconds_count{{{labels}}} {good + bad} {at}")
        lines["up"].append(f"up{{{labels}}} 1 {at}")
    parts = (
        "# TYPE requests counter",
        *lines["good"],
        *lines["bad"],
        "# TYPE duration_seconds histogram",
        *(line for name in ("fast", "slow", "count") for line in lines[name]),
        "# TYPE up gauge",
        *lines["up"],
        "# EOF\n",
    )
    return "\n".join(parts)


@pytest.fixture(scope="module")
def server() -> Iterator[PrometheusServer]:
    with servers.prometheus_server(openmetrics=history()) as server:
        yield server


def tried(owner: Client, url: str, **changed: Any) -> Page:
    make_flow("Checkout")
    response = owner.post(PREVIEW, filled(make_source(url), **HOUR_WINDOW | changed))
    assert response.status_code == 200
    page = Page(response)
    assert list(page.offences()) == []
    return page


class TestWithAPrometheus:
    pytestmark = pytest.mark.real

    def test_it_shows_how_the_past_would_have_been(self, owner: Client, server: PrometheusServer) -> None:
        page = tried(owner, server.url)
        assert "The last 1\u00a0h with this draft" in page.text
        assert "500 bad of" in page.text
        assert "target 99.9\u202f%" in page.text
        assert any(tag == "polyline" for tag, _ in page.tags)

    def test_it_shows_which_alerts_would_have_fired_and_why(self, owner: Client, server: PrometheusServer) -> None:
        page = tried(owner, server.url)
        assert "3 alerts would have fired" in page.text
        assert "1 page, 0 tickets, 2 of budget or data" in page.text
        assert "events bad in 10" in page.text
        assert "100\u202f% of the budget spent" in page.text
        assert ("line", "mark page") in [(tag, attributes.get("class")) for tag, attributes in page.tags]
        assert not [link for link in page.links if link.startswith("/incidents/")]

    def test_an_incident_of_that_time_is_linked(self, owner: Client, server: PrometheusServer) -> None:
        flow = make_flow("Checkout")
        incident = make_incident(flow, opened_at=timezone.now() - 38 * MINUTE)
        page = Page(owner.post(PREVIEW, filled(make_source(server.url), **HOUR_WINDOW)))
        assert f"/incidents/{incident.pk}/" in page.links

    def test_the_forms_derived_numbers_come_with_it(self, owner: Client, server: PrometheusServer) -> None:
        page = tried(owner, server.url)
        assert {"target-note", "save-note", "tier-0-bad", "tier-0-factor", "tier-0-after", "tier-0-error"} <= set(
            page.ids()
        )
        assert "The budget is 6 bad events of" in page.text

    def test_a_latency_objective_counts_by_its_bucket(self, owner: Client, server: PrometheusServer) -> None:
        page = tried(
            owner,
            server.url,
            counting="latency",
            metric="duration_seconds",
            threshold="0.25",
            match_label="",
            match_value="",
        )
        assert "500 bad of" in page.text

    def test_an_expression_counts_by_itself(self, owner: Client, server: PrometheusServer) -> None:
        page = tried(
            owner,
            server.url,
            counting="expression",
            total_expression="increase(requests_total[{{window}}])",
            bad_expression='increase(requests_total{code="500"}[{{window}}])',
        )
        assert "with this draft" in page.text

    def test_a_query_that_does_not_parse_gets_prometheus_own_words(
        self, owner: Client, server: PrometheusServer
    ) -> None:
        page = tried(
            owner, server.url, counting="expression", total_expression="sum({{window}}", bad_expression="x{{window}}"
        )
        assert "refused the question" in page.text
        assert "parse error" in page.text

    def test_a_metric_that_is_gone_says_so(self, owner: Client, server: PrometheusServer) -> None:
        assert "No series matches gone_total" in tried(owner, server.url, metric="gone_total").text

    def test_a_rule_that_makes_everything_bad_is_pointed_out(self, owner: Client, server: PrometheusServer) -> None:
        assert "Every event would be bad" in tried(owner, server.url, bad_value=".*").text

    def test_a_label_that_no_series_has_is_pointed_out_because_nothing_would_ever_be_bad(
        self, owner: Client, server: PrometheusServer
    ) -> None:
        assert "No series of this metric has the label status" in tried(owner, server.url, bad_label="status").text

    def test_a_value_that_no_series_has_yet_is_fine(self, owner: Client, server: PrometheusServer) -> None:
        assert "has the label" not in tried(owner, server.url, bad_value="404").text

    def test_it_counts_the_places_that_differ_from_what_is_stored(
        self, owner: Client, server: PrometheusServer
    ) -> None:
        flow = make_flow("Checkout")
        source = make_source(server.url)
        objective = make_objective(flow=flow, source=source, name="Availability", window=timedelta(hours=1))
        page = Page(owner.post(PREVIEW, filled(source, objective=objective.pk, target="99") | HOUR_WINDOW))
        # The target, the labels that count, the tiers, the budget alerts and the one for no data.
        assert "differs from the saved one in 5 places" in page.text

    def test_a_long_past_is_read_in_parts_with_the_newest_shown_at_once(
        self, owner: Client, server: PrometheusServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objective_preview, "AT_ONCE", timedelta(0))
        make_flow("Checkout")
        typed = filled(make_source(server.url), window="1 d")
        pages = [Page(owner.post(PREVIEW, typed)) for _ in range(7)]
        reading = [page for page in pages if "Reading the past:" in page.text]
        assert 2 <= len(reading) < 7
        assert "bad of" in reading[0].text
        assert [attributes["hx-post"] for _, attributes in reading[0].tags if attributes.get("id") == "reading"] == [
            PREVIEW
        ]
        assert "The last 1\u00a0d with this draft" in pages[-1].text

    def test_what_was_read_is_tried_at_once_even_while_prometheus_is_away(self, owner: Client) -> None:
        make_flow("Checkout")
        with servers.prometheus_server(openmetrics=history()) as own:
            source = make_source(own.url)
            owner.post(PREVIEW, filled(source, **HOUR_WINDOW))
            own.stop()
            page = Page(owner.post(PREVIEW, filled(source, **HOUR_WINDOW) | {"target": "95"}))
        assert "target 95\u202f%" in page.text
        assert "500 bad of 300 allowed" in page.text
        assert "nothing listens" not in page.text

    def test_it_is_compared_with_the_objective_as_it_is_saved(self, owner: Client, server: PrometheusServer) -> None:
        flow, source = make_flow("Checkout"), make_source(server.url)
        rule = tier(long=10 * MINUTE, short=2 * MINUTE, budget_share="0.2")
        same = [{"label": "service", "op": "=", "value": "checkout"}]
        saved = make_objective("0.95", HOUR, [rule], flow, source, matchers=same)
        page = Page(owner.post(PREVIEW, filled(source, objective=saved.pk) | HOUR_WINDOW))
        assert "min earlier than saved" in page.text
        assert "new the saved rules miss it" in page.text
        assert "as saved −66.7\u202f%" in page.text

    def test_a_hopeless_target_comes_with_one_that_would_have_held(
        self, owner: Client, server: PrometheusServer
    ) -> None:
        page = tried(owner, server.url)
        assert "would not have held" in page.text
        buttons = [attributes for tag, attributes in page.tags if attributes.get("name") == "use_target"]
        assert [(one["value"], one["form"]) for one in buttons] == [("80", "objective-form")]

    def test_groups_are_shown_with_the_worst_one_first(self, owner: Client, server: PrometheusServer) -> None:
        page = tried(owner, server.url, grouping="code")
        assert 'Of 2 groups, this is the worst: {code="500"}' in page.text
        assert page.text.index('{code="500"}') < page.text.index('{code="200"}')

    def test_a_label_to_group_by_that_no_series_has_is_pointed_out(
        self, owner: Client, server: PrometheusServer
    ) -> None:
        assert "No series of this metric has the label regoin" in tried(owner, server.url, grouping="regoin").text

    def test_a_gauge_is_judged_slice_by_slice(self, owner: Client, server: PrometheusServer) -> None:
        page = tried(
            owner, server.url, counting="gauge", expression='rate(requests_total{code="500"}[2m])', level="0.1"
        )
        assert "bad time slices of 60 in 1\u00a0h" in page.text
        assert "1 page, 0 tickets" in page.text

    def test_a_probe_that_was_up_all_the_time_is_all_good(self, owner: Client, server: PrometheusServer) -> None:
        page = tried(owner, server.url, counting="bool", expression='up{job="shop"}')
        assert "0 bad of" in page.text
        assert "No alert would have fired" in page.text

    def test_an_expression_that_does_not_parse_is_not_saved(self, owner: Client, server: PrometheusServer) -> None:
        make_flow("Checkout")
        typed = filled(make_source(server.url), counting="freshness", expression="max(", age="5 min")
        response = owner.post("/flows/checkout/objectives/new/", typed)
        assert response.status_code == 422
        assert "parse error" in Page(response).text

    def test_a_limit_without_a_bucket_is_not_saved(self, owner: Client, server: PrometheusServer) -> None:
        make_flow("Checkout")
        latency = {"counting": "latency", "metric": "duration_seconds", "threshold": "0.3"}
        response = owner.post("/flows/checkout/objectives/new/", filled(make_source(server.url), **latency))
        assert response.status_code == 422
        assert "No bucket of duration_seconds ends at 0.3 s. The nearest ends at 0.25 s." in Page(response).text
        assert not Objective.objects.exists()

    def test_a_query_that_does_not_parse_is_not_saved(self, owner: Client, server: PrometheusServer) -> None:
        make_flow("Checkout")
        typed = filled(
            make_source(server.url),
            counting="expression",
            total_expression="sum({{window}}",
            bad_expression="vector(0) #{{window}}",
        )
        response = owner.post("/flows/checkout/objectives/new/", typed)
        page = Page(response)
        assert response.status_code == 422
        assert "parse error" in page.text
        assert "sum({{window}}" in page.text

    def test_a_metric_is_suggested_with_what_is_known_of_it(self, owner: Client, server: PrometheusServer) -> None:
        source = make_source(server.url, name="Prometheus eu")
        asked: dict[str, Any] = {"source": source.pk, "metric": "requests_total", "counting": "events"}
        page = Page(owner.get("/objectives/metrics/", asked))
        assert "2 series on 1 instance in Prometheus eu" in page.text
        assert ("option", {"value": "requests_total"}) in page.tags

    def test_a_histogram_comes_with_its_buckets(self, owner: Client, server: PrometheusServer) -> None:
        asked: dict[str, Any] = {
            "source": make_source(server.url).pk,
            "metric": "duration_seconds",
            "counting": "latency",
            "threshold": "0.25",
        }
        page = Page(owner.get("/objectives/metrics/", asked))
        assert ("option", {"value": "0.25"}) in page.tags
        assert "Counted exactly at 250\u00a0ms." in page.text

    def test_native_histograms_are_counted_up_to_any_limit(self, owner: Client) -> None:
        make_flow("Checkout")
        with servers.prometheus_server(flags=["--enable-feature=native-histograms"]) as native:
            at = timezone.now() - timedelta(seconds=5)
            remote_write_bodies(native.url, [native_histogram("seconds", at, buckets=(3, 2), first=1)])
            source = make_source(native.url)
            typed: dict[str, Any] = {
                "source": source.pk,
                "counting": "latency",
                "metric": "seconds",
                "threshold": "1.7",
            }
            facts = Page(owner.get("/objectives/metrics/", typed))
            saved = owner.post("/flows/checkout/objectives/new/", filled(source) | typed)
        assert "1 series of native histograms" in facts.text
        assert "any limit is counted" in facts.text
        assert saved.status_code == 302

    def test_labels_and_their_values_are_suggested(self, owner: Client, server: PrometheusServer) -> None:
        asked: dict[str, Any] = {"source": make_source(server.url).pk, "metric": "requests_total", "counting": "events"}
        names = Page(owner.get("/objectives/labels/", asked))
        values = Page(owner.get("/objectives/labels/", asked | {"values": "1", "bad_label": "code"}))
        assert [attributes["value"] for _, attributes in names.tags] == ["code", "instance", "job", "service"]
        assert [attributes["value"] for _, attributes in values.tags] == ["200", "500"]


class TestWhatGoesWrong:
    def test_a_prometheus_that_is_down_is_a_sentence(self, owner: Client) -> None:
        page = tried(owner, f"http://127.0.0.1:{free_port()}")
        assert "nothing listens there" in page.text
        assert "What you typed is kept." in page.text

    def test_a_prometheus_that_is_slow_is_given_up(self, owner: Client) -> None:
        with impostor(Reply(silent=True)) as slow:
            flow, source = make_flow("Checkout"), make_source(slow.url, timeout=timedelta(seconds=0.3))
            page = Page(owner.post(f"/flows/{flow.slug}/objectives/preview/", filled(source, **HOUR_WINDOW)))
        assert "did not answer within 0.3\u00a0s" in page.text

    @pytest.mark.parametrize(
        "reply",
        [Reply(b"<html>", kind="text/html"), Reply(b"oops", 502, "text/plain"), Reply(b"gone", 404, "text/plain")],
    )
    def test_anything_else_at_that_address_is_a_sentence(self, owner: Client, reply: Reply) -> None:
        with impostor(reply) as other:
            assert other.host in tried(owner, other.url).text

    def test_what_is_missing_is_listed_before_anything_is_asked(self, owner: Client) -> None:
        with impostor(Reply(b"{}")) as server:
            page = tried(owner, server.url, metric="", target="100")
            assert server.requests == []
        assert "Name the metric that counts the events." in page.text
        assert "leaves no budget" in page.text

    def test_a_tier_that_makes_no_sense_is_told_beside_it(self, owner: Client) -> None:
        page = tried(owner, f"http://127.0.0.1:{free_port()}", tier_share=["x"])
        assert "1 alert rule needs a change first." in page.text
        assert "Enter the share of the budget" in page.text

    def test_suggestions_fail_quietly_but_not_silently(self, owner: Client) -> None:
        asked: dict[str, Any] = {"source": make_source(f"http://127.0.0.1:{free_port()}").pk, "metric": HOSTILE}
        page = Page(owner.get("/objectives/metrics/", asked))
        assert "nothing listens there" in page.text
        assert Page(owner.get("/objectives/labels/", asked)).tags == []
        assert "Choose the Prometheus" in Page(owner.get("/objectives/metrics/", {"source": "1; drop"})).text

    def test_a_stranger_cannot_make_fireline_ask(self, stranger: Client) -> None:
        make_flow("Checkout")
        for answer in (
            stranger.post(PREVIEW, {}),
            stranger.get("/objectives/metrics/"),
            stranger.get("/objectives/labels/"),
        ):
            assert answer.status_code == 302


class TestThePicture:
    def test_gaps_break_the_line(self) -> None:
        points = [(NOON + n * MINUTE, None if n in (3, 4) else 1 - n / 20) for n in range(1, 11)]
        drawn = objective_charts.picture(points, MINUTE, [(NOON + 2 * MINUTE, NOON + 4 * MINUTE)])
        assert drawn is not None
        assert len(drawn.lines) == 2
        assert [round(gap.start, 2) for gap in drawn.gaps] == [0.2]
        assert [round(gap.width, 2) for gap in drawn.gaps] == [0.2]

    def test_nothing_measured_is_no_picture(self) -> None:
        assert objective_charts.picture([(NOON, None)], MINUTE, []) is None

    @pytest.mark.parametrize(("left", "bottom"), [(0.4, 0), (0, 0), (-0.2, -1), (-0.99, -1), (-3.5, -7), (-10, -31)])
    def test_an_overspent_budget_widens_the_scale_to_round_numbers(self, left: float, bottom: float) -> None:
        assert objective_charts.lowest(left) == bottom

    def test_what_was_not_measured_is_joined_to_stretches(self) -> None:
        slices = [(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, n not in (1, 2, 5)) for n in range(6)]
        assert objective_charts.unmeasured(slices) == [
            (NOON + MINUTE, NOON + 3 * MINUTE),
            (NOON + 5 * MINUTE, NOON + 6 * MINUTE),
        ]
