"""The shop's imagined past: plausible, the same each time, and told apart from the live shop by nothing."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from demo import history, openmetrics, traffic
from demo.imagined import Latency, imagine, spread
from demo.past import past
from demo.processes import scrape_configs
from demo.releases import VERSIONS
from tests.demo.running import ROOT, Shop
from tests.servers import PrometheusServer, wait_until

UNTIL = datetime(2026, 3, 20, 12, 0, tzinfo=UTC)
WEEK = timedelta(days=7)


def test_a_day_has_the_mean_rate_and_a_rhythm():
    hours = [traffic.rate(UNTIL + timedelta(hours=hour), 20) for hour in range(24)]
    assert sum(hours) / 24 == pytest.approx(20)
    assert hours.index(max(hours)) == 3  # 15:00
    assert max(hours) > 2 * min(hours)


@pytest.mark.parametrize("shares", [traffic.FLOWS, traffic.ORIGINS, traffic.METHODS])
def test_shares_are_of_everybody(shares: tuple[traffic.Share[object], ...]):
    assert sum(entry.share for entry in shares) == pytest.approx(1)
    assert traffic.pick(shares, 0.0) == shares[0].what
    assert traffic.pick(shares, 0.9999) == shares[-1].what


def test_the_past_ends_with_the_versions_that_run_now():
    happened = past(UNTIL - WEEK, UNTIL)
    assert {name: happened.versions(name)[-1][0] for name in VERSIONS} == VERSIONS


def test_the_past_has_two_episodes_and_a_deploy_at_the_start_of_each():
    happened = past(UNTIL - WEEK, UNTIL)
    deploys = {change.at for change in happened.deploys}
    assert [episode.begin in deploys and episode.end in deploys for episode in happened.episodes] == [True, True]


def test_a_short_past_leaves_out_what_was_before_it():
    happened = past(UNTIL - timedelta(days=3), UNTIL)
    assert [episode.name for episode in happened.episodes] == ["inventory pool exhausted"]
    assert min(change.at for change in happened.deploys) >= happened.since


def test_the_same_past_is_imagined_each_time():
    happened = past(UNTIL - timedelta(hours=1), UNTIL)
    times = openmetrics.moments(happened.since, happened.until, 60)
    assert list(imagine(happened, times, 60)) == list(imagine(happened, times, 60))


def test_only_one_payment_method_fails_in_the_bad_deploy():
    happened = past(UNTIL - WEEK, UNTIL)
    (bad_deploy, _) = happened.episodes
    times = openmetrics.moments(bad_deploy.begin, bad_deploy.end, 60)
    failed: dict[str, int] = {}
    for kind in imagine(happened, times, 60):
        failed[kind.payment_method] = failed.get(kind.payment_method, 0) + sum(kind.bad.get("502", []))
    assert failed["invoice"] > 500
    assert failed["card"] == failed["wallet"] == 0


def test_buckets_stay_cumulative():
    shape = Latency((0.1, 0.2, 0.5, 0.7, 0.9, 0.99, 1), 0.3)
    buckets = spread(list(range(50)), [shape] * 50)
    for gains, count in zip(zip(*buckets.values(), strict=True), range(50), strict=True):
        assert list(gains) == sorted(gains)
        assert gains[-1] == count


def test_a_counter_is_born_with_its_first_event_and_forgets_with_its_process(tmp_path: Path):
    with openmetrics.Writer(tmp_path, range(0, 300, 60)) as writer:
        writer.counter("errors_total", {"job": 'a"b'}, [0, 2, 3, 0, 1], frozenset({3}))
    assert writer.paths[0].read_text().splitlines() == [
        'errors_total{job="a\\"b"} 2.0 60',
        'errors_total{job="a\\"b"} 5.0 120',
        'errors_total{job="a\\"b"} 1.0 240',
        "# EOF",
    ]


def test_no_file_spans_two_blocks(tmp_path: Path):
    with openmetrics.Writer(tmp_path, openmetrics.moments(UNTIL - WEEK, UNTIL, 3600)) as writer:
        writer.series("up", {}, [1.0] * len(writer.times))
    for path in writer.paths:
        stamps = [int(line.split()[-1]) for line in path.read_text().splitlines()[:-1]]
        assert stamps[0] // openmetrics.PIECE == stamps[-1] // openmetrics.PIECE


def test_a_missing_promtool_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert history.main(["--out", str(tmp_path / "data"), "--days", "0.01"]) == 1
    assert "install the package `prometheus`" in capsys.readouterr().err


# -- Against a real Prometheus -----------------------------------------------------------------------------------


def ask(server: PrometheusServer, query: str, at: datetime) -> float:
    answer = requests.get(
        f"{server.url}/api/v1/query", params={"query": query, "time": str(at.timestamp())}, timeout=10
    )
    result = answer.json()["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    """A week, coarse to be quick."""
    directory = tmp_path_factory.mktemp("week")
    history.make(directory / "data", UNTIL - WEEK, UNTIL, step=600)
    server = PrometheusServer(directory)
    server.start()
    yield server
    server.stop()


BAD = "sum(increase(http_server_request_duration_seconds_count{flow='checkout',http_response_status_code=~'5..'}[1h]))"
ALL = "sum(increase(http_server_request_duration_seconds_count{flow='checkout'}[1h]))"


@pytest.mark.real
def test_an_imported_week_shows_its_bad_episodes_and_is_well_otherwise(week: PrometheusServer):
    bad_deploy, small_pool = past(UNTIL - WEEK, UNTIL).episodes
    during = [ask(week, BAD, episode.end + timedelta(minutes=20)) for episode in (bad_deploy, small_pool)]
    assert min(during) > 300
    assert ask(week, BAD, small_pool.end + timedelta(hours=12)) < 20
    assert ask(week, ALL, UNTIL) == pytest.approx(3600 * 0.3 * traffic.rate(UNTIL - timedelta(minutes=30)), rel=0.1)


@pytest.mark.real
def test_an_imported_week_has_every_target_up(week: PrometheusServer):
    assert ask(week, "sum(up)", UNTIL - timedelta(minutes=8)) == len(VERSIONS)


@pytest.mark.real
def test_history_and_live_shop_have_the_same_series(shop: Shop, tmp_path: Path):
    use_everything(shop)
    now = datetime.now(UTC)
    command = [sys.executable, "-m", "demo.history", "--out", str(tmp_path / "data")]
    command += ["--days", "0.05", "--until", str(now.timestamp() - 60)]
    done = subprocess.run(command, env=dict(shop.environ), cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["episodes"] == []
    server = PrometheusServer(tmp_path, scrape_configs(shop.environ))
    server.start()
    try:
        scraped = f"count(timestamp(up) > {now.timestamp()})"
        wait_until(lambda: ask(server, scraped, datetime.now(UTC)) == len(VERSIONS), 20, "a scrape of all")
        past_ones = series(server, now - timedelta(hours=1), now - timedelta(seconds=61))
        live = series(server, now, datetime.now(UTC) + timedelta(seconds=5))
    finally:
        server.stop()
    assert {name for name, *_ in past_ones} >= {
        "up",
        "http_server_request_duration_seconds_bucket",
        "orders_queue_depth",
    }
    assert past_ones ^ live == set()


def use_everything(shop: Shop) -> None:
    """One request of every kind that the load generator sends, as often as the history counts them."""
    for origin in traffic.ORIGINS:
        headers = {"X-Tenant": origin.what.tenant, "X-Region": origin.what.region}
        for method in traffic.METHODS:
            assert shop.checkout(method.what, headers).status == 200
        assert shop.request("POST", "/login", headers, json={"user": "ann"}).status == 200
        assert shop.request("GET", "/search", headers, params={"q": "rug"}).status == 200


def series(server: PrometheusServer, start: datetime, end: datetime) -> set[tuple[object, ...]]:
    """The shop's own series, except failures (they come and go) and the load generator's (it rests here)."""
    ours = '__name__!~"(python|process|scrape)_.*",job=~".+",job!="load"'
    matcher = f'{{{ours},http_response_status_code=~"|200",outcome=~"|ok"}}'
    parameters = {"match[]": matcher, "start": str(start.timestamp()), "end": str(end.timestamp())}
    answer = requests.get(f"{server.url}/api/v1/series", params=parameters, timeout=10)
    return {
        (labels.pop("__name__"), *sorted(labels.items()))
        for labels in answer.json()["data"]
        if labels.get("tenant") != "other"
    }
