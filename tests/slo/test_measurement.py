"""Measuring: what is due is asked for and appended once, for many objectives together; a store is waited for."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from connectors.errors import TimedOut, Unreachable
from connectors.raw_samples import Samples
from slo import ledger
from slo.definitions import save_objective
from slo.measurement import advance, recall
from slo.models import Ledger, Objective, Slice
from slo.samples import LOOKBACK
from slo.windows import Totals
from tests.make import DAY, HOUR, MINUTE, NOON, book_of, make_objective, make_slices, make_source
from tests.servers import prometheus_server
from tests.slo.scrapes import START, Target, labels, openmetrics, samples
from tests.slo.stores import Scripted, answering

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def slices_of_a_minute(settings: Settings) -> None:
    settings.SLICE, settings.SETTLE, settings.PROMPT = MINUTE, 10 * SECOND, 2 * SECOND


def measured_until_noon(**fields: Any) -> Objective:
    """An objective whose ledger ends at noon, and whose past is known."""
    objective = make_objective(**fields)
    make_slices(objective, NOON - MINUTE, [(0, 10)])
    Objective.objects.filter(pk=objective.pk).update(history_goal=NOON - MINUTE)
    return again(objective)


def again(objective: Objective) -> Objective:
    return Objective.objects.get(pk=objective.pk)


def counted(objective: Objective, start: datetime, end: datetime) -> Totals:
    return ledger.totals(book_of(again(objective)), start, end)


def remembered(objective: Objective, now: datetime, store: Scripted) -> None:
    while recall(objective.pk, now, store):
        pass


# -- The newest slices
def test_a_live_slice_is_one_question_about_that_slice() -> None:
    objective, store = measured_until_noon(), Scripted()
    assert advance([objective.pk], NOON + MINUTE + 10 * SECOND, store) == []
    assert store.asked == [(NOON - LOOKBACK, NOON + MINUTE)]
    assert counted(objective, NOON, NOON + MINUTE).bad == 1


def test_objectives_on_the_same_series_share_the_question() -> None:
    source = make_source()
    objectives = [measured_until_noon(source=source) for _ in range(5)]
    store = Scripted()
    assert advance([one.pk for one in objectives], NOON + MINUTE + 10 * SECOND, store) == []
    assert len(store.asked) == 1
    assert [counted(one, NOON, NOON + MINUTE).total for one in objectives] == [10] * 5


def test_nothing_is_asked_right_after_a_slice() -> None:
    objective, store = measured_until_noon(), Scripted()
    assert advance([objective.pk], NOON + MINUTE + SECOND, store) == []
    assert store.asked == []


def test_a_slice_is_counted_as_soon_as_all_its_scrapes_are_there() -> None:
    objective = measured_until_noon()
    advance([objective.pk], NOON + MINUTE + 2 * SECOND, Scripted())
    assert counted(objective, NOON, NOON + MINUTE).total == 10


class Slow(Scripted):
    """The scrape at the slice's end has not arrived."""

    def raw(self, selector: str, start: datetime, end: datetime) -> list[Samples]:
        return super().raw(selector, start, end - SECOND)


@pytest.mark.parametrize(("waited", "until"), [(2, NOON), (9, NOON), (10, NOON + MINUTE)])
def test_a_scrape_that_is_slow_is_waited_for_until_the_slice_has_settled(waited: int, until: datetime) -> None:
    objective = measured_until_noon()
    advance([objective.pk], NOON + MINUTE + waited * SECOND, Slow())
    found = again(objective)
    assert (found.measured_until, found.last_error, found.source.last_error) == (until, "", "")


@pytest.mark.parametrize("fields", [{}, {"metric": "", "kind": "bool", "bad_matchers": [], "expression": "up"}])
def test_what_is_behind_does_not_wait_for_the_newest_scrapes(fields: dict[str, Any]) -> None:
    objective = measured_until_noon(**fields)
    advance([objective.pk], NOON + HOUR + 2 * SECOND, Slow())
    assert again(objective).measured_until == NOON + HOUR - MINUTE


def test_a_store_that_always_lags_is_measured_behind_its_lag() -> None:
    lag = timedelta(seconds=90)

    class Lagging(Scripted):
        def raw(self, selector: str, start: datetime, end: datetime) -> list[Samples]:
            return super().raw(selector, start, min(end, now - lag))

    objective = measured_until_noon()
    for n in range(1, 10):
        now = NOON + n * MINUTE + 12 * SECOND
        advance([objective.pk], now, Lagging())
    assert counted(objective, NOON, NOON + 7 * MINUTE) == Totals(7, 70, 7 * MINUTE, 7 * MINUTE)


