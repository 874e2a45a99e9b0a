"""The counting query on a real Prometheus, against histories whose truth is known, in slices of several lengths."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from connectors.prometheus import Prometheus
from slo.answers import slices_of
from slo.chunks import Chunk
from slo.counting import Matcher, Sli, boundaries, choices, matchers_of, promql, selector
from slo.increments import tally
from slo.samples import fetch, joined
from slo.slices import Measured
from tests.servers import PrometheusServer, prometheus_server
from tests.slo.scrapes import START, Sample, Target, labels, openmetrics, remote_write, samples

MINUTE = timedelta(minutes=1)
HISTORY = 30 * MINUTE
LENGTHS = [timedelta(seconds=seconds) for seconds in (10, 15, 60, 300)]
OK, BAD = labels(code="200"), labels(code="500")


@dataclass(frozen=True)
class Case:
    """What targets count, and the truth: all bad events and all events that anybody could have observed."""

    targets: Sequence[Target]
    bad: int
    total: int


def target(instance: str = "a", late: timedelta = timedelta(0)) -> Target:
    return Target(instance, first=START + late)


def steady() -> Target:
    return target().sees({OK: 10, BAD: 5}).idle(20)


CASES: Mapping[str, Case] = {
    "errors among requests": Case([steady().sees({OK: 15, BAD: 6}, {OK: 25, BAD: 8}).idle(30)], 3, 18),
    "no traffic": Case([steady().idle(60)], 0, 0),
    "the first error of a series": Case([target().sees({OK: 10}).idle(20).sees({OK: 15, BAD: 1}).idle(30)], 1, 6),
    "a restart between two scrapes": Case(
        [steady().sees({OK: 15, BAD: 6}, {OK: 25, BAD: 7}, {OK: 3, BAD: 1}).idle(30)], 3, 21
    ),
    "a restart to a value above the one at the slice's start": Case(
        [target().sees({OK: 2}).idle(20).sees({OK: 30}, {OK: 50}, {OK: 7}, {OK: 9}).idle(30)], 0, 57
    ),
    "a restart after which the errors come back as a new series": Case(
        [steady().sees({OK: 15, BAD: 6}, {OK: 3}).idle(45).sees({OK: 4, BAD: 6}).idle(20)], 7, 16
    ),
    "a series that dies within a slice": Case([steady().sees({OK: 15, BAD: 6}).down(30)], 1, 6),
    "a gap that continues": Case([steady().down(30).sees({OK: 15, BAD: 6}).idle(30)], 1, 6),
    "a short gap": Case([steady().down(3).sees({OK: 15, BAD: 6}).idle(30)], 1, 6),
    "a restart within a gap": Case([steady().down(30).sees({OK: 3, BAD: 2}).idle(30)], 2, 5),
    "first errors after a crash": Case(
        [target().sees({OK: 10}).idle(20).down(30).sees({OK: 3, BAD: 2}).idle(30)], 2, 5
    ),
    "first requests after a crash": Case([target().sees({}).idle(20).down(30).sees({OK: 3, BAD: 2}).idle(30)], 2, 5),
    "a target never seen before": Case(
        [steady().idle(60), target("b", 7 * MINUTE).sees({OK: 1000, BAD: 50}, {OK: 1010, BAD: 51}).idle(30)], 1, 11
    ),
    "one of two targets restarts": Case(
        [
            steady().sees({OK: 20, BAD: 5}).idle(40),
            target("b").sees({OK: 100, BAD: 50}).idle(20).sees({OK: 4, BAD: 1}).idle(40),
        ],
        1,
        15,
    ),
    "errors of a target that was born just before": Case(
        [steady().idle(60), target("b", 7 * MINUTE).sees({OK: 1000}, {OK: 1010, BAD: 1}).idle(30)],
        1,
        11,
    ),
}
NONE = (Matcher("code", "=", "no such code"),)
EVENTS = Sli("events", "requests_total", (), (Matcher("code", "=~", "5.."),))


def by_query(store: Prometheus, sli: Sli, chunk: Chunk) -> list[Measured]:
    answer = store.range(promql(sli, chunk.length), chunk.first_end, chunk.end, chunk.length)
    return slices_of(sli, chunk, answer)


def by_samples(store: Prometheus, sli: Sli, chunk: Chunk) -> list[Measured]:
    fetched = joined([fetch(store, choice.selector, chunk) for choice in choices(sli)])
    return tally(sli, fetched)[()]


type Way = Callable[[Prometheus, Sli, Chunk], list[Measured]]
WAYS: Sequence[Way] = (by_query, by_samples)
both_ways = pytest.mark.parametrize("way", WAYS)


def count(server: PrometheusServer, sli: Sli, length: timedelta, way: Way) -> list[Measured]:
    with Prometheus(server.url, allowed=["127.0.0.1"]) as store:
        return way(store, sli, Chunk(START, length, HISTORY // length))


def one_by_one(server: PrometheusServer, sli: Sli, length: timedelta, way: Way) -> list[Measured]:
    """As the slices come, each asked for by itself."""
    with Prometheus(server.url, allowed=["127.0.0.1"]) as store:
        starts = [START + n * length for n in range(HISTORY // length)]
        return [way(store, sli, Chunk(start, length, 1))[0] for start in starts]


def sums(slices: Sequence[Measured]) -> tuple[float, float]:
    return sum(one.bad or 0 for one in slices), sum(one.total or 0 for one in slices)


@pytest.mark.real
@pytest.mark.parametrize("stale", [True, False], ids=["scraped", "imported"])
@pytest.mark.parametrize("name", CASES)
def test_every_observed_increment_counts_once(name: str, stale: bool) -> None:
    case = CASES[name]
    found = samples("requests_total", case.targets, stale)
    with stored(found, stale) as server:
        counted = {(length, way): sums(count(server, EVENTS, length, way)) for length in LENGTHS for way in WAYS}
        live = sums(one_by_one(server, EVENTS, MINUTE, by_samples))
    assert counted == dict.fromkeys(counted, (case.bad, case.total))
    assert live == (case.bad, case.total)


@contextmanager
def stored(found: Sequence[Sample], stale: bool) -> Iterator[PrometheusServer]:
    """A Prometheus that holds the samples, as if scraped (with stale markers) or imported (without)."""
    with prometheus_server(openmetrics="" if stale else openmetrics(found)) as server:
        if stale:
            remote_write(server.url, found)
        yield server


# -- One history for everything that one server can answer ------------------------------------------------------------
ODD = 'a"b\\c{d}'


def everything() -> str:
    """Latency of two clients that write the same boundary differently, odd labels, a counter without `up`."""
    own = labels(code="200", tenant=ODD)
    counters = {
        "odd_total": Target("a").sees({own: 1}).idle(20).sees({own: 4}).idle(98),
        "seconds_count": Target("a").sees({(): 10}).idle(20).sees({(): 30}).idle(98),
    }
    found = [sample for name, one in counters.items() for sample in samples(name, [one], stale=False)]
    for instance, edge, good in (("a", "1", 15), ("a", "+Inf", 20)):
        one = Target(instance).sees({labels(le=edge): 10}).idle(20).sees({labels(le=edge): 10 + good}).idle(98)
        found += samples("seconds_bucket", [one], stale=False)
    other = Target("b").sees({(): 0}).idle(20).sees({(): 8}).idle(98)
    found += samples("seconds_count", [other], stale=False)
    found += samples(
        "seconds_bucket",
        [Target("b").sees({labels(le="1.0"): 0}).idle(20).sees({labels(le="1.0"): 6}).idle(98)],
        stale=False,
    )
    pushed = Target("c").sees({OK: 7}).idle(20).sees({OK: 9, BAD: 2}).idle(98)
    found += [sample for sample in samples("pushed_total", [pushed], stale=False) if sample[0] != "up"]
    return openmetrics(list(dict.fromkeys(found)))


@pytest.fixture(scope="module")
def server() -> Iterator[PrometheusServer]:
    with prometheus_server(openmetrics=everything()) as running:
        yield running


@pytest.mark.real
@both_ways
@pytest.mark.parametrize("length", LENGTHS)
def test_latency_counts_what_took_longer_than_the_boundary_however_it_is_written(
    server: PrometheusServer, length: timedelta, way: Way
) -> None:
    slow = Sli("latency", "seconds", threshold=Decimal("1.000000"))
    assert sums(count(server, slow, length, way)) == (5 + 2, 20 + 8)


@pytest.mark.real
@both_ways
def test_a_threshold_that_is_no_boundary_is_unmeasured_and_not_all_bad(server: PrometheusServer, way: Way) -> None:
    found = count(server, Sli("latency", "seconds", threshold=Decimal("0.75")), MINUTE, way)
    assert {one.total for one in found} == {None}
    assert "no bucket that ends at 0.75\N{NO-BREAK SPACE}s" in found[0].reason


@pytest.mark.real
@both_ways
def test_labels_with_quotes_backslashes_and_braces_are_matched(server: PrometheusServer, way: Way) -> None:
    odd = Sli("events", "odd_total", (Matcher("tenant", "=", ODD),), (Matcher("code", "=~", "2.."),))
    assert sums(count(server, odd, MINUTE, way)) == (3, 3)


@pytest.mark.real
@both_ways
def test_without_a_series_a_slice_is_unmeasured_and_says_so(server: PrometheusServer, way: Way) -> None:
    found = count(server, Sli("events", "nobody_total", (Matcher("a", "=", "b"),), NONE), MINUTE, way)
    assert {(one.bad, one.total) for one in found} == {(None, None)}
    assert found[0].reason == 'No series matches nobody_total{a="b"}.'


@pytest.mark.real
@both_ways
def test_without_a_bad_series_there_are_no_bad_events(server: PrometheusServer, way: Way) -> None:
    found = count(server, Sli("events", "odd_total", (), (Matcher("code", "=", "500"),)), MINUTE, way)
    assert sums(found) == (0, 3)
    assert all(one.bad == 0 for one in found if one.total is not None)


@pytest.mark.real
@both_ways
def test_a_slice_between_two_scrapes_is_measured(server: PrometheusServer, way: Way) -> None:
    found = count(server, Sli("events", "odd_total", (), NONE), LENGTHS[0], way)
    assert {one.total is None for one in found} == {False}


@pytest.mark.real
@both_ways
def test_a_slice_without_traffic_is_zero_of_zero(server: PrometheusServer, way: Way) -> None:
    found = count(server, Sli("events", "odd_total", (), NONE), MINUTE, way)
    assert (found[-1].bad, found[-1].total) == (0, 0)


@pytest.mark.real
@both_ways
@pytest.mark.parametrize("length", LENGTHS)
def test_where_there_is_no_up_the_other_series_say_that_a_target_is_known(
    server: PrometheusServer, length: timedelta, way: Way
) -> None:
    pushed = Sli("events", "pushed_total", (), (Matcher("code", "=", "500"),))
    assert sums(count(server, pushed, length, way)) == (2, 4)


@pytest.mark.real
@both_ways
def test_matchers_on_the_target_choose_the_target(server: PrometheusServer, way: Way) -> None:
    one = Sli("events", "seconds_count", (Matcher("instance", "=", "b"), Matcher("job", "=~", "shop|x")), NONE)
    assert sums(count(server, one, MINUTE, way)) == (0, 8)


@pytest.mark.real
def test_an_expression_counts_in_its_own_way(server: PrometheusServer) -> None:
    own = Sli(
        "events",
        bad_expression="seconds_count - seconds_count offset {{window}} # grows",
        total_expression="2 * (seconds_count - seconds_count offset {{window}})",
    )
    assert sums(count(server, own, MINUTE, by_query)) == (28, 56)


@pytest.mark.real
@both_ways
def test_marks_may_be_good_events_or_another_counter(server: PrometheusServer, way: Way) -> None:
    good = Sli("events", "pushed_total", (), (Matcher("code", "=", "200"),), marks="good")
    assert sums(count(server, good, MINUTE, way)) == (2, 4)
    other = Sli("events", "seconds_count", bad_metric="odd_total", bad_matchers=(Matcher("code", "=", "200"),))
    assert sums(count(server, other, MINUTE, way)) == (3, 28)


@pytest.mark.real
@pytest.mark.parametrize("length", LENGTHS)
def test_each_group_is_counted_by_itself(server: PrometheusServer, length: timedelta) -> None:
    slow = Sli("latency", "seconds", threshold=Decimal(1), group_by=("instance",))
    chunk = Chunk(START, length, HISTORY // length)
    with Prometheus(server.url, allowed=["127.0.0.1"]) as store:
        fetched = joined([fetch(store, choice.selector, chunk) for choice in choices(slow)])
        answer = store.range(promql(slow, length), chunk.first_end, chunk.end, length)
    counted = {group: sums(found) for group, found in tally(slow, fetched).items()}
    assert counted == {(("instance", "a"),): (5, 20), (("instance", "b"),): (2, 8)}
    asked = {
        (name, instance): sum(value for series in answer if series.labels == labels for _, value in series.points)
        for name in ("good", "total")
        for instance in "ab"
        for labels in ({"fireline": name, "instance": instance},)
    }
    assert asked == {("good", "a"): 15, ("total", "a"): 20, ("good", "b"): 6, ("total", "b"): 8}


# -- What needs no server ---------------------------------------------------------------------------------------------
def test_a_selector_escapes_what_promql_would_read() -> None:
    assert selector("up", [Matcher("a", "=", '"\\\n')]) == 'up{a="\\"\\\\\\n"}'
    assert selector("http.requests", [Matcher("user.flow", "!=", "x")]) == '{__name__="http.requests","user.flow"!="x"}'


@pytest.mark.parametrize(
    ("threshold", "written"),
    [
        ("1.000000", {"1", "1.0"}),
        ("0.5", {"0.5"}),
        ("0.000010", {"0.00001", "1e-05"}),
        ("2500000", {"2500000", "2500000.0", "2.5e+06"}),
        ("10", {"10", "10.0"}),
    ],
)
def test_a_boundary_is_known_in_every_way_clients_write_it(threshold: str, written: set[str]) -> None:
    assert set(boundaries(Decimal(threshold))) == written


def test_a_matcher_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="not a way to match"):
        matchers_of([{"label": "a", "op": "~", "value": "b"}])


def test_without_anything_that_marks_bad_events_all_would_be_bad_so_it_is_refused() -> None:
    with pytest.raises(ValueError, match="marks the bad ones"):
        promql(Sli("events", "requests_total"), MINUTE)


def test_a_latency_sli_needs_a_threshold() -> None:
    with pytest.raises(ValueError, match="needs a threshold"):
        promql(Sli("latency", "seconds"), MINUTE)


@dataclass(frozen=True)
class Line:
    labels: Mapping[str, str]
    points: Sequence[tuple[datetime, float]]


def answered(sli: Sli, **values: float) -> Measured:
    """The one slice of an answer with these values."""
    lines = [Line({"fireline": name}, [(START + MINUTE, value)]) for name, value in values.items()]
    return slices_of(sli, Chunk(START, MINUTE, 1), lines)[0]


def test_an_expression_that_extrapolates_past_the_total_is_all_bad() -> None:
    assert answered(EVENTS, bad=10.2, total=10).bad == 10


@pytest.mark.parametrize("values", [{"total": -1.0}, {"total": 5.0, "bad": -1.0}])
def test_negative_counts_are_unmeasured(values: Mapping[str, float]) -> None:
    found = answered(EVENTS, **values)
    assert (found.bad, found.total) == (None, None)
    assert "negative" in found.reason


def test_a_bucket_ahead_of_its_count_is_no_negative_count() -> None:
    assert answered(Sli("latency", "seconds", threshold=Decimal(1)), good=11, total=10).bad == 0
