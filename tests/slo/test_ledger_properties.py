"""Whatever is delivered in whatever order and however often, by whomever: the same ledger."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slo import groups, ledger, maintenance
from slo.entries import ABSENT
from slo.groups import Group
from slo.history import History
from slo.ledger import Batch, Unordered
from slo.models import Ledger, Objective, Slice
from slo.slices import Measured
from slo.windows import ZERO, Totals
from tests.make import HOUR, MINUTE, NOON, Counts, book_of, make_objective, measured

pytestmark = pytest.mark.django_db

EU: Group = (("region", "eu"),)
US: Group = (("region", "us"),)
FIVE = timedelta(minutes=5)

often = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
one = st.one_of(st.none(), st.tuples(st.integers(0, 9), st.integers(9, 99)))
counts = st.lists(one, min_size=1, max_size=30)
# Which groups a chunk of slices speaks of.
spoken = st.sets(st.sampled_from([EU, US]))


def again(objective: Objective) -> Objective:
    return Objective.objects.get(pk=objective.pk)


def rows(objective: Objective) -> list[tuple[object, ...]]:
    """What the ledgers say, each slice with the totals since its ledger's base."""
    found = list[tuple[object, ...]]()
    for book in ledger.books(objective):
        for row in Slice.objects.filter(ledger=book).order_by("end"):
            running = (row.running_bad - book.base_bad, row.running_total - book.base_total)
            found.append((book.group, row.start, row.end, row.bad, row.total, row.reason, *running))
    return found


def by_hand(slices: Sequence[Measured], start: int, end: int) -> Totals:
    inside = slices[start:end]
    seen = [one for one in inside if one.total is not None]
    bad, total = sum(one.bad or 0 for one in seen), sum(one.total or 0 for one in seen)
    return Totals(bad, total, len(seen) * MINUTE, len(inside) * MINUTE)


@often
@given(counts, st.data())
def test_every_window_is_the_sum_of_its_slices(some: list[Counts], data: st.DataObject) -> None:
    objective, slices = make_objective(), measured(NOON, some)
    ledger.append([Batch(objective, {(): slices})])
    pairs = st.tuples(st.integers(0, len(some)), st.integers(0, len(some))).filter(lambda pair: pair[0] < pair[1])
    wanted = data.draw(st.lists(pairs, min_size=1, max_size=8))
    found = ledger.totals_many(book_of(objective), [(NOON + a * MINUTE, NOON + b * MINUTE) for a, b in wanted])
    assert found == [by_hand(slices, a, b) for a, b in wanted]


@often
@given(counts, st.data())
def test_any_order_and_repetition_of_deliveries_gives_the_same_ledger(some: list[Counts], data: st.DataObject) -> None:
    slices = measured(NOON, some)
    plain = make_objective()
    ledger.append([Batch(plain, {(): slices})])

    objective = make_objective()
    # What workers loaded at some time; each delivers what it thinks is due, perhaps long after.
    known = [again(objective)]
    while again(objective).measured_until != slices[-1].end:
        worker = data.draw(st.sampled_from(known))
        done = 0 if worker.measured_until is None else (worker.measured_until - NOON) // MINUTE
        size = data.draw(st.integers(1, 9))
        chunk = slices[done : done + size]
        if chunk:
            ledger.append([Batch(worker, {(): chunk})])
        known = [*known[-3:], again(objective)]
    assert rows(objective) == rows(plain)


@often
@given(counts, counts, st.lists(st.integers(1, 9), min_size=1))
def test_history_read_backwards_is_as_if_it_had_been_measured_in_order(
    older: list[Counts], newer: list[Counts], sizes: list[int]
) -> None:
    start = NOON - len(older) * MINUTE
    slices = measured(start, older + newer)
    plain, objective = make_objective(), make_objective()
    ledger.append([Batch(plain, {(): slices})])

    ledger.append([Batch(objective, {(): slices[len(older) :]})])
    left, turn = len(older), 0
    while left:
        first = max(0, left - sizes[turn % len(sizes)])
        stale = again(objective)
        assert ledger.prepend(Batch(again(objective), {(): slices[first:left]}))
        assert not ledger.prepend(Batch(stale, {(): slices[first:left]}))
        left, turn = first, turn + 1
    assert rows(objective) == rows(plain)
    assert (again(objective).measured_from, again(objective).measured_until) == (start, slices[-1].end)
    edges = [start + n * MINUTE for n in range(len(slices) + 1)]
    windows = [(left, right) for left in edges[::3] for right in edges[::4] if left < right]
    assert ledger.totals_many(book_of(objective), windows) == ledger.totals_many(book_of(plain), windows)


