"""Maintenance takes time out of every answer of a ledger, whenever it was declared."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from slo import ledger, maintenance
from slo.models import Maintenance, Objective
from slo.windows import Totals
from tests.make import DAY, HOUR, MINUTE, NOON, book_of, make_flow, make_objective, make_slices

pytestmark = pytest.mark.django_db


@pytest.fixture
def objective() -> Objective:
    """Two hours of minutes from noon on, one of ten events bad in each."""
    objective = make_objective(target="0.9", window=2 * HOUR)
    make_slices(objective, NOON, [(1, 10)] * 120)
    return objective


def during(objective: Objective, start: int, end: int) -> Totals:
    return ledger.totals(book_of(objective), NOON + start * MINUTE, NOON + end * MINUTE)


def test_what_happened_in_it_does_not_count(objective: Objective) -> None:
    maintenance.declare("Upgrade", NOON + 10 * MINUTE, 20 * MINUTE)
    assert during(objective, 0, 60) == Totals(40, 400, 40 * MINUTE, 40 * MINUTE, 20 * MINUTE)
    assert during(objective, 20, 40) == Totals(10, 100, 10 * MINUTE, 10 * MINUTE, 10 * MINUTE)
    assert during(objective, 10, 30) == Totals(0, 0, timedelta(0), timedelta(0), 20 * MINUTE)
    assert during(objective, 30, 60).excluded == timedelta(0)


def test_a_budget_that_a_bad_deployment_spent_is_given_back_afterwards() -> None:
    objective = make_objective(target="0.99", window=2 * HOUR)
    end = make_slices(objective, NOON, [(0, 10)] * 60 + [(10, 10)] * 10 + [(0, 10)] * 50)
    assert ledger.budget(book_of(objective), end).left == pytest.approx(1 - 100 / 12)
    row = maintenance.declare("Said too late", NOON + HOUR, 10 * MINUTE)
    assert ledger.budget(book_of(objective), end).left == 1
    maintenance.cancel(row)
    assert ledger.budget(book_of(objective), end).left == pytest.approx(1 - 100 / 12)


def test_it_concerns_everything_a_flow_or_an_objective() -> None:
    flow = make_flow()
    one, other, stranger = make_objective(flow=flow), make_objective(flow=flow), make_objective()
    maintenance.declare("All", NOON, MINUTE)
    maintenance.declare("Flow", NOON + HOUR, MINUTE, flow=flow)
    maintenance.declare("Objective", NOON + 2 * HOUR, MINUTE, objective=one)
    found = maintenance.intervals_of([one, other, stranger], NOON, NOON + DAY)
    assert [[(left - NOON) // HOUR for left, _ in found[who.pk]] for who in (one, other, stranger)] == [
        [0, 1, 2],
        [0, 1],
        [0],
    ]


def test_what_overlaps_is_taken_out_once(objective: Objective) -> None:
    maintenance.declare("One", NOON + 10 * MINUTE, 20 * MINUTE)
    maintenance.declare("Another", NOON + 20 * MINUTE, 20 * MINUTE, objective=objective)
    assert maintenance.intervals(objective, NOON, NOON + 35 * MINUTE) == [(NOON + 10 * MINUTE, NOON + 35 * MINUTE)]
    assert during(objective, 0, 60).total == 300


def test_a_slice_that_is_touched_is_taken_out_whole() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 12, 5 * MINUTE)
    maintenance.declare("Odd", NOON + 12 * MINUTE, 4 * MINUTE)
    book = book_of(objective)
    assert ledger.totals(book, NOON, end) == Totals(10, 100, 50 * MINUTE, 50 * MINUTE, 10 * MINUTE)
    assert ledger.totals(book, NOON + 15 * MINUTE, end) == Totals(8, 80, 40 * MINUTE, 40 * MINUTE, 5 * MINUTE)
    assert ledger.history(book, NOON, end).between(NOON, end).total == 100


def test_an_unmeasured_stretch_is_taken_out_to_the_second() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [None], DAY)
    maintenance.declare("Hour", NOON + HOUR, HOUR)
    assert ledger.totals(book_of(objective), NOON, end).excluded == HOUR


def test_every_answer_leaves_it_out(objective: Objective) -> None:
    end = NOON + 2 * HOUR
    maintenance.declare("First hour", NOON, HOUR)
    book = book_of(objective)
    assert ledger.budget(book, end).totals.total == 600
    assert [one.totals.total for one in ledger.series(book, NOON, end, 2)] == [0, 600]
    assert [one.totals.total for one in ledger.window_series(book, HOUR, end - HOUR, end, 2)] == [0, 300, 600]
    assert [left for _, left in ledger.budget_series(book, end - HOUR, end, 2)] == [None, 0, 0]
    assert ledger.burns(book, NOON + HOUR, [HOUR]) == {HOUR: None}
    assert ledger.history(book, NOON, end).between(NOON, end).total == 600
    assert ledger.history(book, NOON, end).in_maintenance(NOON + HOUR)


def test_the_times_that_repeat_are_all_taken_out(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * (10 * 24), HOUR)
    maintenance.declare("Backups", NOON + 2 * HOUR, HOUR, rule="FREQ=DAILY")
    book = book_of(objective)
    with django_assert_num_queries(3):  # maintenance, where slices end, and the marks
        found = ledger.totals(book, NOON, end)
    assert (found.total, found.excluded) == (10 * 230, 10 * HOUR)


def test_maintenance_that_was_cut_short_ends_there(objective: Objective) -> None:
    row = maintenance.declare("Upgrade", NOON, HOUR)
    maintenance.shorten(row, NOON + 20 * MINUTE)
    assert during(objective, 0, 60).total == 400
    maintenance.shorten(Maintenance.objects.get(), NOON + 30 * MINUTE)
    assert during(objective, 0, 60).total == 400


def test_maintenance_that_is_cut_short_before_it_begins_never_was(objective: Objective) -> None:
    row = maintenance.declare("Upgrade", NOON + HOUR, HOUR, rule="FREQ=DAILY")
    maintenance.shorten(row, NOON)
    assert maintenance.intervals(objective, NOON, NOON + DAY) == []


@pytest.mark.parametrize(
    ("at", "ends"),
    [
        (NOON + 2 * DAY + 20 * MINUTE, [NOON + HOUR, NOON + DAY + HOUR, NOON + 2 * DAY + 20 * MINUTE]),
        (NOON + 2 * DAY + 2 * HOUR, [NOON + HOUR, NOON + DAY + HOUR, NOON + 2 * DAY + HOUR]),
        (NOON + 30 * MINUTE, [NOON + 30 * MINUTE]),
    ],
)
def test_repeated_maintenance_that_is_cut_short_does_not_come_again(
    objective: Objective, at: datetime, ends: list[datetime]
) -> None:
    row = maintenance.declare("Backups", NOON, HOUR, rule="FREQ=DAILY")
    maintenance.shorten(row, at)
    found = maintenance.intervals(objective, NOON, NOON + 30 * DAY)
    assert [right for _, right in found] == ends


def test_what_was_taken_back_cannot_be_cut_short(objective: Objective) -> None:
    row = maintenance.declare("Backups", NOON, HOUR, rule="FREQ=DAILY")
    maintenance.cancel(row)
    maintenance.shorten(row, NOON + DAY + MINUTE)
    assert maintenance.intervals(objective, NOON, NOON + 30 * DAY) == []


def test_a_draft_takes_nothing_out(objective: Objective) -> None:
    draft = maintenance.drafted("Backups", NOON, HOUR, rule="freq=daily;byhour=13", time_zone="Europe/Berlin")
    assert maintenance.occurrences(draft, NOON, NOON + DAY) == [(NOON, NOON + HOUR)]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reason": " "}, "Say what is being done"),
        ({"length": timedelta(0)}, "takes some time"),
        ({"length": 32 * DAY}, "at most 31 days"),
        ({"rule": "FREQ=HOURLY"}, "by the day, week, month or year"),
        ({"time_zone": "Mars/Olympus"}, "no time zone Mars/Olympus"),
        ({"time_zone": "../etc/passwd"}, "no time zone"),
        ({"reason": "x" * 201}, "200 characters"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(fields: dict[str, Any], sentence: str) -> None:
    wanted: dict[str, Any] = {"reason": "Upgrade", "start": NOON, "length": HOUR} | fields
    with pytest.raises(ValueError, match=sentence):
        maintenance.declare(**wanted)
    assert not Maintenance.objects.exists()


def test_it_is_of_a_flow_or_of_an_objective_and_not_of_both() -> None:
    objective = make_objective()
    with pytest.raises(ValueError, match="not both"):
        maintenance.declare("Both", NOON, HOUR, flow=objective.flow, objective=objective)
