"""Which slices are due: in order, without a gap, coarse for history."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from slo.chunks import Chunk, beginning, coarse, following
from slo.instants import EPOCH, floor, grid
from tests.make import DAY, HOUR, MINUTE, NOON

SECOND = timedelta(seconds=1)
SETTLE = 10 * SECOND


def test_a_slice_is_due_when_its_last_scrape_has_arrived() -> None:
    until = NOON
    assert following(until, NOON + MINUTE + 9 * SECOND, MINUTE, SETTLE) is None
    assert following(until, NOON + MINUTE + 10 * SECOND, MINUTE, SETTLE) == Chunk(NOON, MINUTE, 1)


def test_what_was_missed_is_caught_up_in_one_query() -> None:
    assert following(NOON, NOON + HOUR + SETTLE, MINUTE, SETTLE) == Chunk(NOON, MINUTE, 60)


def test_a_week_takes_a_few_queries() -> None:
    now, until, queries = NOON, beginning(NOON, 7 * DAY, 10 * SECOND), 0
    while chunk := following(until, now, 10 * SECOND, SETTLE):
        until, queries = chunk.end, queries + 1
    assert until == NOON - SETTLE
    assert queries == 3


def test_history_is_coarse_and_the_last_hours_are_not() -> None:
    first = following(NOON - DAY, NOON, MINUTE, SETTLE)
    assert first == Chunk(NOON - DAY, 5 * MINUTE, 18 * 12)
    assert following(first.end, NOON, MINUTE, SETTLE) == Chunk(NOON - 6 * HOUR, MINUTE, 6 * 60 - 1)


def test_a_gap_from_the_middle_of_a_coarse_slice_is_led_to_its_end() -> None:
    start = NOON - DAY + 2 * MINUTE
    assert following(start, NOON, MINUTE, SETTLE) == Chunk(start, MINUTE, 3)


def test_when_slices_become_longer_a_short_one_leads_to_the_new_grid() -> None:
    start = NOON - HOUR + 10 * SECOND
    assert following(start, NOON, MINUTE, SETTLE) == Chunk(start, 50 * SECOND, 1)


def test_a_coarse_slice_is_a_multiple_of_the_usual_one() -> None:
    assert coarse(10 * SECOND) == coarse(MINUTE) == 5 * MINUTE
    assert coarse(45 * SECOND) == 315 * SECOND
    assert coarse(HOUR) == HOUR


@given(
    st.integers(1, 7200),
    st.integers(0, 40 * 24 * 3600),
    st.integers(0, 40 * 24 * 3600),
    st.integers(1, 50),
)
def test_chunks_follow_each_other_until_nothing_is_due(length: int, start: int, later: int, most: int) -> None:
    slice, until = length * SECOND, NOON + start * SECOND
    now = until + later * SECOND
    for _ in range(10_000):
        chunk = following(until, now, slice, SETTLE, most * 100)
        if chunk is None:
            break
        assert chunk.start == until
        assert chunk.count > 0
        assert chunk.length > timedelta(0)
        assert chunk.end <= now - SETTLE
        until = chunk.end
    assert now - SETTLE - until < 2 * slice


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(1, 500))
def test_a_chart_has_no_more_points_than_asked_for(seconds: int, offset: int, points: int) -> None:
    start = NOON + offset * SECOND
    found = grid(start, start + seconds * SECOND, points)
    assert len(found) <= points + 1 or found[1] - found[0] == DAY
    assert found == sorted(set(found))


def test_instants_are_multiples_since_the_epoch() -> None:
    assert floor(NOON + 59 * SECOND, MINUTE) == NOON
    assert floor(EPOCH - SECOND, MINUTE) == EPOCH - MINUTE