@often
@given(st.lists(spoken, min_size=1, max_size=12), st.lists(spoken, max_size=6))
def test_the_slices_of_every_group_follow_each_other_without_a_gap(
    live: list[set[Group]], history: list[set[Group]]
) -> None:
    objective = make_objective(grouping=["region"])
    chunks = [(NOON + n * FIVE, some) for n, some in enumerate(live)]
    for start, some in chunks:
        spans = [(start, start + FIVE)]
        assert ledger.append([Batch(objective, _said(start, some), spans)])
    for n, some in enumerate(history, 1):
        start = NOON - n * FIVE
        assert ledger.prepend(Batch(objective, _said(start, some), [(start, start + FIVE)]))
    until = NOON + len(live) * FIVE
    for book in ledger.books(objective):
        own = list(Slice.objects.filter(ledger=book).order_by("end"))
        assert own[0].start == book.begins
        assert own[-1].end == until
        assert all(left.end == right.start for left, right in pairwise(own))
        said = [(NOON - n * FIVE, some) for n, some in enumerate(history, 1)] + chunks
        spoken_of = [start for start, some in said if book.group in {groups.text(group) for group in some}]
        assert [row.start for row in own if row.total is not None] == sorted(spoken_of)
        assert all(row.reason == ABSENT for row in own if row.total is None)
        assert ledger.totals(book, NOON - HOUR, until).total == 9 * len(spoken_of)


def _said(start: datetime, some: set[Group]) -> Mapping[Group, Sequence[Measured]]:
    return {group: measured(start, [(1, 9)], FIVE) for group in some}


@often
@given(
    counts,
    st.lists(st.tuples(st.integers(-200, 2000), st.integers(1, 700)), max_size=4),
    st.lists(st.integers(0, 30), min_size=1, max_size=6),
)
def test_what_is_excluded_is_what_a_full_reading_leaves_out(
    some: list[Counts], taken: list[tuple[int, int]], wanted: list[int]
) -> None:
    """A few marks of the database say the same as all slices by the pure function."""
    objective, slices = make_objective(), measured(NOON, some)
    ledger.append([Batch(objective, {(): slices})])
    intervals = [(NOON + timedelta(seconds=start), NOON + timedelta(seconds=start + length)) for start, length in taken]
    for start, end in intervals:
        maintenance.declare("Work", start, end - start, objective=objective)
    end = slices[-1].end
    counted = [one for one in intervals if one[0] < end and one[1] > NOON]
    pure = History.of(slices, [(max(left, NOON), min(right, end)) for left, right in counted])
    windows = [(NOON + n * MINUTE, end) for n in wanted if NOON + n * MINUTE < end]
    found = ledger.totals_many(book_of(objective), windows)
    exact = [pure.between(start, end) for start, end in windows]
    assert [(one.bad, one.total, one.measured) for one in found] == [(o.bad, o.total, o.measured) for o in exact]
    dense = ledger.history(book_of(objective), NOON, end)
    assert [dense.between(start, end).total for start, end in windows] == [one.total for one in exact]
    lengths = [end - start for start, end in windows]
    assert [one.span + one.excluded for one in found] == lengths


def test_a_batch_with_one_that_is_out_of_order_writes_nothing() -> None:
    sound, other = make_objective(), make_objective()
    with pytest.raises(Unordered):
        ledger.append([Batch(sound, {(): measured(NOON, [(1, 9)])}), Batch(other, {(): []})])
    assert not Ledger.objects.exists()
    assert again(sound).measured_until is None
    assert ledger.totals_many(Ledger.objects.create(objective=sound, generation=1), [(NOON, NOON + HOUR)]) == [
        Totals(0, 0, ZERO, HOUR)
    ]
