"""Thinning makes hours of old slices and changes no answer that may be asked for; pruning drops the oldest."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.conf import settings as configured
from django.core.exceptions import ImproperlyConfigured
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from config import environment
from slo import ledger, maintenance, tasks, thinning
from slo.ledger import Batch
from slo.models import Ledger, Objective, Slice
from slo.windows import Totals
from tests.make import DAY, HOUR, MINUTE, NOON, Counts, book_of, make_groups, make_objective, make_slices, measured

pytestmark = pytest.mark.django_db

LATER = NOON + configured.KEEP_SLICES + 2 * DAY


def thin(now: datetime = LATER) -> None:
    while thinning.thin(now):
        pass


def lengths(objective: Objective) -> list[timedelta]:
    return [row.end - row.start for row in Slice.objects.filter(ledger=book_of(objective)).order_by("end")]


def test_old_slices_become_hours_with_the_same_totals() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 180)
    before = [ledger.totals(book_of(objective), NOON + n * HOUR, end) for n in range(3)]
    thin()
    assert lengths(objective) == [HOUR] * 3
    assert [ledger.totals(book_of(objective), NOON + n * HOUR, end) for n in range(3)] == before
    row = Slice.objects.earliest("end")
    assert (row.bad, row.total, row.running_total) == (60, 600, 600)


def test_young_slices_stay_as_they_are() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 180)
    thin(end - HOUR + configured.KEEP_SLICES)
    assert lengths(objective) == [HOUR] * 2 + [MINUTE] * 60


def test_what_was_not_measured_keeps_its_reason_and_its_time() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 10 + [None] * 5, reason="The store did not answer.")
    end = make_slices(objective, end, [None] * 5 + [(2, 10)] * 40, reason="Refused.")
    thin()
    rows = Slice.objects.order_by("end").values_list("start", "total", "reason")
    assert [((start - NOON) // MINUTE, total, reason) for start, total, reason in rows] == [
        (0, 100, ""),
        (10, None, "The store did not answer."),
        (15, None, "Refused."),
        (20, 400, ""),
    ]
    assert ledger.totals(book_of(objective), NOON, end) == Totals(90, 500, 50 * MINUTE, HOUR)


def test_maintenance_takes_out_the_same_afterwards() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 180)
    maintenance.declare("Upgrade", NOON + 50 * MINUTE, 30 * MINUTE)
    before = ledger.totals(book_of(objective), NOON, end)
    assert before.total == 1500
    thin()
    assert lengths(objective) == [50 * MINUTE, 10 * MINUTE, 20 * MINUTE, 40 * MINUTE, HOUR]
    assert ledger.totals(book_of(objective), NOON, end) == before


def test_a_month_that_begins_at_half_past_keeps_its_beginning() -> None:
    objective = make_objective(calendar="month", time_zone="Asia/Kolkata")
    start = datetime.fromisoformat("2026-02-28T12:00+00:00")
    end = make_slices(objective, start, [(1, 10)] * (24 * 60))
    before = ledger.budget(book_of(objective), end).totals
    # Midnight in Kolkata is at 18:30.
    assert before.total == 10 * (17 * 60 + 30)
    thin()
    assert len(lengths(objective)) == 25
    assert ledger.budget(book_of(objective), end).totals == before


def test_a_slice_that_reaches_into_the_next_hour_stays() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 6, 25 * MINUTE)
    before = ledger.totals(book_of(objective), NOON + HOUR, end)
    thin(LATER)
    assert lengths(objective) == [n * MINUTE for n in (50, 25, 25, 25, 25)]
    assert ledger.totals(book_of(objective), NOON + HOUR, end) == before


def test_the_slices_of_every_group_are_thinned() -> None:
    objective = make_objective(grouping=["region"])
    groups = [(("region", name),) for name in ("eu", "us")]
    make_groups(objective, NOON, {group: [(1, 10)] * 120 for group in groups})
    thin()
    assert Slice.objects.count() == 4


def test_history_that_comes_after_thinning_is_thinned_too() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)] * 60)
    thin()
    ledger.prepend(Batch(Objective.objects.get(), {(): measured(NOON - HOUR, [(1, 10)] * 12, 5 * MINUTE)}))
    thin()
    assert lengths(objective) == [HOUR, HOUR]


def test_thinning_twice_changes_nothing() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10), None] * 90)
    thin()
    before = list(Slice.objects.order_by("end").values())
    Ledger.objects.update(thinned_until=None)
    thin()
    assert list(Slice.objects.order_by("end").values()) == before


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 5), st.integers(5, 50))), min_size=30, max_size=120),
    st.sampled_from([MINUTE, 5 * MINUTE, 7 * MINUTE]),
    st.lists(st.tuples(st.integers(0, 600), st.integers(1, 90)), max_size=3),
)
def test_no_window_between_full_hours_changes(
    counts: Sequence[Counts], length: timedelta, taken: Sequence[tuple[int, int]]
) -> None:
    objective = make_objective()
    for start, minutes in taken:
        maintenance.declare("Work", NOON + start * MINUTE, minutes * MINUTE, objective=objective)
    end = make_slices(objective, NOON, counts, length)
    edges = [NOON + n * HOUR for n in range((end - NOON) // HOUR + 1)]
    windows = [(left, right) for left in edges for right in [*edges, end] if left < right]
    before = ledger.totals_many(book_of(objective), windows)
    thin()
    assert ledger.totals_many(book_of(objective), windows) == before


# -- Pruning
def test_slices_past_the_window_and_the_limit_are_dropped_and_totals_go_on() -> None:
    objective = make_objective(window=30 * DAY)
    days = 420
    end = make_slices(objective, NOON, [(1, 10)] * days, DAY)
    thinning.prune(end)
    book = book_of(Objective.objects.get())
    assert book.begins == end - configured.KEEP_LEDGER == Objective.objects.get().measured_from
    assert ledger.totals(book, NOON, end).total == 4000
    assert ledger.budget(book, end).totals.total == 300
    make_slices(Objective.objects.get(), end, [(1, 10)], DAY)
    assert ledger.totals(book_of(objective), NOON, end + DAY).total == 4010


def test_a_window_is_kept_whole_however_long(settings: Settings) -> None:
    settings.KEEP_LEDGER = 30 * DAY
    objective = make_objective(window=365 * DAY)
    end = make_slices(objective, NOON, [(1, 10)] * 400, DAY)
    thinning.prune(end)
    assert ledger.budget(book_of(Objective.objects.get()), end).totals.total == 3650


def test_a_ledger_that_stands_still_keeps_its_newest_slice() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 3)
    thinning.prune(end + 1000 * DAY)
    assert Slice.objects.count() == 1
    make_slices(Objective.objects.get(), end, [(1, 10)])
    assert ledger.totals(book_of(objective), NOON, end + MINUTE).total == 20


def test_ledgers_of_what_was_counted_long_ago_go() -> None:
    objective = make_objective()
    end = make_slices(objective, NOON, [(1, 10)] * 3)
    Objective.objects.update(generation=2, measured_until=None, measured_from=None)
    make_slices(Objective.objects.get(), end, [(1, 10)])
    thinning.prune(end + 300 * DAY)
    assert Ledger.objects.count() == 2
    thinning.prune(end + 1000 * DAY)
    assert [book.generation for book in Ledger.objects.all()] == [2]


def test_the_task_does_both_at_the_instant_that_beat_gives() -> None:
    objective = make_objective()
    make_slices(objective, NOON, [(1, 10)] * 120)
    tasks.thin(LATER.isoformat())
    assert lengths(objective) == [HOUR] * 2
    tasks.thin((NOON + 1000 * DAY).isoformat())
    assert lengths(objective) == [HOUR]


@pytest.mark.parametrize("days", ["3.9", "nan", "-1"])
def test_slices_are_kept_for_as_long_as_alerts_need_them(days: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRELINE_KEEP_SLICES_DAYS", days)
    with pytest.raises(ImproperlyConfigured, match="at least 4 days"):
        environment.days("FIRELINE_KEEP_SLICES_DAYS", 14, least=4)
