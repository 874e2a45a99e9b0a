"""Windows are differences of running totals, and add up."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from slo.windows import NOTHING, Mark, Totals, difference, last_before, window
from tests.make import MINUTE, NOON, Counts

counts = st.lists(
    st.one_of(
        st.none(),
        st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)).map(lambda pair: (min(pair), max(pair))),
    ),
    min_size=1,
    max_size=40,
)


def running(slices: Sequence[Counts]) -> list[Mark]:
    """The marks of a ledger of minutes from noon on."""

    def add(mark: Mark, one: Counts) -> Mark:
        bad, total = one or (0, 0)
        measured = MINUTE if one else timedelta(0)
        return Mark(mark.at + MINUTE, mark.bad + bad, mark.total + total, mark.measured + measured)

    return list(accumulate(slices, add, initial=Mark(NOON, 0, 0, timedelta(0))))[1:]


def by_hand(slices: Sequence[Counts]) -> Totals:
    measured = [one for one in slices if one]
    bad, total = sum(bad for bad, _ in measured), sum(total for _, total in measured)
    return Totals(bad, total, len(measured) * MINUTE, len(slices) * MINUTE)


@given(counts, st.data())
def test_any_window_is_the_sum_of_its_slices(slices: list[Counts], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(slices) - 1))
    end = data.draw(st.integers(start + 1, len(slices)))
    found = window(running(slices), NOON + end * MINUTE, (end - start) * MINUTE)
    assert found == by_hand(slices[start:end])


@given(counts, st.data())
def test_neighbouring_windows_add_up(slices: list[Counts], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(slices)))
    marks, end = running(slices), NOON + len(slices) * MINUTE
    left = window(marks, NOON + cut * MINUTE, cut * MINUTE)
    right = window(marks, end, (len(slices) - cut) * MINUTE)
    assert left + right == window(marks, end, len(slices) * MINUTE)


def test_time_before_the_ledger_began_is_unmeasured() -> None:
    found = window(running([(1, 10), (2, 10)]), NOON + 2 * MINUTE, 8 * MINUTE)
    assert found == Totals(3, 20, 2 * MINUTE, 8 * MINUTE)
    assert found.coverage == 0.25


def test_time_after_the_ledger_ends_is_unmeasured() -> None:
    found = window(running([(1, 10), (2, 10)]), NOON + 3 * MINUTE, 2 * MINUTE)
    assert found == Totals(2, 10, MINUTE, 2 * MINUTE)


def test_a_window_that_starts_within_a_slice_is_given_all_of_it() -> None:
    found = window(running([(1, 10), (2, 10)]), NOON + 2 * MINUTE, MINUTE + timedelta(seconds=30))
    assert (found.bad, found.total) == (3, 20)
    assert found.coverage == 1


def test_no_traffic_is_a_ratio_of_zero_and_no_measurement_is_none() -> None:
    assert by_hand([(0, 0)]).ratio == 0
    assert by_hand([None]).ratio is None
    assert NOTHING.ratio is None
    assert NOTHING.coverage == 0


def test_a_ratio_is_counts_added_then_divided() -> None:
    # The average of the two slices' ratios would be 0.5.
    assert by_hand([(1, 1), (0, 99)]).ratio == 0.01


def test_sums_of_fractions_never_go_below_zero() -> None:
    earlier = Mark(NOON, 0.1 + 0.2, 0.1 + 0.2, MINUTE)
    later = Mark(NOON + MINUTE, 0.3, 0.3, 2 * MINUTE)
    assert difference(earlier, later, MINUTE) == Totals(0, 0, MINUTE, MINUTE)


def test_before_the_first_mark_there_is_none() -> None:
    assert last_before(running([(0, 0)]), NOON) is None


def test_what_is_taken_out_is_no_part_of_a_window_nor_of_its_coverage() -> None:
    whole, part = Totals(5, 50, 50 * MINUTE, 60 * MINUTE), Totals(3, 10, 10 * MINUTE, 20 * MINUTE)
    found = whole.without(part)
    assert found == Totals(2, 40, 40 * MINUTE, 40 * MINUTE, 20 * MINUTE)
    assert found.coverage == 1
    assert whole.without(whole).ratio is None
    assert whole.without(whole).coverage == 0


@given(counts, st.data())
def test_what_is_taken_out_leaves_the_sum_of_the_rest(slices: list[Counts], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(slices)))
    last = data.draw(st.integers(first, len(slices)))
    whole, part = by_hand(slices), by_hand(slices[first:last])
    rest = by_hand(slices[:first] + slices[last:])
    assert whole.without(part) == Totals(rest.bad, rest.total, rest.measured, rest.span, part.span)
