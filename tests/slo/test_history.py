"""Windows over a history: all of its marks or only some, with maintenance taken out of them."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.history import History, snapped
from slo.periods import Interval
from slo.slices import Measured
from slo.windows import Mark, Totals

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

type Counts = tuple[float, float] | None


def measured(counts: list[Counts], start: datetime = NOON, length: timedelta = MINUTE) -> list[Measured]:
    return [
        Measured(start + n * length, start + (n + 1) * length, *(one or (None, None))) for n, one in enumerate(counts)
    ]


def minute(count: float) -> datetime:
    return NOON + count * MINUTE


def by_hand(slices: list[Measured], start: datetime, end: datetime, excluded: list[Interval]) -> Totals:
    """The same window by adding up slices; `excluded` as it was declared, not snapped."""
    out = [one for one in slices if any(one.end > left and one.start < right for left, right in excluded)]
    within = [one for one in slices if one.end > start and one.end <= end and one not in out]
    length = [one.end - one.start for one in within if one.total is not None]
    gone = sum((min(one.end, end) - max(one.start, start) for one in out if start < one.end <= end), timedelta(0))
    return Totals(
        sum(one.bad or 0.0 for one in within),
        sum(one.total or 0.0 for one in within),
        sum(length, timedelta(0)),
        end - start - gone,
        gone,
    )


counts = st.lists(st.none() | st.tuples(st.integers(0, 5), st.integers(5, 100)), min_size=1, max_size=40)
edges = st.integers(-5, 45).flatmap(lambda first: st.tuples(st.just(first), st.integers(first + 1, first + 12)))


@given(counts, st.lists(edges, max_size=4), st.data())
def test_a_window_is_the_sum_of_its_slices_without_those_in_maintenance(
    counts: list[Counts], maintenance: list[tuple[int, int]], data: st.DataObject
) -> None:
    slices = measured(counts)
    start = data.draw(st.integers(0, len(counts) - 1))
    end = data.draw(st.integers(start + 1, len(counts)))
    excluded = [(minute(left + 0.3), minute(right - 0.2)) for left, right in maintenance]
    expected = by_hand(slices, minute(start), minute(end), excluded)
    assert History.of(slices, excluded).between(minute(start), minute(end)) == expected


@given(counts, st.lists(edges, max_size=4), st.data())
def test_a_few_marks_answer_the_same_as_all_of_them(
    counts: list[Counts], maintenance: list[tuple[int, int]], data: st.DataObject
) -> None:
    full = History.of(measured(counts), [(minute(left), minute(right)) for left, right in maintenance])
    start = minute(data.draw(st.integers(-3, len(counts))))
    end = start + data.draw(st.integers(1, 30)) * MINUTE
    asked = {start, end, *(edge for interval in full.excluded for edge in interval)}
    sparse = History(only(full.marks, asked), full.excluded, full.begins)
    assert sparse.between(start, end) == full.between(start, end)


def only(marks: Sequence[Mark], asked: set[datetime]) -> list[Mark]:
    """The last mark at or before each instant, as a ledger is asked for them."""
    ends = [mark.at for mark in marks]
    found = {bisect_right(ends, at) - 1 for at in asked}
    return [marks[position] for position in sorted(found) if position >= 0]


def test_running_totals_need_not_begin_at_zero() -> None:
    shifted = History([Mark(NOON, -7, -70, -MINUTE), Mark(minute(1), -4, -40, 0 * MINUTE)], begins=NOON)
    assert shifted.between(NOON - HOUR, minute(1)) == Totals(3, 30, MINUTE, HOUR + MINUTE)


def test_long_windows_begin_on_a_full_hour() -> None:
    slices = measured([(1, 10)] * 100, NOON - 4 * timedelta(days=1))
    at = NOON + 30 * MINUTE
    assert History.of(slices).window(at, timedelta(days=4)).total == 1000
    assert History.of(slices).window(at, timedelta(days=4)).span == timedelta(days=4, minutes=30)


def test_a_slice_that_maintenance_touches_does_not_count_at_all() -> None:
    history = History.of(measured([(1, 10), (2, 20), (3, 30)]), [(minute(0.5), minute(1.5))])
    assert history.excluded == ((NOON, minute(2)),)
    assert history.between(NOON, minute(3)) == Totals(3, 30, MINUTE, MINUTE, 2 * MINUTE)


def test_maintenance_that_is_declared_twice_is_taken_out_once() -> None:
    twice = [(minute(1), minute(3)), (NOON, minute(2)), (minute(1), minute(2))]
    assert snapped(twice, [minute(n) for n in range(5)]) == ((NOON, minute(3)),)


@pytest.mark.parametrize(("at", "inside"), [(0, False), (1, False), (2, True), (3, True), (4, False)])
def test_the_slice_that_ends_at_an_instant_is_in_maintenance_or_not(at: int, inside: bool) -> None:
    history = History.of(measured([(0, 1)] * 5), [(minute(1), minute(3))])
    assert history.in_maintenance(minute(at)) is inside


def test_an_empty_history_is_unmeasured() -> None:
    nothing = History.of([])
    assert nothing.between(NOON, minute(5)) == Totals(0, 0, timedelta(0), 5 * MINUTE)
    assert nothing.ends is None
