"""The ledgers on a real database: strict order, each slice once, from either end, and windows in a few queries."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from slo import ledger, maintenance
from slo.groups import Group
from slo.ledger import Batch, Unordered
from slo.models import Ledger, Objective, Slice
from slo.slices import Measured
from slo.windows import ZERO, Mark, Totals
from tests.make import DAY, HOUR, MINUTE, NOON, book_of, make_groups, make_objective, make_slices, measured

pytestmark = pytest.mark.django_db

EU: Group = (("region", "eu"),)
US: Group = (("region", "us"),)
EU_TEXT, US_TEXT = '{region="eu"}', '{region="us"}'


def minute(n: int, bad: float | None = 1, total: float | None = 10) -> Measured:
    return Measured(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, bad, total)


def batch(objective: Objective, *slices: Measured) -> Batch:
    return Batch(objective, {(): slices})


def again(objective: Objective) -> Objective:
    return Objective.objects.get(pk=objective.pk)


# -- Appending
def test_slices_follow_each_other_and_move_the_objective() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10), None, (0, 0)])
    moved = again(objective)
    assert (moved.measured_from, moved.measured_until) == (NOON, end) == (NOON, NOON + 3 * MINUTE)
    assert (objective.measured_from, objective.measured_until) == (NOON, end)
    assert ledger.totals(book_of(objective), NOON, end) == Totals(1, 10, 2 * MINUTE, 3 * MINUTE)


def test_running_totals_continue_where_they_stopped() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10), (2, 10)])
    make_slices(again(objective), end, [(3, 10)])
    last = Slice.objects.latest("end")
    assert (last.running_bad, last.running_total, last.running_measured) == (6, 30, 180)
    assert again(objective).measured_from == NOON


def test_the_same_chunk_appended_by_two_workers_is_there_once() -> None:
    objective = make_objective()
    one, other = again(objective), again(objective)
    assert ledger.append([batch(one, minute(0), minute(1))]) == {objective.pk}
    assert ledger.append([batch(other, minute(0), minute(1))]) == set()
    assert Slice.objects.count() == 2


def test_a_worker_that_was_overtaken_appends_nothing_later_either() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)])
    slow, fast = again(objective), again(objective)
    make_slices(fast, NOON + MINUTE, [(1, 10), (1, 10)])
    assert not ledger.append([batch(slow, minute(1))])
    assert ledger.totals(book_of(objective), NOON, NOON + HOUR).bad == 3


def test_a_worker_that_asked_for_an_earlier_definition_appends_nothing() -> None:
    objective = make_objective()
    slow = again(objective)
    Objective.objects.filter(pk=objective.pk).update(generation=2)
    assert not ledger.append([batch(slow, minute(0))])
    assert not Ledger.objects.exists()


def test_of_a_batch_only_what_was_overtaken_is_left_out() -> None:
    objectives = [make_objective() for _ in range(3)]
    make_slices(again(objectives[1]), NOON, [(5, 10)])
    done = ledger.append([batch(one, minute(0)) for one in objectives])
    assert done == {objectives[0].pk, objectives[2].pk}
    assert [ledger.totals(book_of(again(one)), NOON, NOON + MINUTE).bad for one in objectives] == [1, 5, 1]


def test_a_batch_costs_the_same_queries_however_many_objectives_it_has(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    few, many = ([make_objective() for _ in range(count)] for count in (2, 20))
    for objectives in (few, many):
        ledger.append([batch(one, minute(0)) for one in objectives])
        with django_assert_num_queries(6):  # two of them begin and end the transaction
            assert len(ledger.append([batch(one, minute(1)) for one in objectives])) == len(objectives)


def test_objectives_that_are_not_equally_far_go_on_from_their_own_totals() -> None:
    late, early = make_objective(), make_objective()
    make_slices(late, NOON, [(1, 10)])
    make_slices(early, NOON, [(1, 10)] * 5)
    assert len(ledger.append([batch(late, minute(1)), batch(early, minute(5))])) == 2
    assert [ledger.totals(book_of(one), NOON, NOON + HOUR).total for one in (late, early)] == [20, 60]


@pytest.mark.parametrize("slices", [[], [minute(1)], [minute(0), minute(2)], [minute(0), minute(0)]])
def test_slices_that_leave_a_gap_or_overlap_are_refused(slices: list[Measured]) -> None:
    objective = make_objective()
    make_slices(objective, NOON - MINUTE, [(0, 10)])
    with pytest.raises(Unordered):
        ledger.append([batch(objective, *slices)])
    assert Slice.objects.count() == 1


@pytest.mark.parametrize(("bad", "total"), [(11, 10), (-1, 10), (None, 10), (1, None)])
def test_impossible_counts_are_refused_and_move_nothing(bad: float | None, total: float | None) -> None:
    objective, sound = make_objective(), make_objective()
    with pytest.raises(IntegrityError), transaction.atomic():
        ledger.append([batch(sound, minute(0)), batch(objective, minute(0, bad, total))])
    assert again(objective).measured_until is None
    assert again(sound).measured_until is None


def test_a_new_slice_clears_why_the_last_one_failed() -> None:
    objective = make_objective(last_error="The store did not answer.", last_error_at=NOON)
    make_slices(objective, NOON, [(0, 10)])
    assert (again(objective).last_error, again(objective).last_error_at) == ("", None)


# -- Groups and generations
def test_each_group_has_a_ledger_of_its_own() -> None:
    objective = make_objective(grouping=["region"])
    end = make_groups(objective, NOON, {EU: [(1, 10), (2, 10)], US: [(0, 50), None]})
    assert [book.group for book in ledger.books(objective)] == [EU_TEXT, US_TEXT]
    assert book_of(objective, EU_TEXT).labels == {"region": "eu"}
    assert ledger.totals(book_of(objective, EU_TEXT), NOON, end) == Totals(3, 20, 2 * MINUTE, 2 * MINUTE)
    assert ledger.totals(book_of(objective, US_TEXT), NOON, end) == Totals(0, 50, MINUTE, 2 * MINUTE)


def test_a_group_that_vanishes_is_unmeasured_and_not_healthy() -> None:
    objective = make_objective(grouping=["region"])
    end = make_groups(objective, NOON, {EU: [(1, 10)], US: [(0, 50)]})
    end = make_groups(objective, end, {EU: [(1, 10)]})
    assert ledger.totals(book_of(objective, US_TEXT), NOON, end) == Totals(0, 50, MINUTE, 2 * MINUTE)
    assert Slice.objects.get(ledger__group=US_TEXT, end=end).reason == "No series of this group was there."


def test_a_group_that_appears_begins_when_it_does() -> None:
    objective = make_objective(grouping=["region"])
    end = make_groups(objective, NOON, {EU: [(1, 10)]})
    make_groups(objective, end, {EU: [(1, 10)], US: [(3, 10)]})
    book = book_of(objective, US_TEXT)
    assert book.begins == end
    assert ledger.totals(book, NOON, end + MINUTE) == Totals(3, 10, MINUTE, 2 * MINUTE)


def test_without_any_group_time_passes_all_the_same() -> None:
    objective = make_objective(grouping=["region"])
    assert ledger.append([Batch(objective, {}, spans=[(NOON, NOON + MINUTE)])])
    assert again(objective).measured_until == NOON + MINUTE
    assert ledger.books(objective) == []


def test_groups_must_have_the_same_slices() -> None:
    objective = make_objective(grouping=["region"])
    with pytest.raises(Unordered, match="region"):
        ledger.append([Batch(objective, {EU: [minute(0), minute(1)], US: [minute(0)]})])


def test_a_new_generation_counts_from_nothing_and_leaves_the_old_ledger() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(5, 10)])
    old = book_of(objective)
    Objective.objects.filter(pk=objective.pk).update(generation=2, measured_until=None, measured_from=None)
    make_slices(again(objective), NOON, [(1, 100)])
    new = book_of(again(objective))
    assert (ledger.totals(old, NOON, end).bad, ledger.totals(new, NOON, end).bad) == (5, 1)
    assert [book.pk for book in ledger.books(again(objective))] == [new.pk]


# -- History, backwards
def test_history_comes_before_what_is_there_and_touches_none_of_it() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10), (2, 10)])
    before = list(Slice.objects.order_by("end").values())
    assert ledger.prepend(Batch(objective, {(): measured(NOON - 2 * HOUR, [(3, 100), (4, 100)], HOUR)}))
    assert list(Slice.objects.filter(end__gt=NOON).order_by("end").values()) == before
    book = book_of(objective)
    assert again(objective).measured_from == objective.measured_from == book.begins == NOON - 2 * HOUR
    assert ledger.totals(book, NOON - DAY, end) == Totals(10, 220, 2 * HOUR + 2 * MINUTE, DAY + 2 * MINUTE)
    assert ledger.totals(book, NOON - HOUR, NOON).bad == 4


def test_history_is_put_before_once() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)])
    one, other = again(objective), again(objective)
    older: dict[Group, list[Measured]] = {(): measured(NOON - HOUR, [(1, 10)], HOUR)}
    assert ledger.prepend(Batch(one, older))
    assert not ledger.prepend(Batch(other, older))
    Objective.objects.filter(pk=objective.pk).update(generation=2)
    assert not ledger.prepend(Batch(one, {(): measured(NOON - 2 * HOUR, [(1, 10)], HOUR)}))
    assert Slice.objects.count() == 2


def test_history_that_does_not_lead_to_the_ledger_is_refused() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)])
    with pytest.raises(Unordered):
        ledger.prepend(Batch(objective, {(): measured(NOON - 2 * HOUR, [(1, 10)], HOUR)}))


def test_a_ledger_that_was_loaded_before_history_came_still_answers_what_it_knew() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)])
    old = book_of(objective)
    ledger.prepend(Batch(objective, {(): measured(NOON - HOUR, [(100, 1000)], HOUR)}))
    assert ledger.totals(old, NOON - DAY, end).bad == 1
    assert ledger.totals(book_of(objective), NOON - DAY, end).bad == 101


def test_a_group_that_is_only_found_in_history_is_unmeasured_since() -> None:
    objective = make_objective(grouping=["region"])
    end = make_groups(objective, NOON, {EU: [(1, 10)]})
    ledger.prepend(Batch(objective, {EU: measured(NOON - HOUR, [(1, 10)], HOUR)}))
    ledger.prepend(
        Batch(objective, {group: measured(NOON - 2 * HOUR, [(2, 10)], HOUR) for group in (EU, US)}),
    )
    book = book_of(objective, US_TEXT)
    assert ledger.totals(book, NOON - 2 * HOUR, end) == Totals(2, 10, HOUR, 2 * HOUR + MINUTE)
    make_groups(objective, end, {EU: [(1, 10)], US: [(5, 10)]})
    assert ledger.totals(book, end, end + MINUTE).bad == 5


def test_a_group_that_was_away_in_a_part_of_history_has_no_gap() -> None:
    objective = make_objective(grouping=["region"])
    end = make_groups(objective, NOON, {EU: [(1, 10)], US: [(2, 10)]})
    ledger.prepend(Batch(objective, {EU: measured(NOON - HOUR, [(1, 10)], HOUR)}))
    ledger.prepend(Batch(objective, {US: measured(NOON - 2 * HOUR, [(3, 10)], HOUR)}))
    book = book_of(objective, US_TEXT)
    assert ledger.totals(book, NOON - 2 * HOUR, end) == Totals(5, 20, HOUR + MINUTE, 2 * HOUR + MINUTE)
    ends = list(Slice.objects.filter(ledger=book).order_by("end").values_list("start", "end"))
    assert ends == [(NOON - 2 * HOUR, NOON - HOUR), (NOON - HOUR, NOON), (NOON, end)]


# -- Reading
def test_ledgers_do_not_mix() -> None:
    one, other = make_objective(), make_objective()
    end = make_slices(one, NOON, [(1, 10)])
    make_slices(other, NOON, [(5, 50)])
    assert ledger.totals(book_of(one), NOON, end).bad == 1
    assert ledger.totals(book_of(other), NOON, end).bad == 5


def test_many_ledgers_are_read_in_the_queries_of_one(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    objectives = [make_objective() for _ in range(5)]
    for bad, objective in enumerate(objectives):
        make_slices(objective, NOON, [(bad, 10)] * 60)
    books = [book_of(one) for one in objectives]
    with django_assert_num_queries(2):  # maintenance, and the marks
        found = ledger.histories(books, [NOON - DAY, NOON + 10 * MINUTE, NOON + HOUR])
    counted = [found[book.pk].between(NOON + 10 * MINUTE, NOON + HOUR).bad for book in books]
    assert counted == [0, 50, 100, 150, 200]
    assert [found[book.pk].between(NOON - DAY, NOON + HOUR).bad for book in books] == [0, 60, 120, 180, 240]


def test_a_ledger_without_slices_has_measured_nothing() -> None:
    objective = make_objective()
    book = Ledger.objects.create(objective=objective, generation=1)
    assert ledger.totals(book, NOON, NOON + HOUR) == Totals(0, 0, ZERO, HOUR)
    assert ledger.budget(book, NOON).left is None
    assert not ledger.has_measured(book)
    assert [bucket.totals.measured for bucket in ledger.series(book, NOON, NOON + HOUR, 60)] == [ZERO] * 60
    assert ledger.book(make_objective()) is None


def test_several_windows_cost_the_queries_of_one(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 120)
    book = book_of(objective)
    windows = [(end - n * MINUTE, end) for n in (1, 5, 30, 60, 120, 1000)]
    with django_assert_num_queries(2):
        found = ledger.totals_many(book, windows)
    assert [one.bad for one in found] == [1, 5, 30, 60, 120, 120]


def test_a_chart_costs_a_handful_of_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 600)
    book = book_of(objective)
    with django_assert_max_num_queries(4):
        found = ledger.burn_series(book, HOUR, end - 10 * HOUR, end + HOUR, 120)
    assert len(found) > 60
    assert dict(found)[end] == pytest.approx(100)


def test_burns_and_budget_come_from_the_same_rows() -> None:
    objective = make_objective(target="0.9", window=2 * HOUR)
    end = make_slices(objective, NOON, [(0, 10)] * 60 + [(2, 10)] * 60)
    book = book_of(objective)
    assert ledger.burns(book, end, [HOUR, 2 * HOUR, MINUTE]) == {HOUR: 2, 2 * HOUR: 1, MINUTE: 2}
    assert ledger.budget(book, end).left == 0
    assert ledger.budget(book, end).exhausted_in(2) == timedelta(0)
    assert dict(ledger.budget_series(book, end - HOUR, end, 60))[end] == 0


def test_a_chart_says_what_was_not_measured() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10), None, (2, 10)])
    found = ledger.series(book_of(objective), NOON, end, 3)
    assert [bucket.totals.ratio for bucket in found] == [0.1, None, 0.2]


def test_a_calendar_budget_begins_with_its_period() -> None:
    start = datetime.fromisoformat("2026-02-27T23:00+00:00")
    objective = make_objective(calendar="month", time_zone="Europe/Berlin")
    # In Berlin March begins an hour before midnight in London.
    make_slices(objective, start, [(1, 100)] * 48, HOUR)
    found = ledger.budget(book_of(objective), start + 26 * HOUR)
    assert found.totals.total == 200


def test_the_history_of_a_ledger_has_a_mark_for_every_slice() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10), None, (2, 10)])
    ledger.prepend(Batch(objective, {(): measured(NOON - HOUR, [(7, 10)], HOUR)}))
    found = ledger.history(book_of(objective), NOON, end)
    assert [mark.at for mark in found.marks] == [NOON - HOUR, NOON, *(NOON + n * MINUTE for n in (1, 2, 3))]
    assert found.between(NOON, end) == Totals(3, 20, 2 * MINUTE, 3 * MINUTE)


slices = st.lists(
    st.tuples(st.sampled_from([10, 60, 300, 3600]), st.one_of(st.none(), st.tuples(st.just(1), st.integers(1, 9)))),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(slices, st.lists(st.integers(-600, 15_000), min_size=60, max_size=70, unique=True))
def test_few_and_many_instants_find_the_same_rows(
    lengths: list[tuple[int, tuple[int, int] | None]], seconds: list[int]
) -> None:
    objective = make_objective()
    start, rows = NOON, list[Measured]()
    for length, counts in lengths:
        end = start + timedelta(seconds=length)
        rows.append(Measured(start, end, *(counts or (None, None))))
        start = end
    assert ledger.append([Batch(objective, {(): rows})])
    book = book_of(objective)
    wanted = [NOON + timedelta(seconds=second) for second in seconds]
    many = ledger.marks(book, wanted)
    for at in wanted[::3]:
        assert many[at] == ledger.marks(book, [at])[at] == mark_by_hand(rows, at)


def mark_by_hand(rows: list[Measured], at: datetime) -> Mark:
    past = [row for row in rows if row.end <= at]
    counted = [row for row in past if row.total is not None]
    bad, total = sum(row.bad or 0 for row in counted), sum(row.total or 0 for row in counted)
    return Mark(past[-1].end if past else NOON, bad, total, sum((row.end - row.start for row in counted), ZERO))


def test_a_window_of_30_days_costs_as_much_as_one_of_an_hour(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 3000)
    book = book_of(objective)
    for length in (HOUR, 30 * DAY):
        with django_assert_num_queries(2):
            ledger.totals(book, end - length, end)


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "timeslices", "time_slice": 5 * MINUTE, "time_slice_target": Decimal("0.9")},
        {"kind": "gauge", "metric": "", "bad_matchers": [], "expression": "queue_length", "threshold": Decimal(10)},
    ],
)
def test_of_time_slices_the_whole_calendar_week_is_known_on_its_first_day(fields: dict[str, Any]) -> None:
    monday = NOON - 12 * HOUR
    objective = make_objective(target="0.9", window=7 * DAY, calendar="week", **fields)
    length = fields.get("time_slice", MINUTE)
    end = make_slices(objective, monday, [(1, 1)] * 4, length)
    found = ledger.budget(book_of(objective), end)
    assert found.expected == 7 * DAY / length
    assert found.left == pytest.approx(1 - 4 / (0.1 * (7 * DAY / length)))
    maintenance.declare("Upgrade", monday, length)
    assert ledger.budget(book_of(objective), end).expected == 7 * DAY / length - 1


def test_how_much_of_a_week_of_events_is_to_come_is_not_known() -> None:
    objective = make_objective(window=7 * DAY, calendar="week")
    end = make_slices(objective, NOON, [(1, 10)])
    assert ledger.budget(book_of(objective), end).expected is None
