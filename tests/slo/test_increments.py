"""What counts, by samples at single scrapes: every rule of counting, without a server."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.raw_samples import Samples
from slo.chunks import Chunk
from slo.counting import Matcher, Sli
from slo.increments import complete, tally
from slo.samples import Fetched
from slo.slices import Measured
from tests.slo.scrapes import START
from tests.slo.series import (
    BAD,
    EVENTS,
    OWN,
    STILL,
    counted,
    fetched,
    first_slice,
    process,
    scrapes,
    series,
    totals,
    up,
)


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


class TestATargetThatWasAway:
    AWAY = up([1] * 5 + [0] * 2 + [1] * 3)

    def test_was_restarted_with_all_its_counters_when_most_of_them_fell(self) -> None:
        ok, failed = series([1000] * 5 + [None] * 2 + [40] * 3), series([2] * 5 + [None] * 2 + [30] * 3, code="500")
        assert counted(ok, failed, self.AWAY)[0] == (30, 70)

    def test_was_not_when_only_a_part_of_what_it_exports_was_reset(self) -> None:
        reset, other = series([10] * 5 + [None] * 2 + [4] * 3), series([900] * 5 + [None] * 2 + [905] * 3, route="b")
        assert first_slice(reset, other, self.AWAY) == 4 + 5

    def test_was_not_when_its_process_says_so(self) -> None:
        ok, failed = series([1000] * 5 + [None] * 2 + [40] * 3), series([2] * 5 + [None] * 2 + [30] * 3, code="500")
        assert counted(ok, failed, self.AWAY, process([-9000] * 5 + [None] * 2 + [-9000] * 3))[0] == (28, 68)

    def test_is_the_condition(self) -> None:
        ok, failed = series([1000] * 5 + [40] * 3), series([2] * 5 + [30] * 3, code="500")
        assert counted(ok, failed, up())[0] == (28, 68)

    def test_was_so_when_nothing_was_scraped_for_long(self) -> None:
        ok, failed = series([1000] * 5 + [None] * 3 + [40] * 3), series([2] * 5 + [None] * 3 + [30] * 3, code="500")
        assert sum(bad or 0 for bad, _ in counted(ok, failed, up([1] * 5 + [None] * 3 + [1] * 3))) == 30


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
