"""Which slices are due: in order, without a gap, coarse for history."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from slo.chunks import Chunk, Lengths, beginning, coarse, following, lengths, preceding
from slo.instants import EPOCH, floor, grid
from tests.make import DAY, HOUR, MINUTE, NOON

SECOND = timedelta(seconds=1)
SETTLE = 10 * SECOND
MINUTES = lengths(MINUTE)
JUDGED = lengths(MINUTE, judged=10 * MINUTE)


def test_a_slice_is_due_when_its_last_scrape_has_arrived() -> None:
    until = NOON
    assert following(until, NOON + MINUTE + 9 * SECOND, MINUTES, SETTLE) is None
    assert following(until, NOON + MINUTE + 10 * SECOND, MINUTES, SETTLE) == Chunk(NOON, MINUTE, 1)


def test_what_was_missed_is_caught_up_in_one_query() -> None:
    assert following(NOON, NOON + HOUR + SETTLE, MINUTES, SETTLE) == Chunk(NOON, MINUTE, 60)


def test_a_new_ledger_begins_with_the_hours_that_alerts_look_at() -> None:
    assert beginning(NOON + 3 * MINUTE, NOON - DAY, MINUTES) == NOON - 6 * HOUR


def test_of_a_short_window_a_new_ledger_holds_no_more_than_it_needs() -> None:
    assert beginning(NOON + 3 * MINUTE, NOON - HOUR, MINUTES) == NOON - HOUR


def test_the_past_is_read_backwards_a_day_at_a_time_until_the_goal() -> None:
    begins, goal, days = NOON, NOON - 3 * DAY - HOUR, []
    while chunk := preceding(begins, goal, MINUTES):
        assert (chunk.end, chunk.length) == (begins, 5 * MINUTE)
        begins = chunk.start
        days.append(chunk.count * chunk.length)
    assert begins == goal
    assert days == [DAY, DAY, DAY, HOUR]


def test_the_past_before_an_odd_beginning_leads_to_the_coarse_grid_first() -> None:
    assert preceding(NOON + 2 * MINUTE, NOON - DAY, MINUTES) == Chunk(NOON, 2 * MINUTE, 1)


def test_judged_slices_keep_their_length_in_the_past_too() -> None:
    assert Lengths(10 * MINUTE, 10 * MINUTE) == JUDGED
    assert preceding(NOON, NOON - HOUR, JUDGED) == Chunk(NOON - HOUR, 10 * MINUTE, 6)
    assert following(NOON - HOUR, NOON, JUDGED, SETTLE) == Chunk(NOON - HOUR, 10 * MINUTE, 5)


def test_history_is_coarse_and_the_last_hours_are_not() -> None:
    first = following(NOON - DAY, NOON, MINUTES, SETTLE)
    assert first is not None
    assert first == Chunk(NOON - DAY, 5 * MINUTE, 18 * 12)
    assert following(first.end, NOON, MINUTES, SETTLE) == Chunk(NOON - 6 * HOUR, MINUTE, 6 * 60 - 1)


def test_a_gap_from_the_middle_of_a_coarse_slice_is_led_to_its_end() -> None:
    start = NOON - DAY + 2 * MINUTE
    assert following(start, NOON, MINUTES, SETTLE) == Chunk(start, MINUTE, 3)


def test_when_slices_become_longer_a_short_one_leads_to_the_new_grid() -> None:
    start = NOON - HOUR + 10 * SECOND
    assert following(start, NOON, MINUTES, SETTLE) == Chunk(start, 50 * SECOND, 1)


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
        chunk = following(until, now, lengths(slice), SETTLE, most * 100)
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
