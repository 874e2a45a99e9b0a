"""What counts, by samples at single scrapes: every rule of counting, without a server."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.raw_samples import Histogram, Samples
from slo.chunks import Chunk
from slo.counting import Matcher, Sli
from slo.increments import complete, tally
from slo.samples import Fetched
from slo.slices import Measured
from tests.slo.scrapes import START

MINUTE = timedelta(minutes=1)
BAD = Matcher("code", "=~", "5..")
EVENTS = Sli("events", "requests_total", (), (BAD,))
T0 = START.timestamp()
OWN = {"job": "shop", "instance": "a"}

type Values = Sequence[float | None]


def scrapes(values: Values, first: float = -60, every: float = 15) -> tuple[list[float], list[float]]:
    """Times and values of scrapes, the first so many seconds after the chunk's start; `None` is a missing one."""
    found = [(T0 + first + n * every, value) for n, value in enumerate(values) if value is not None]
    return [at for at, _ in found], [float(value) for _, value in found]


def series(values: Values, first: float = -60, code: str = "200", every: float = 15, **labels: str) -> Samples:
    own = {"__name__": "requests_total", "code": code, **OWN, **labels}
    return Samples({name: value for name, value in own.items() if value}, *scrapes(values, first, every))


def up(values: Values = (1,) * 13, first: float = -60, every: float = 15, **labels: str) -> Samples:
    return Samples({"__name__": "up", **OWN, **labels}, *scrapes(values, first, every))


def process(values: Values, first: float = -60, **labels: str) -> Samples:
    """When the process started, in seconds after the chunk's start."""
    name = {"__name__": "process_start_time_seconds", **OWN, **labels}
    return Samples(name, *scrapes([value if value is None else value + T0 for value in values], first))


def fetched(*found: Samples, slices: int = 2) -> Fetched:
    """Slices of a minute, with four scrapes before the first."""
    kinds = {"up": list[Samples](), "process_start_time_seconds": list[Samples](), "": list[Samples]()}
    for one in found:
        kinds.get(one.labels["__name__"], kinds[""]).append(one)
    return Fetched(Chunk(START, MINUTE, slices), kinds[""], kinds["up"], kinds["process_start_time_seconds"])


def counted(*found: Samples, sli: Sli = EVENTS, slices: int = 2) -> list[tuple[float | None, float | None]]:
    return [(one.bad, one.total) for one in tally(sli, fetched(*found, slices=slices))[()]]


def totals(*found: Samples, slices: int = 2) -> list[float | None]:
    return [total for _, total in counted(*found, slices=slices)]


def first_slice(*found: Samples) -> float | None:
    return totals(*found)[0]


STILL = (10,) * 5


class TestASeries:
    def test_counts_in_the_slice_that_holds_the_later_scrape(self) -> None:
        assert totals(series([*STILL, 12, 12, 12, 13, 20]), up()) == [3, 7]

    def test_counts_from_zero_after_a_reset(self) -> None:
        assert totals(series([*STILL, 15, 4, 4, 4, 4]), up()) == [9, 0]

    def test_counts_from_zero_when_it_was_missing_in_a_scrape_that_went_well(self) -> None:
        assert totals(series([*STILL, None, None, 30, 30, 30]), up()) == [30, 0]

    def test_continues_when_the_target_was_away(self) -> None:
        assert totals(series([*STILL, None, None, 30, 30, 30]), up([1, 1, 1, 1, 1, 0, 0, 1, 1, 1])) == [20, 0]

    def test_continues_when_nothing_was_scraped_at_all(self) -> None:
        ups = [1, 1, 1, 1, 1, None, None, 1, 1, 1]
        assert totals(series([*STILL, None, None, 30, 30, 30]), up(ups)) == [20, 0]

    def test_counts_from_zero_when_the_process_started_anew_although_it_is_higher(self) -> None:
        starts = [-9000] * 6 + [20] * 4
        assert totals(series([*STILL, 10, 30, 31, 31, 31]), up(), process(starts)) == [31, 0]

    def test_continues_when_only_the_clock_of_a_process_trembles(self) -> None:
        starts = [-50, -49] * 5
        assert totals(series([*STILL, 12, 12, 12, 12, 12]), up(), process(starts)) == [2, 0]

    def test_continues_when_the_host_s_clock_was_set(self) -> None:
        starts = [-9000] * 6 + [-5000] * 4
        assert totals(series([*STILL, 12, 12, 12, 12, 12]), up(), process(starts)) == [2, 0]

    def test_with_timestamps_of_its_own_is_never_missing(self) -> None:
        assert totals(series([10] * 5 + [30] * 3, first=-57, every=20), up()) == [20, 0]


