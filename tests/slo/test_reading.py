"""Reading many SLIs at once: the same slices as one by one, by few questions, and a bad one harms no other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from connectors.errors import Refused, StoreError, TimedOut, TooMuch, Unreachable
from connectors.prometheus import Prometheus
from connectors.raw_samples import Samples
from slo import reading
from slo.chunks import Chunk
from slo.counting import Matcher, Sli
from slo.reading import NotYet, Read, Store, read
from slo.samples import Points
from tests import servers
from tests.slo.scrapes import START, Target, labels, openmetrics, samples

MINUTE = timedelta(minutes=1)
SERVICES = ("a", "b", "c", "d", "e", "f")
CHUNK = Chunk(START + 2 * MINUTE, MINUTE, 6)
BAD = (Matcher("code", "=~", "5.."),)


def target(service: str, number: int) -> Target:
    found = Target(f"{service}:80")
    for n in range(41):
        good = {labels(service=service, code="200", tenant=f"t{part}"): 10.0 + n * (number + 1) for part in (1, 2)}
        found.sees({**good, labels(service=service, code="500", tenant="t1"): 5.0 + n // 4 * number})
    return found


@dataclass
class Asking:
    """A real store; remembers what it was asked, and refuses what it is told to."""

    store: Prometheus
    asked: list[str] = field(default_factory=list)
    # Answers `error` to every question longer than `most`.
    most: timedelta = timedelta.max
    error: StoreError = field(default_factory=lambda: TooMuch("Too many samples."))

    def raw(self, selector: str, start: datetime, end: datetime) -> Sequence[Samples]:
        self._ask(selector, end - start)
        return self.store.raw(selector, start, end)

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> Sequence[Points]:
        self._ask(query, end - start + step)
        return self.store.range(query, start, end, step)

    def _ask(self, query: str, length: timedelta) -> None:
        self.asked.append(query)
        if length > self.most:
            raise self.error


@pytest.fixture(scope="module")
def history() -> Iterator[str]:
    shop = [target(service, number) for number, service in enumerate(SERVICES)]
    with servers.prometheus_server(openmetrics=openmetrics(samples("requests_total", shop, stale=False))) as server:
        yield server.url


@pytest.fixture
def store(history: str) -> Iterator[Asking]:
    with Prometheus(history, allowed=["127.0.0.1"]) as client:
        yield Asking(client)


def events(service: str, group_by: tuple[str, ...] = ()) -> Sli:
    return Sli("events", "requests_total", (Matcher("service", "=", service),), BAD, group_by=group_by)


def written(query: str) -> Sli:
    return Sli("events", bad_expression="vector(0)", total_expression=query)


def answer(store: Store, sli: Sli, chunk: Chunk = CHUNK) -> Read:
    found = read(store, {"it": sli}, chunk)["it"]
    assert not isinstance(found, Exception)
    return found


def test_many_objectives_of_one_metric_are_read_by_as_few_questions_as_one(store: Asking) -> None:
    found = read(store, {service: events(service) for service in SERVICES}, CHUNK)
    together = len(store.asked)
    assert {service: found[service] for service in SERVICES} == {
        service: answer(store, events(service)) for service in SERVICES
    }
    assert together == (len(store.asked) - together) / len(SERVICES)


def test_each_objective_counts_only_its_own_events(store: Asking) -> None:
    found = answer(store, events("c"))
    # Every 15 s three good events of each of two tenants, and two bad ones a minute.
    assert [(one.bad, one.total) for one in found[()]] == [(2, 26)] * 6


def test_groups_are_read_apart(store: Asking) -> None:
    found = answer(store, events("c", group_by=("tenant",)))
    assert {group: {one.total for one in slices} for group, slices in found.items()} == {
        (("tenant", "t1"),): {14},
        (("tenant", "t2"),): {12},
    }


def test_expressions_are_asked_as_one_union(store: Asking) -> None:
    queries = {n: written(f"sum(requests_total) * 0 + {n}") for n in range(10)}
    found = read(store, queries, CHUNK)
    assert len(store.asked) == 1
    for n, answered in found.items():
        assert not isinstance(answered, Exception)
        assert {one.total for one in answered[()]} == {n}


def test_an_expression_that_is_refused_harms_no_other(store: Asking) -> None:
    queries = {n: written("sum(" if n == 3 else f"vector({n})") for n in range(10)}
    found = read(store, queries, CHUNK)
    assert [n for n, one in found.items() if isinstance(one, Refused)] == [3]
    assert all(isinstance(found[n], dict) for n in queries if n != 3)


def test_an_objective_that_cannot_be_counted_harms_no_other(store: Asking) -> None:
    found = read(store, {"good": events("a"), "unmarked": Sli("events", "requests_total")}, CHUNK)
    assert isinstance(found["unmarked"], ValueError)
    assert found["good"] == answer(store, events("a"))


def test_a_pattern_that_only_the_store_understands_is_counted_by_the_store(store: Asking) -> None:
    foreign = Sli("events", "requests_total", (Matcher("service", "=~", r"\pL"),), BAD)
    found = answer(store, foreign)
    assert [one.total for one in found[()]] == [sum(8 * (n + 1) + n for n in range(6))] * 6


def test_judged_slices_count_how_many_were_bad(store: Asking) -> None:
    rising = Sli("gauge", expression='max(requests_total{service="a",code="200"})', threshold=Decimal(30))
    found = answer(store, rising)
    # One more every 15 s from 10 on: 30 after five minutes.
    assert [(one.bad, one.total) for one in found[()]] == [(0, 1)] * 3 + [(1, 1)] * 3


def test_a_slice_of_history_holds_several_judged_ones(store: Asking) -> None:
    rising = Sli("gauge", expression='max(requests_total{service="a",code="200"})', threshold=Decimal(30))
    found = answer(store, rising, Chunk(START, 5 * MINUTE, 2))
    assert [(one.bad, one.total) for one in found[()]] == [(0, 5), (5, 5)]


def test_of_several_series_the_worst_one_counts(store: Asking) -> None:
    found = answer(store, Sli("bool", expression='up or label_replace(up * 0, "x", "y", "", "")'))
    assert {one.bad for one in found[()]} == {1}


def test_an_expression_without_an_answer_is_unmeasured(store: Asking) -> None:
    found = answer(store, Sli("bool", expression="nothing_of_this_name"))
    assert {(one.total, one.reason) for one in found[()]} == {(None, "The expression answered nothing.")}


def test_what_is_too_much_at_once_is_read_in_parts(store: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "SHORTEST", MINUTE)
    whole = answer(store, events("c"))
    # The whole chunk takes eleven minutes, with what lies before it.
    store.most, store.asked = 9 * MINUTE, []
    assert answer(store, events("c")) == whole
    assert not any("fireline" in one for one in store.asked)


def test_a_short_stretch_that_is_too_much_is_counted_by_the_store(store: Asking) -> None:
    whole = answer(store, events("c"))
    store.most, store.asked = 8 * MINUTE, []
    assert answer(store, events("c")) == whole
    assert "fireline" in store.asked[-1]


def test_a_long_stretch_with_many_samples_is_read_in_parts(store: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = answer(store, events("c"))
    monkeypatch.setattr(reading, "SHORT", 2 * MINUTE)
    monkeypatch.setattr(reading, "SHORTEST", MINUTE)
    monkeypatch.setattr(reading, "MOST_SAMPLES", 40)
    store.asked = []
    assert answer(store, events("c")) == whole
    assert sum(one.startswith("requests_total") for one in store.asked) > 1


def test_samples_that_are_still_on_their_way_are_waited_for_but_not_for_ever(store: Asking) -> None:
    # The history ends after ten minutes.
    chunk = Chunk(START + 10 * MINUTE, MINUTE, 1)
    for waited, outcome in ((MINUTE, NotYet), (3 * MINUTE, dict)):
        found = read(store, {"it": events("a")}, chunk, now=chunk.end + waited)
        assert isinstance(found["it"], outcome)


def test_samples_that_have_all_arrived_are_counted_at_once(store: Asking) -> None:
    found = read(store, {"it": events("a")}, CHUNK, now=CHUNK.end + timedelta(seconds=10))
    assert found["it"] == answer(store, events("a"))


def test_a_store_that_is_too_slow_is_left_alone(store: Asking) -> None:
    store.most, store.error = timedelta(0), TimedOut("Too late.")
    found = read(store, {service: events(service) for service in SERVICES}, CHUNK)
    assert len(store.asked) == reading.MOST_LATE
    assert {type(one) for one in found.values()} <= {TimedOut, Unreachable}


def test_a_store_that_is_away_is_asked_once(store: Asking) -> None:
    store.most, store.error = timedelta(0), Unreachable("Nothing listens there.")
    found = read(store, {service: events(service) for service in SERVICES}, CHUNK)
    assert len(store.asked) == 1
    assert {type(one) for one in found.values()} == {Unreachable}
