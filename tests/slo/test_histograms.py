"""Latencies: buckets, native histograms, and services of which some targets have the one and some the other."""

from collections.abc import Mapping
from decimal import Decimal

import pytest

from connectors.raw_samples import Histogram, Samples
from slo.counting import Sli
from slo.increments import tally
from tests.slo.series import OWN, T0, Values, counted, fetched, scrapes, up


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

    def test_count_by_themselves_beside_targets_with_classic_ones(self) -> None:
        before, after = {(0.0, 0.5): 4.0}, {(0.0, 0.5): 10.0, (1.0, 2.0): 3.0}
        old = classic([10] * 5 + [14] * 8, [10] * 5 + [13] * 8, instance="b")
        ups = up(), up(instance="b")
        assert counted(*old, native(*[before] * 5, *[after] * 8), *ups, sli=self.SLOW)[0] == (1 + 3, 4 + 9)

    def test_go_on_where_a_classic_one_ended(self) -> None:
        old = classic([10] * 5 + [14] * 2, [10] * 5 + [13] * 2)
        new = native(*[{(0.0, 0.5): 14.0}] * 3, *[{(0.0, 0.5): 14.0, (1.0, 2.0): 2.0}] * 3)
        new.times = [T0 + 30 + 15 * n for n in range(6)]
        found = counted(*old, new, up(), sli=self.SLOW)
        # What it had counted when its form changed is not new.
        assert found == [(1, 4), (2, 2)]

    def test_without_the_bucket_a_classic_one_is_unmeasured(self) -> None:
        count = Samples({"__name__": "seconds_count", **OWN}, *scrapes([10] * 13))
        assert "no bucket that ends at 0.75" in tally(self.SLOW, fetched(count, up()))[()][0].reason


def classic(count: Values, bucket: Values, edge: str = "0.75", **labels: str) -> list[Samples]:
    return [
        Samples({"__name__": "seconds_count", **OWN, **labels}, *scrapes(count)),
        Samples({"__name__": "seconds_bucket", "le": edge, **OWN, **labels}, *scrapes(bucket)),
    ]


class TestBuckets:
    SLOW = Sli("latency", "seconds", threshold=Decimal("0.75"))

    def test_count_by_themselves_where_other_targets_have_none(self) -> None:
        having = classic([10] * 5 + [14] * 8, [10] * 5 + [13] * 8)
        lacking = classic([10] * 5 + [90] * 8, [10] * 5 + [90] * 8, edge="0.8", instance="b")
        assert counted(*having, *lacking, up(), up(instance="b"), sli=self.SLOW)[0] == (1, 4)

    def test_that_are_gone_after_a_restart_leave_the_slices_unmeasured_and_say_why(self) -> None:
        before = classic([10] * 6, [10] * 6)
        after = classic([None] * 6 + [3] * 7, [None] * 6 + [3] * 7, edge="0.8")
        before[0].times, before[0].values = scrapes([10] * 6 + [3] * 7)
        found = tally(self.SLOW, fetched(*before, after[1], up()))[()]
        assert [one.total for one in found] == [None, None]
        assert all("no bucket that ends at 0.75" in one.reason for one in found)

    def test_that_only_some_targets_lost_leave_the_others_measured(self) -> None:
        lost = classic([10] * 13, [10] * 6)
        lost[0].values = [10.0] * 6 + [50.0] * 7
        kept = classic([10] * 5 + [14] * 8, [10] * 5 + [13] * 8, instance="b")
        assert counted(*lost, *kept, up(), up(instance="b"), sli=self.SLOW) == [(1, 4), (0, 0)]

    def test_of_copies_count_once(self) -> None:
        found = [
            one
            for name in ("a", "b")
            for one in classic([10] * 5 + [14] * 8, [10] * 5 + [13] * 8, prometheus_replica=name)
        ]
        assert counted(*found, up(prometheus_replica="a"), up(prometheus_replica="b"), sli=self.SLOW)[0] == (1, 4)
