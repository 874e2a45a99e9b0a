"""Copies of counters from several Prometheus servers count once, and what only looks like one by itself."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from connectors.raw_samples import Samples
from slo.chunks import Chunk
from slo.counting import Matcher, Sli
from slo.increments import tally
from slo.samples import LOOKBACK, Fetched
from tests.slo.scrapes import START
from tests.slo.series import (
    BAD,
    EVENTS,
    MINUTE,
    OWN,
    STILL,
    T0,
    counted,
    fetched,
    first_slice,
    process,
    series,
    totals,
    up,
)


class TestCopies:
    def test_count_once(self) -> None:
        one = series([10, 10, 10, 10, 10, 14, 14, 14, 14, 20], replica="one")
        two = series([10, 10, 10, 10, 11, 14, 14, 14, 16, 20], first=-53, replica="two")
        assert totals(one, two, up(replica="one"), up(first=-53, replica="two")) == [4, 6]

    def test_of_a_lagging_server_are_no_restart(self) -> None:
        one = series([10, 10, 10, 10, 10, 20, 30, 40, 50, 50], replica="one")
        two = series([10, 10, 10, 10, 10, 18, 28, 38, 48, 50], first=-59, replica="two")
        assert sum(total or 0 for total in totals(one, two, up(replica="one"), up(first=-59, replica="two"))) == 40

    def test_see_one_restart_once(self) -> None:
        one = series([10, 10, 10, 10, 10, 14, 2, 2, 2, 5], replica="one")
        two = series([10, 10, 10, 10, 12, 15, 2, 2, 3, 5], first=-53, replica="two")
        assert totals(one, two, up(replica="one"), up(first=-53, replica="two")) == [5 + 2, 3]

    def test_that_still_show_the_old_life_after_a_restart_add_nothing(self) -> None:
        one = series([10, 10, 10, 10, 10, 14, 2, 2, 3], replica="one")
        two = series([10, 10, 10, 10, 10, 15, 15, 3, 3], first=-53, replica="two")
        assert totals(one, two, up(replica="one"), up(first=-53, replica="two"))[0] == 5 + 3

    def test_count_a_scrape_at_a_slice_s_end_in_it(self) -> None:
        one, two = (series([10] * 8 + [14] * 5, first=first, replica=name) for first, name in ((-60, "1"), (-53, "2")))
        assert totals(one, two, up(replica="1"), up(first=-53, replica="2")) == [4, 0]

    def test_bridge_each_other_s_gaps(self) -> None:
        one = series([10, 10, 10, 10, 10, 14], replica="one")
        two = series([10, 10, 10, 10, 12, None, None, 30, 31, 31], first=-53, replica="two")
        ups = up([1] * 6, replica="one"), up([1] * 5 + [None] * 2 + [1] * 3, first=-53, replica="two")
        assert totals(one, two, *ups) == [20, 1]

    def test_are_known_by_their_usual_label_without_up(self) -> None:
        names = ("one", "two")
        found = [series([*STILL, 14, 14, 14, 14, 20], prometheus_replica=name) for name in names]
        assert totals(*found) == [4, 6]

    def test_are_not_parts_that_one_exporter_calls_replicas(self) -> None:
        found = [series([*STILL, 14, 14, 14, 14, 20], replica=name) for name in ("0", "1")]
        assert totals(*found, up()) == [8, 12]

    def test_are_not_processes_that_only_look_alike(self) -> None:
        found = [series([n * 100] * 5 + [n * 100 + 4] * 5, pod=f"p{n}") for n in (1, 2)]
        assert totals(*found, up(pod="p1"), up(pod="p2")) == [8, 0]

    def test_are_not_regions_whose_targets_have_the_same_name_and_load(self) -> None:
        eu = series([100, 104, 108, 112, 116, 120, 124, 128, 132, 136], region="eu")
        us = series([94, 98, 102, 106, 110, 114, 118, 122, 126, 130], first=-53, region="us")
        assert totals(eu, us, up(region="eu"), up(first=-53, region="us"))[0] == 16 + 16

    def test_are_not_processes_that_started_at_different_times(self) -> None:
        moving = [10 + n for n in range(10)]
        found = [
            one
            for region, first in (("eu", -60.0), ("us", -53.0))
            for one in (
                series(moving, first, region=region),
                up(first=first, region=region),
                process([-9000 + first] * 10, first, region=region),
            )
        ]
        assert totals(*found)[0] == 8

    def test_are_not_series_of_which_one_target_had_none_while_the_other_counted(self) -> None:
        eu = series([5] * 13, region="eu", code="500"), series([10] * 13, region="eu"), up(region="eu")
        us = series([5] * 4, 37, region="us", code="500"), series([10] * 13, -53, region="us")
        assert totals(*eu, *us, up(first=-53, region="us")) == [5, 0]

    def test_are_none_by_a_label_that_the_objective_groups_by(self) -> None:
        grouped = Sli("events", "requests_total", (), (BAD,), group_by=("region",))
        found = [series([*STILL, 10, 10, 10, last], region=name) for name, last in (("eu", 14), ("us", 10))]
        answer = tally(grouped, fetched(*found, up(region="eu"), up(region="us")))
        assert [slices[0].total for slices in answer.values()] == [4, 0]

    def test_are_none_by_a_label_that_the_objective_chooses_by(self) -> None:
        chosen = Sli("events", "requests_total", (Matcher("region", "=~", "eu|us"),), (BAD,))
        found = [one for name in ("eu", "us") for one in (series([*STILL, 14, 14], region=name), up(region=name))]
        assert counted(*found, sli=chosen)[0] == (0, 8)
        # Others that share the read still count them once.
        assert first_slice(*found) == 4

    def test_that_the_objective_chooses_several_of_by_their_own_label_count_once(self) -> None:
        found = [series([*STILL, 14, 14, 14, 14, 20], prometheus_replica=name) for name in ("a", "b")]
        chosen = Sli("events", "requests_total", (Matcher("prometheus_replica", "=~", ".+"),), (BAD,))
        assert counted(*found, sli=chosen) == [(0, 4), (0, 6)]
        only = Sli("events", "requests_total", (Matcher("prometheus_replica", "=", "a"),), (BAD,))
        assert counted(*found, sli=only) == [(0, 4), (0, 6)]

    def test_of_which_one_is_first_seen_after_a_restart_follow_it_into_the_new_life(self) -> None:
        one = series([500, 3, 6, 10, 14, 18], prometheus_replica="one")
        two = series([1, 4, 8, 12, 16, 19], first=-53, prometheus_replica="two")
        assert first_slice(one, two, *_ups("one", "two")) == 19 - 14

    def test_of_a_server_that_was_away_over_a_restart_that_others_saw_add_nothing(self) -> None:
        one = series([100, 110, 120, 130, 140, 150, 160, 170], first=-45, prometheus_replica="one")
        two = series([30, 151, 161], first=-10_000, prometheus_replica="two")
        two.times = [T0 - 10_000, T0 + 37, T0 + 52]
        starts = process([-9000] * 8, first=-45, prometheus_replica="one"), process([0] * 3, prometheus_replica="two")
        starts[1].times, starts[1].values = two.times, [T0 - 20_000, T0 - 9000, T0 - 9000]
        seen = up([1] * 3, prometheus_replica="two")
        seen.times = two.times
        assert first_slice(one, two, *starts, up([1] * 8, -45, prometheus_replica="one"), seen) == 170 - 130

    def test_that_are_born_after_all_others_were_gone_begin_a_life(self) -> None:
        one = series([3] + [None] * 6 + [5, 5, 5], code="500", prometheus_replica="one")
        two = series([5, 5, 5], first=37, code="500", prometheus_replica="two")
        assert sum(total or 0 for total in totals(one, two, *_ups("one", "two"))) == 5


def _ups(*names: str) -> list[Samples]:
    return [up(first=-60 + 7 * place, prometheus_replica=name) for place, name in enumerate(names)]


type Scrapes = list[tuple[int, float]]  # Seconds after the first chunk's start, and the value.

END = 600


@st.composite
def watched(draw: st.DrawFn) -> tuple[list[Samples], float]:
    """A counter that two servers scrape while its process restarts: 15 min of samples; and what it counted."""
    every = draw(st.sampled_from([15, 30]))
    later, told = draw(st.integers(3, every - 3)), draw(st.booleans())
    lives = draw(st.lists(st.integers(75, 400), max_size=4))
    restarts = [at + 0.5 for at in accumulate(lives, initial=draw(st.integers(-290, 0))) if at < END]
    random = Random(draw(st.integers(0, 10_000)))
    events = sorted(random.uniform(-5000, END) for _ in range(draw(st.sampled_from([100, 1000, 20_000]))))
    servers = {"one": range(-300, END + 1, every), "two": range(-300 + later, END + 1, every)}
    samples = [one for name, times in servers.items() for one in _scraped(name, times, restarts, events, told)]
    return samples, _truth(sorted({*servers["one"], *servers["two"]}), restarts, events)


def _scraped(name: str, times: range, restarts: Sequence[float], events: Sequence[float], told: bool) -> list[Samples]:
    own = {**OWN, "prometheus": name}
    values = [(at, _counter(at, restarts, events)) for at in times]
    there = [(at, value) for at, value in values if value]
    found = [Samples({"__name__": "up", **own}, [T0 + at for at in times], [1.0] * len(times))]
    if there:
        counter = {"__name__": "requests_total", "code": "200", **own}
        found.append(Samples(counter, [T0 + at for at, _ in there], [value for _, value in there]))
    if told:
        began = [T0 + _began(at, restarts) for at in times]
        found.append(Samples({"__name__": "process_start_time_seconds", **own}, [T0 + at for at in times], began))
    return found


def _began(at: float, restarts: Sequence[float]) -> float:
    return next((one for one in reversed(restarts) if one <= at), -5000.0)


def _counter(at: float, restarts: Sequence[float], events: Sequence[float]) -> float:
    return float(bisect_right(events, at) - bisect_right(events, _began(at, restarts)))


def _truth(times: list[int], restarts: Sequence[float], events: Sequence[float]) -> float:
    """What all scrapes together saw after the first chunk began."""
    total = 0.0
    for before, at in pairwise(times):
        again = _began(before, restarts) != _began(at, restarts)
        old = 0.0 if again else _counter(before, restarts, events)
        total += (_counter(at, restarts, events) - old) * (at > 0)
    return total


@given(watched())
def test_copies_count_the_same_whatever_is_read_at_once(found: tuple[list[Samples], float]) -> None:
    samples, truth = found
    once = _total(samples, 10)
    assert [_total(samples, count) for count in (1, 2)] == [once, once]
    # A restart that hides behind a higher value is missed; nothing is invented.
    assert once <= truth


def _total(samples: list[Samples], at_once: int) -> float:
    chunks = [Chunk(START + n * at_once * MINUTE, MINUTE, at_once) for n in range(END // 60 // at_once)]
    return sum(one.total or 0 for chunk in chunks for one in tally(EVENTS, _read(samples, chunk))[()])


def _read(samples: list[Samples], chunk: Chunk) -> Fetched:
    """What a store answers for the chunk and the look-back before it."""
    begin, end = (chunk.start - LOOKBACK).timestamp(), chunk.end.timestamp()
    parts = ([(at, v) for at, v in zip(one.times, one.values, strict=True) if begin < at <= end] for one in samples)
    cut = [
        Samples(one.labels, [at for at, _ in part], [value for _, value in part])
        for one, part in zip(samples, parts, strict=True)
        if part
    ]
    named = {
        name: [one for one in cut if one.labels["__name__"] == name]
        for name in ("requests_total", "up", "process_start_time_seconds")
    }
    return Fetched(chunk, *named.values())