class TestANewSeries:
    def test_counts_from_zero_on_a_target_that_was_there(self) -> None:
        assert counted(series([10] * 10), series([2, 3], first=30, code="500"), up()) == [(3, 3), (0, 0)]

    def test_is_a_baseline_on_a_target_that_nobody_has_seen(self) -> None:
        assert first_slice(series([1000, 1010], first=30), up([1, 1], first=30)) == 10

    def test_is_a_baseline_on_a_target_that_never_answered(self) -> None:
        assert first_slice(series([1000, 1010], first=30), up([0, 0, 1, 1], first=0)) == 10

    def test_counts_from_zero_when_its_process_has_just_started(self) -> None:
        ups, starts = up([1, 1], first=30), process([20, 20], first=30)
        assert first_slice(series([40, 50], first=30), ups, starts) == 50

    def test_is_a_baseline_when_its_process_started_long_ago(self) -> None:
        ups, starts = up([1, 1], first=30), process([-9000, -9000], first=30)
        assert first_slice(series([40, 50], first=30), ups, starts) == 10

    def test_is_a_baseline_when_its_young_process_only_changed_its_name(self) -> None:
        before = [series([10, 20, 30, 40, 50, 60]), up([1] * 6), process([-70] * 6)]
        renamed = [
            series([62, 70], 30, instance="b"),
            up([1, 1], 30, instance="b"),
            process([-70] * 2, 30, instance="b"),
        ]
        # Of the old name what it counted in the slice, of the new one what came after its first scrape.
        assert first_slice(*before, *renamed) == 10 + 8

    def test_with_timestamps_of_its_own_is_a_baseline_near_the_target_s_first_scrape(self) -> None:
        assert first_slice(series([1000, 1010], first=33), up([1, 1, 1], first=30)) == 10

    def test_counts_from_zero_where_counters_are_pushed_and_another_series_was_there(self) -> None:
        assert counted(series([10] * 10), series([2, 3], first=30, code="500")) == [(3, 3), (0, 0)]

    def test_is_a_baseline_where_counters_are_pushed_by_somebody_new(self) -> None:
        assert first_slice(series([10] * 10), series([2, 3], first=30, instance="b")) == 1


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


class TestASlice:
    def test_between_two_scrapes_is_measured(self) -> None:
        sparse = [series([10, 10, 12, 12], first=-110, every=60), up([1] * 4, first=-110, every=60)]
        one = Fetched(Chunk(START, timedelta(seconds=10), 12), sparse[:1], sparse[1:])
        assert [each.total for each in tally(EVENTS, one)[()]] == [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]

    def test_is_unmeasured_when_the_target_is_down(self) -> None:
        assert totals(series([10] * 7), up([1] * 7 + [0] * 6)) == [0, None]

    def test_is_unmeasured_when_the_series_is_gone_from_its_target(self) -> None:
        assert totals(series([10] * 7), up()) == [0, None]

    def test_is_unmeasured_from_the_first_scrape_on_that_misses_the_series(self) -> None:
        short = Fetched(Chunk(START, timedelta(seconds=10), 5), [series([10] * 6)], [up()])
        # Its last scrape is at 15 s; the one at 30 s no longer finds it.
        assert [one.total for one in tally(EVENTS, short)[()]] == [0, 0, None, None, None]

    def test_is_unmeasured_without_series_and_says_why(self) -> None:
        found = tally(EVENTS, fetched())[()]
        assert {(one.bad, one.total, one.reason) for one in found} == {
            (None, None, "No series matches requests_total{}.")
        }

    def test_without_traffic_is_zero_of_zero(self) -> None:
        assert counted(series([10] * 13), up()) == [(0, 0), (0, 0)]