def test_expressions_are_asked_only_when_the_slice_has_settled() -> None:
    objective, store = measured_until_noon(metric="", kind="bool", bad_matchers=[], expression="up"), Scripted()
    advance([objective.pk], NOON + MINUTE + 9 * SECOND, store)
    assert again(objective).measured_until == NOON
    advance([objective.pk], NOON + MINUTE + 10 * SECOND, store)
    assert again(objective).measured_until == NOON + MINUTE


def test_the_same_instant_twice_measures_once() -> None:
    objective, store, now = measured_until_noon(), Scripted(), NOON + HOUR
    advance([objective.pk], now, store)
    slices, asked = list(Slice.objects.values_list()), list(store.asked)
    advance([objective.pk], now, store)
    advance([objective.pk], now - MINUTE, store)
    assert list(Slice.objects.values_list()) == slices
    assert store.asked == asked


def test_a_series_that_is_gone_leaves_unmeasured_slices_with_the_reason() -> None:
    objective = measured_until_noon()
    advance([objective.pk], NOON + 3 * MINUTE + 10 * SECOND, Scripted(lambda at: None))
    found = Slice.objects.filter(start__gte=NOON)
    assert [(one.bad, one.total) for one in found] == [(None, None)] * 3
    assert found[0].reason == "No series matches requests_total{}."
    assert again(objective).last_error == ""


def test_a_second_worker_meanwhile_changes_nothing() -> None:
    objective, now = measured_until_noon(), NOON + HOUR + 10 * SECOND
    other = Scripted()
    store = Scripted(meanwhile=lambda count: advance([objective.pk], now, other))
    advance([objective.pk], now, store)
    assert store.asked == other.asked[:1]
    assert Slice.objects.filter(start__gte=NOON).count() == 60
    assert counted(objective, NOON, NOON + HOUR).total == 600


class Killed(BaseException):
    """The worker's process ends here."""


def test_a_worker_killed_between_asking_and_appending_loses_nothing() -> None:
    objective, now = measured_until_noon(), NOON + HOUR + 10 * SECOND

    def killed(at: datetime) -> tuple[float, float]:
        raise Killed

    with pytest.raises(Killed):
        advance([objective.pk], now, Scripted(killed))
    assert again(objective).measured_until == NOON
    advance([objective.pk], now, Scripted())
    assert counted(objective, NOON, NOON + HOUR).total == 600


def test_an_edit_while_the_store_is_asked_keeps_the_old_counts_out() -> None:
    objective, now = measured_until_noon(), NOON + MINUTE + 10 * SECOND

    def edit(count: int) -> None:
        edited = again(objective)
        edited.metric = "other_total"
        save_objective(edited, [])

    advance([objective.pk], now, Scripted(meanwhile=edit))
    assert not Slice.objects.filter(start__gte=NOON).exists()
    assert again(objective).measured_until is None


def test_a_store_that_is_slow_is_waited_for() -> None:
    objective = measured_until_noon()

    def refuse(count: int) -> None:
        raise TimedOut("No answer within 10 s.")

    assert advance([objective.pk], NOON + MINUTE + 10 * SECOND, Scripted(meanwhile=refuse)) == []
    assert again(objective).last_error == "No answer within 10 s."
    assert again(objective).measured_until == NOON


def test_an_outage_of_the_store_is_caught_up_in_order_without_a_hole() -> None:
    objective = measured_until_noon()

    def down(count: int) -> None:
        raise Unreachable("Nothing listens there.")

    advance([objective.pk], NOON + 30 * MINUTE, Scripted(meanwhile=down))
    stopped = again(objective)
    assert (stopped.last_error, stopped.last_error_at) == ("Nothing listens there.", NOON + 30 * MINUTE)
    assert stopped.source.last_error == "Nothing listens there."
    advance([objective.pk], NOON + HOUR + 10 * SECOND, Scripted())
    back = again(objective)
    assert (back.last_error, back.last_error_at, back.source.last_error) == ("", None, "")
    assert back.source.last_answered_at == NOON + HOUR + 10 * SECOND
    assert counted(objective, NOON, NOON + HOUR).measured == HOUR


