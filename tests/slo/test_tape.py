"""Slices kept as arrays: the same history as the slices themselves."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.history import History
from slo.slices import Measured
from slo.tape import Tape

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

lengths = st.sampled_from([MINUTE, timedelta(seconds=7), timedelta(hours=1)])
counts = st.none() | st.tuples(st.integers(0, 5), st.integers(5, 100))


@st.composite
def slices(draw: st.DrawFn) -> list[Measured]:
    found, start = list[Measured](), NOON
    for length, one in draw(st.lists(st.tuples(lengths, counts), min_size=1, max_size=30)):
        found.append(Measured(start, start + length, *(one or (None, None))))
        start += length
    return found


@given(slices())
def test_a_tape_gives_its_slices_back(slices: list[Measured]) -> None:
    assert Tape.of(slices).slices() == slices


@given(slices(), st.integers(0, 60))
def test_its_history_is_that_of_the_slices(slices: list[Measured], begin: int) -> None:
    excluded = [(NOON + begin * MINUTE, NOON + (begin + 7) * MINUTE)]
    assert Tape.of(slices).history(excluded) == History.of(slices, excluded)


def test_a_slice_that_does_not_follow_is_refused() -> None:
    tape = Tape.of([Measured(NOON, NOON + MINUTE, 0, 1)])
    with pytest.raises(ValueError, match="does not follow"):
        tape.extend([Measured(NOON + 2 * MINUTE, NOON + 3 * MINUTE, 0, 1)])


def test_missing_time_is_filled_with_unmeasured_slices() -> None:
    tape = Tape(NOON)
    tape.pad(NOON + 2.5 * MINUTE, MINUTE, "No series of it was found")
    assert [(one.total, one.end - one.start) for one in tape.slices()] == [
        (None, MINUTE),
        (None, MINUTE),
        (None, MINUTE / 2),
    ]
    assert tape.reason == "No series of it was found"