class TestMarks:
    def test_may_be_good_events(self) -> None:
        good = Sli("events", "requests_total", (), (Matcher("code", "=", "200"),), marks="good")
        found = series([10] * 5 + [16] * 8), series([1] * 5 + [3] * 8, code="500"), up()
        assert counted(*found, sli=good) == [(2, 8), (0, 0)]

    def test_without_any_good_event_all_are_bad(self) -> None:
        good = Sli("events", "requests_total", (), (Matcher("code", "=", "200"),), marks="good")
        assert counted(series([1] * 5 + [3] * 8, code="500"), up(), sli=good) == [(2, 2), (0, 0)]

    def test_may_be_another_counter(self) -> None:
        other = Sli("events", "requests_total", bad_metric="failures_total", bad_matchers=(Matcher("kind", "=", "x"),))
        failures = Samples({"__name__": "failures_total", "kind": "x", **OWN}, *scrapes([1] * 6 + [3] * 7))
        assert counted(series([10] * 5 + [16] * 8), failures, up(), sli=other) == [(2, 6), (0, 0)]

    def test_are_never_more_than_all_events(self) -> None:
        other = Sli("events", "requests_total", bad_metric="failures_total", bad_matchers=(Matcher("kind", "=", "x"),))
        failures = Samples({"__name__": "failures_total", "kind": "x", **OWN}, *scrapes([1] * 6 + [30] * 7))
        assert counted(series([10] * 5 + [16] * 8), failures, up(), sli=other)[0] == (6, 6)


class TestGroups:
    GROUPED = Sli("events", "requests_total", (), (BAD,), group_by=("tenant",))

    def test_count_by_themselves(self) -> None:
        found = fetched(
            series([10] * 5 + [12] * 8, tenant="a"),
            series([10] * 5 + [13] * 8, tenant="b"),
            series([1] * 5 + [2] * 8, tenant="b", code="503"),
            up(),
        )
        first = {group: (one[0].bad, one[0].total) for group, one in tally(self.GROUPED, found).items()}
        assert first == {(("tenant", "a"),): (0, 2), (("tenant", "b"),): (1, 4)}

    def test_are_none_without_series(self) -> None:
        assert tally(self.GROUPED, fetched()) == {}

    def test_of_series_without_the_label_are_the_empty_one(self) -> None:
        assert [*tally(self.GROUPED, fetched(series([10] * 13), up()))] == [(("tenant", ""),)]


class TestSeriesAreChosen:
    @pytest.mark.parametrize(
        ("matcher", "total"),
        [
            (Matcher("route", "=", "/a"), 2),
            (Matcher("route", "!=", "/a"), 4),
            (Matcher("route", "=~", "/a|/b"), 6),
            (Matcher("route", "=~", "/"), 0),
            (Matcher("route", "!~", "/b.*"), 2),
            (Matcher("tenant", "=", ""), 6),
            (Matcher("tenant", "!=", ""), 0),
        ],
    )
    def test_as_prometheus_chooses_them(self, matcher: Matcher, total: float) -> None:
        found = series([10] * 5 + [12] * 8, route="/a"), series([10] * 5 + [14] * 8, route="/b"), up()
        assert (counted(*found, sli=Sli("events", "requests_total", (matcher,), (BAD,)))[0][1] or 0) == total

    def test_by_patterns_that_can_be_read(self) -> None:
        odd = Sli("events", "requests_total", (Matcher("route", "=~", r"\pL+"),), (BAD,))
        with pytest.raises(ValueError, match="cannot be read"):
            tally(odd, fetched(series([1] * 13)))