def test_a_long_outage_is_caught_up_with_coarse_slices_first_and_fine_ones_last() -> None:
    objective, now = measured_until_noon(), NOON + DAY + 10 * SECOND
    while advance([objective.pk], now, Scripted()):
        pass
    lengths = [one.end - one.start for one in Slice.objects.filter(start__gte=NOON).order_by("end")]
    assert lengths == [5 * MINUTE] * (18 * 12) + [MINUTE] * (6 * 60)
    assert counted(objective, NOON, NOON + DAY).total == 10 * 24 * 60


def test_an_archived_objective_is_left_alone() -> None:
    objective, store = measured_until_noon(archived_at=NOON), Scripted()
    assert advance([objective.pk, objective.pk + 1], NOON + HOUR, store) == []
    assert store.asked == []


def test_a_definition_that_cannot_be_counted_says_so_and_stops_no_other() -> None:
    source = make_source()
    broken, sound = make_objective(bad_matchers=[], source=source), measured_until_noon(source=source)
    advance([broken.pk, sound.pk], NOON + MINUTE + 10 * SECOND, Scripted())
    assert again(broken).last_error.startswith("The objective cannot be counted: Nothing marks the bad ones")
    assert counted(sound, NOON, NOON + MINUTE).total == 10


# -- The past
def test_a_new_objective_begins_with_the_last_hours_so_that_alerts_need_not_wait() -> None:
    objective, store = make_objective(window=7 * DAY), Scripted()
    assert advance([objective.pk], NOON + 10 * SECOND, store) == []
    begun = again(objective)
    assert (begun.measured_from, begun.measured_until) == (NOON - 6 * HOUR, NOON)
    assert begun.history_goal == NOON - 7 * DAY


def test_the_past_follows_in_coarse_slices_until_the_whole_window_is_known() -> None:
    objective, store, now = make_objective(window=7 * DAY), Scripted(), NOON + 10 * SECOND
    advance([objective.pk], now, store)
    assert recall(objective.pk, now, store)
    remembered(objective, now, store)
    assert again(objective).measured_from == NOON - 7 * DAY
    assert counted(objective, NOON - 7 * DAY, NOON) == Totals(7 * 24 * 60, 7 * 24 * 600, 7 * DAY, 7 * DAY)


def test_the_time_before_a_stores_memory_is_long_unmeasured_slices() -> None:
    objective, now = make_objective(window=7 * DAY), NOON + 10 * SECOND
    store = Scripted(lambda at: (0, 10) if at > NOON - 2 * DAY else None)
    advance([objective.pk], now, store)
    remembered(objective, now, store)
    first = Slice.objects.earliest("start")
    assert (first.start, first.total) == (NOON - 7 * DAY, None)
    assert first.end - first.start >= 6 * HOUR
    assert "No series matches" in first.reason
    found = ledger.budget(book_of(again(objective)), NOON)
    assert found.totals.coverage == pytest.approx(2 / 7, abs=0.002)
    assert found.left == 1


def test_live_slices_are_measured_while_the_past_is_missing() -> None:
    objective, store = make_objective(window=7 * DAY), Scripted()
    advance([objective.pk], NOON + 10 * SECOND, store)
    assert recall(objective.pk, NOON + 10 * SECOND, store)
    advance([objective.pk], NOON + MINUTE + 10 * SECOND, store)
    remembered(objective, NOON + MINUTE + 10 * SECOND, store)
    assert counted(objective, NOON - 7 * DAY, NOON + MINUTE).measured == 7 * DAY + MINUTE


def test_two_workers_on_the_past_keep_it_once() -> None:
    objective, now = make_objective(window=2 * DAY), NOON + 10 * SECOND
    advance([objective.pk], now, Scripted())
    others = [Scripted()]
    store = Scripted(meanwhile=lambda count: remembered(objective, now, others.pop()) if others else None)
    recall(objective.pk, now, store)
    remembered(objective, now, Scripted())
    assert counted(objective, NOON - 2 * DAY, NOON).total == 2 * 24 * 600


def test_a_longer_window_is_filled_from_the_past_that_was_not_needed_before() -> None:
    objective, store = make_objective(window=DAY), Scripted()
    now = NOON + 10 * SECOND
    advance([objective.pk], now, store)
    remembered(objective, now, store)
    Objective.objects.filter(pk=objective.pk).update(window=2 * DAY, history_goal=NOON - 2 * DAY)
    remembered(objective, now, store)
    assert counted(objective, NOON - 2 * DAY, NOON).coverage == 1


