"""The ledger on a real database: strict order, each slice once, and windows in a few queries."""

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from slo import ledger
from slo.ledger import Unordered
from slo.models import Objective, Slice
from slo.slices import Measured
from slo.windows import Totals
from tests.make import DAY, HOUR, MINUTE, NOON, make_objective, make_slices

pytestmark = pytest.mark.django_db


def minute(n: int, bad: float | None = 1, total: float | None = 10) -> Measured:
    return Measured(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, bad, total)


def again(objective: Objective) -> Objective:
    return Objective.objects.get(pk=objective.pk)


def test_slices_follow_each_other_and_move_the_objective() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10), None, (0, 0)])
    assert again(objective).measured_until == end == NOON + 3 * MINUTE
    assert ledger.totals(objective, NOON, end) == Totals(1, 10, 2 * MINUTE, 3 * MINUTE)


def test_running_totals_continue_where_they_stopped() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10), (2, 10)])
    make_slices(again(objective), end, [(3, 10)])
    last = Slice.objects.latest("end")
    assert (last.running_bad, last.running_total, last.running_measured) == (6, 30, 3 * MINUTE)


def test_the_same_chunk_appended_by_two_workers_is_there_once() -> None:
    objective = make_objective()
    one, other = again(objective), again(objective)
    assert ledger.append(one, [minute(0), minute(1)])
    assert not ledger.append(other, [minute(0), minute(1)])
    assert Slice.objects.count() == 2


def test_a_worker_that_was_overtaken_appends_nothing_later_either() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)])
    slow, fast = again(objective), again(objective)
    make_slices(fast, NOON + MINUTE, [(1, 10), (1, 10)])
    assert not ledger.append(slow, [minute(1)])
    assert ledger.totals(objective, NOON, NOON + HOUR).bad == 3


def test_what_was_counted_for_an_earlier_definition_is_not_appended() -> None:
    objective = make_objective()
    asked_before = again(objective)
    Objective.objects.filter(pk=objective.pk).update(revision=2)
    assert not ledger.append(asked_before, [minute(0)])
    assert not Slice.objects.exists()


@pytest.mark.parametrize("slices", [[minute(1)], [minute(0), minute(2)], [minute(0), minute(0)], []])
def test_a_gap_or_an_overlap_is_refused(slices: list[Measured]) -> None:
    objective = make_objective()
    make_slices(objective, NOON - MINUTE, [(0, 0)])
    with pytest.raises(Unordered):
        ledger.append(objective, slices)
    assert Slice.objects.count() == 1


def test_a_chunk_that_fails_half_way_leaves_nothing_behind() -> None:
    objective = make_objective()
    with pytest.raises(IntegrityError), transaction.atomic():
        ledger.append(objective, [minute(0), minute(1, bad=11, total=10)])
    assert again(objective).measured_until is None
    assert not Slice.objects.exists()
    assert ledger.append(again(objective), [minute(0), minute(1)])


def test_an_answer_clears_the_error_of_the_time_before() -> None:
    objective = make_objective()
    Objective.objects.filter(pk=objective.pk).update(last_error="No answer.", last_error_at=NOON)
    make_slices(objective, NOON, [(0, 1)])
    assert again(objective).last_error == ""
    assert again(objective).last_error_at is None


def test_objectives_do_not_see_each_other() -> None:
    one, other = make_objective(), make_objective()
    end = make_slices(one, NOON, [(1, 10)])
    make_slices(other, NOON, [(5, 50)])
    assert ledger.totals(one, NOON, end).bad == 1
    assert ledger.totals(other, NOON, end).bad == 5


def test_an_empty_ledger_has_measured_nothing() -> None:
    objective = make_objective()
    assert ledger.totals(objective, NOON, NOON + HOUR) == Totals(0, 0, timedelta(0), HOUR)
    assert ledger.budget(objective, NOON).left is None
    assert not ledger.has_measured(objective)
    assert ledger.first_start(objective) is None
    assert [bucket.totals.measured for bucket in ledger.series(objective, NOON, NOON + HOUR, 60)] == [timedelta(0)] * 60


def test_several_windows_cost_the_queries_of_one(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 120)
    windows = [(end - n * MINUTE, end) for n in (1, 5, 30, 60, 120, 1000)]
    with django_assert_num_queries(2):
        found = ledger.totals_many(objective, windows)
    assert [one.bad for one in found] == [1, 5, 30, 60, 120, 120]


def test_a_chart_costs_a_handful_of_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 600)
    with django_assert_max_num_queries(4):
        found = ledger.burn_series(objective, HOUR, end - 10 * HOUR, end + HOUR, 120)
    assert len(found) > 60
    assert dict(found)[end] == pytest.approx(100)


def test_burns_and_budget_come_from_the_same_rows() -> None:
    objective = make_objective(target="0.9", window=2 * HOUR)
    end = make_slices(objective, NOON, [(0, 10)] * 60 + [(2, 10)] * 60)
    assert ledger.burns(objective, end, [HOUR, 2 * HOUR, MINUTE]) == {HOUR: 2, 2 * HOUR: 1, MINUTE: 2}
    assert ledger.budget(objective, end).left == 0
    assert ledger.budget(objective, end).exhausted_in(2) == timedelta(0)
    assert dict(ledger.budget_series(objective, end - HOUR, end, 60))[end] == 0


def test_a_chart_says_what_was_not_measured() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10), None, (2, 10)])
    found = ledger.series(objective, NOON, end, 3)
    assert [bucket.totals.ratio for bucket in found] == [0.1, None, 0.2]


slices = st.lists(
    st.tuples(st.sampled_from([10, 60, 300, 3600]), st.one_of(st.none(), st.tuples(st.just(1), st.integers(1, 9)))),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(slices, st.lists(st.integers(-600, 15_000), min_size=30, max_size=40))
def test_few_and_many_instants_find_the_same_rows(
    lengths: list[tuple[int, tuple[int, int] | None]], seconds: list[int]
) -> None:
    objective = make_objective()
    start, rows = NOON, list[Measured]()
    for length, counts in lengths:
        end = start + timedelta(seconds=length)
        rows.append(Measured(start, end, *(counts or (None, None))))
        start = end
    assert ledger.append(objective, rows)
    wanted = [NOON + timedelta(seconds=second) for second in seconds]
    many = ledger.marks(objective, wanted)
    for at in wanted:
        mark = many[at]
        assert mark == ledger.marks(objective, [at])[at]
        assert (mark.at if mark else None) == last_end(rows, at)


def last_end(rows: list[Measured], at: datetime) -> datetime | None:
    return max((row.end for row in rows if row.end <= at), default=None)


def test_a_window_of_30_days_costs_as_much_as_one_of_an_hour(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 3000)
    for length in (HOUR, 30 * DAY):
        with django_assert_num_queries(2):
            ledger.totals(objective, end - length, end)