def native(*counts: Mapping[tuple[float, float], float]) -> Samples:
    times, _ = scrapes([0] * len(counts))
    found = [Histogram(sum(one.values()), tuple((*edges, count) for edges, count in one.items())) for one in counts]
    return Samples({"__name__": "seconds", **OWN}, times, [one.count for one in found], found)


class TestNativeHistograms:
    SLOW = Sli("latency", "seconds", threshold=Decimal("0.75"))

    def test_count_events_within_a_bucket_by_its_part(self) -> None:
        before, after = {(0.0, 0.5): 4.0, (0.5, 1.0): 2.0}, {(0.0, 0.5): 10.0, (0.5, 1.0): 10.0, (1.0, 2.0): 3.0}
        assert counted(native(*[before] * 5, *[after] * 8), up(), sli=self.SLOW)[0] == (4 + 3, 6 + 8 + 3)

    def test_count_from_zero_after_a_restart(self) -> None:
        before, after = {(0.0, 0.5): 40.0}, {(0.0, 0.5): 3.0, (1.0, 2.0): 1.0}
        assert counted(native(*[before] * 5, *[after] * 8), up(), sli=self.SLOW)[0] == (1, 4)

    def test_lose_no_events_when_their_buckets_grow(self) -> None:
        fine, coarse = {(0.5, 1.0): 10.0}, {(0.0, 4.0): 14.0}
        later = {(0.0, 0.5): 10.0, (0.5, 4.0): 14.0}
        found = counted(native(*[fine] * 5, coarse, *[later] * 7), up(), sli=self.SLOW)[0]
        assert found[1] == 14
        assert found[0] == pytest.approx(14 - (10 + 14 / 14 - 14 * 0.75 / 4))

    def test_are_left_alone_where_there_are_classic_ones(self) -> None:
        classic = [
            Samples({"__name__": "seconds_count", **OWN}, *scrapes([10] * 5 + [14] * 8)),
            Samples({"__name__": "seconds_bucket", "le": "0.75", **OWN}, *scrapes([10] * 5 + [13] * 8)),
        ]
        assert counted(*classic, native(*[{(0.0, 0.5): 4.0}] * 13), up(), sli=self.SLOW)[0] == (1, 4)

    def test_without_the_bucket_a_classic_one_is_unmeasured(self) -> None:
        count = Samples({"__name__": "seconds_count", **OWN}, *scrapes([10] * 13))
        assert "no bucket that ends at 0.75" in tally(self.SLOW, fetched(count, up()))[()][0].reason


@given(st.lists(st.integers(0, 50), min_size=13, max_size=13), st.integers(1, 4))
def test_however_a_time_is_cut_into_slices_the_same_is_counted(steps: list[int], parts: int) -> None:
    values = [sum(steps[: n + 1]) % 120 for n in range(13)]
    whole = Fetched(Chunk(START, timedelta(minutes=2), 1), [series(values)], [up()])
    cut = Fetched(Chunk(START, timedelta(minutes=2) / parts, parts), [series(values)], [up()])
    assert _sum(tally(EVENTS, cut)[()]) == _sum(tally(EVENTS, whole)[()])


def _sum(slices: Sequence[Measured]) -> float:
    return sum(one.total or 0 for one in slices)


# -- Whether all is there
@pytest.mark.parametrize(
    ("ups", "whole"),
    [
        ((up(),), True),
        ((up((1,) * 9, every=25, first=-93),), True),
        # The scrape at the slice's end is still to come.
        ((up((1,) * 12),), False),
        # Away for so long that it is gone.
        ((up((1,) * 9),), True),
        # Nothing says when scrapes come.
        ((), False),
        ((up(), up((1,) * 12, instance="b")), True),
    ],
    ids=["all", "next one belongs to the next slice", "late", "gone", "pushed", "another target is late"],
)
def test_a_chunk_is_complete_when_no_scrape_of_its_targets_is_to_come(ups: tuple[Samples, ...], whole: bool) -> None:
    assert complete(EVENTS, fetched(series(range(13)), *ups)) is whole


def test_a_chunk_without_any_series_is_not_known_to_be_complete() -> None:
    assert not complete(EVENTS, fetched(up()))