# -- Groups and judged slices
def test_each_group_has_a_ledger_of_its_own() -> None:
    objective = make_objective(grouping=["instance"])
    advance([objective.pk], NOON + 10 * SECOND, Scripted())
    assert list(Ledger.objects.values_list("group", flat=True)) == ['{instance="a"}']
    assert ledger.totals(book_of(again(objective), '{instance="a"}'), NOON - HOUR, NOON).total == 600


def test_more_groups_than_are_kept_are_left_out_and_it_is_said(settings: Settings) -> None:
    settings.MOST_GROUPS = 1
    objective = make_objective(grouping=["code"])
    advance([objective.pk], NOON + 10 * SECOND, Scripted())
    # The one with the most events.
    assert list(Ledger.objects.values_list("group", flat=True)) == ['{code="200"}']
    assert "has 2 groups, but only 1 are measured" in again(objective).overflow


def test_a_group_that_is_known_stays_when_a_busier_one_comes(settings: Settings) -> None:
    settings.MOST_GROUPS = 1
    objective = make_objective(grouping=["code"])
    make_slices(objective, NOON - MINUTE, [(0, 1)], group=(("code", "500"),))
    advance([objective.pk], NOON + MINUTE + 10 * SECOND, Scripted())
    assert list(Ledger.objects.values_list("group", flat=True)) == ['{code="500"}']


def test_a_budget_of_time_slices_counts_slices() -> None:
    objective = make_objective(method="timeslices", time_slice=5 * MINUTE, time_slice_target=Decimal("0.95"))
    failing = NOON - 30 * MINUTE

    def counts(at: datetime) -> tuple[float, float]:
        return (1, 10) if at > failing else (0, 10)

    advance([objective.pk], NOON + 10 * SECOND, Scripted(counts))
    found = counted(objective, NOON - HOUR, NOON)
    assert (found.bad, found.total) == (6, 12)


# -- Over HTTP, with the real client ---------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("status", "body", "content_type", "sentence"),
    [
        (200, b"<html>Sign in</html>", "text/html", "not Prometheus"),
        (502, b"<html>Bad gateway</html>", "text/html", "502"),
        (503, b"", "text/plain", "503"),
        (404, b"not found", "text/plain", "no Prometheus API"),
        (
            400,
            b'{"status":"error","errorType":"bad_data","error":"1:5: parse error: unexpected end"}',
            "application/json",
            "parse error",
        ),
        (200, b'{"status":"success","data":{"resultType":"matrix","result":[{"met', "application/json", "broke off"),
    ],
)
def test_an_answer_that_is_none_writes_no_slice_and_says_why(
    status: int, body: bytes, content_type: str, sentence: str
) -> None:
    with answering(status, body, content_type) as url:
        objective = measured_until_noon(source=make_source(url))
        assert advance([objective.pk], NOON + HOUR) == []
    assert again(objective).measured_until == NOON
    assert sentence in again(objective).last_error


def test_a_question_that_is_refused_is_not_held_against_the_source() -> None:
    refusal = b'{"status":"error","errorType":"bad_data","error":"parse error"}'
    with answering(400, refusal) as url:
        objective = measured_until_noon(source=make_source(url))
        advance([objective.pk], NOON + HOUR)
    assert again(objective).source.last_error == ""


def test_where_nothing_listens_the_objective_and_its_source_say_so() -> None:
    objective = measured_until_noon()
    advance([objective.pk], NOON + HOUR)
    assert "127.0.0.1:9 cannot be reached" in again(objective).last_error
    assert "cannot be reached" in again(objective).source.last_error


@pytest.mark.real
def test_a_week_on_a_real_prometheus_adds_up(settings: Settings) -> None:
    settings.SLICE = 10 * SECOND
    every, ok, bad = MINUTE, labels(code="200"), labels(code="500")
    week = [{ok: 10.0 * n, bad: float(n // 100)} for n in range(7 * 24 * 60)]
    target = Target("a", every, START - 7 * DAY, [{}, *week])
    now = START + 10 * SECOND
    with prometheus_server(openmetrics=openmetrics(samples("requests_total", [target], stale=False))) as server:
        objective = make_objective(window=7 * DAY, source=make_source(server.url))
        while advance([objective.pk], now):
            pass
        while recall(objective.pk, now):
            pass
    found = ledger.budget(book_of(again(objective)), START)
    assert again(objective).measured_until == START
    assert (found.totals.bad, found.totals.total) == (100, 10 * (7 * 24 * 60 - 1) + 100)
    assert found.totals.coverage > 0.999


def test_targets_keep_all_their_nines() -> None:
    assert make_objective(target="0.99999999999").allowed_ratio == Decimal("0.00000000001")
