"""What is asked of a store to count a chunk: two queries, and a few more when somebody new turns up."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from connectors.prometheus import Prometheus
from connectors.raw_samples import Samples
from slo.chunks import Chunk
from slo.counting import Matcher
from slo.samples import MOST_NAMES, Fetched, fetch, joined, narrowed
from tests.servers import PrometheusServer, prometheus_server
from tests.slo.scrapes import START, Target, labels, openmetrics, samples

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
OK = labels(code="200")
BACK, NEW = START + 3 * HOUR, START + 4 * HOUR


class Asked(Prometheus):
    """Remembers what it was asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url, allowed=["127.0.0.1"])
        self.queries: list[str] = []

    def raw(self, selector: str, start: datetime, end: datetime):
        self.queries.append(selector)
        return super().raw(selector, start, end)

    def range(self, query: str, start: datetime, end: datetime, step: timedelta):
        self.queries.append(query)
        return super().range(query, start, end, step)


@pytest.fixture(scope="module")
def server() -> Iterator[PrometheusServer]:
    """`a` is always there; `b` is away for almost three hours; `c` comes after four; `d` pushes, with such a break."""
    five_hours = 5 * HOUR // MINUTE
    always = Target("a", MINUTE).sees({OK: 10}).idle(five_hours)
    away = Target("b", MINUTE).sees({OK: 50}).idle(10).down(170).sees({OK: 60}).idle(60)
    new = Target("c", MINUTE, NEW + MINUTE / 2).sees({OK: 900}).idle(30)
    found = samples("requests_total", [always, away, new], stale=False)
    pushes = Target("d", MINUTE).sees({OK: 5}).idle(10).down(170).sees({OK: 8, labels(code="500"): 2}).idle(60)
    found += [one for one in samples("requests_total", [pushes], stale=False) if one[0] != "up"]
    with prometheus_server(openmetrics=openmetrics(found)) as running:
        yield running


@pytest.fixture
def store(server: PrometheusServer) -> Iterator[Asked]:
    with Asked(server.url) as asked:
        yield asked


def values(fetched: Fetched, instance: str) -> list[list[float]]:
    found = [one for one in fetched.series if one.labels["instance"] == instance]
    return [one.values for one in sorted(found, key=lambda one: one.labels["code"])]


@pytest.mark.real
def test_usually_two_queries_do(store: Asked) -> None:
    fetched = fetch(store, 'requests_total{instance="a"}', Chunk(START + HOUR, MINUTE, 1))
    assert store.queries == [
        'requests_total{instance="a"}',
        '{__name__=~"up|process_start_time_seconds",job="shop",instance="a"}',
    ]
    assert values(fetched, "a") == [[10] * 6]
    assert [one.values for one in fetched.ups] == [[1] * 6]


@pytest.mark.real
def test_what_returns_after_hours_is_given_its_last_samples(store: Asked) -> None:
    fetched = fetch(store, 'requests_total{instance="b"}', Chunk(BACK, MINUTE, 2))
    assert len(store.queries) == 5
    (found,) = values(fetched, "b")
    assert set(found) == {50, 60}
    assert fetched.ups[0].values[0] == 1
    assert [one.times == sorted(one.times) for one in (*fetched.series, *fetched.ups)] == [True, True]


@pytest.mark.real
def test_of_what_pushes_the_other_series_say_that_it_was_there(store: Asked) -> None:
    fetched = fetch(store, 'requests_total{instance="d"}', Chunk(BACK, MINUTE, 2))
    (old, born) = values(fetched, "d")
    assert (set(old), set(born)) == ({5, 8}, {2})


@pytest.mark.real
def test_what_is_new_has_nothing_before(store: Asked) -> None:
    fetched = fetch(store, 'requests_total{instance="c"}', Chunk(NEW, MINUTE, 1))
    assert values(fetched, "c") == [[900]]


@pytest.mark.real
def test_without_series_nobody_asks_for_their_targets(store: Asked) -> None:
    assert fetch(store, "nobody_total{}", Chunk(START, MINUTE, 1)).series == []
    assert store.queries == ["nobody_total{}"]


def read(*found: Samples) -> Fetched:
    return Fetched(Chunk(START, MINUTE, 1), list(found), [up_at(0, 15, 30, 45)])


def up_at(*seconds: float) -> Samples:
    times = [START.timestamp() + one for one in seconds]
    return Samples({"__name__": "up", "job": "shop"}, times, [1.0] * len(times))


def test_what_two_reads_share_is_kept_once() -> None:
    one, other = (Samples({"__name__": name}, [START.timestamp()], [1.0]) for name in ("a", "b"))
    both = joined([read(one), read(one, other)])
    assert [series.labels["__name__"] for series in both.series] == ["a", "b"]
    assert len(both.ups) == 1


@pytest.mark.parametrize(
    ("seconds", "late"), [((0, 15, 30, 45), False), ((0, 15, 30), True), ((0, 30), False), ((-60, 0), False)]
)
def test_scrapes_are_late_when_no_target_has_the_last_one(seconds: tuple[float, ...], late: bool) -> None:
    assert Fetched(Chunk(START, MINUTE, 1), [], [up_at(*seconds)]).late is late


def test_one_target_without_its_last_scrape_is_gone_and_not_late() -> None:
    ups = [up_at(0, 15), up_at(0, 15, 30, 45)]
    assert not Fetched(Chunk(START, MINUTE, 1), [], ups).late


def test_nothing_is_late_where_nothing_is_scraped() -> None:
    assert not Fetched(Chunk(START, MINUTE, 1), []).late


@pytest.mark.parametrize(
    ("selector", "narrower"),
    [("m{}", 'm{job="x"}'), ('m{a="b"}', 'm{a="b",job="x"}'), ('{__name__=~"a|b",}', '{__name__=~"a|b",job="x"}')],
)
def test_a_selector_is_narrowed_within_its_braces(selector: str, narrower: str) -> None:
    assert narrowed(selector, [Matcher("job", "=", "x")]) == narrower


@pytest.mark.real
def test_many_targets_are_not_named_one_by_one() -> None:
    many = [Target(f"pod-{number}").sees({OK: 1}).idle(8) for number in range(MOST_NAMES + 1)]
    text = openmetrics(samples("requests_total", many, stale=False))
    with prometheus_server(openmetrics=text) as server, Asked(server.url) as store:
        fetched = fetch(store, "requests_total{}", Chunk(START + MINUTE, MINUTE, 1))
        assert len(fetched.ups) == len(many)
        assert store.queries[1] == '{__name__=~"up|process_start_time_seconds",job="shop"}'
