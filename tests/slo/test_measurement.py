"""Measuring: what is due is asked for and appended once, and a store that cannot answer is waited for."""

import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pytest_django import Settings

from connectors.errors import TimedOut, TooMuch, Unreachable
from slo import ledger
from slo.definitions import save_objective
from slo.measurement import QUERIES, advance
from slo.models import Objective, Slice
from tests.make import DAY, HOUR, MINUTE, NOON, make_objective, make_slices, make_source
from tests.servers import prometheus_server
from tests.slo.scrapes import START, Target, labels, openmetrics, samples
from tests.slo.stores import Scripted, answering

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def slices_of_a_minute(settings: Settings) -> None:
    settings.SLICE, settings.SETTLE = MINUTE, 10 * SECOND


def measured_until_noon(**fields: Any) -> Objective:
    """An objective whose ledger ends at noon."""
    objective = make_objective(**fields)
    make_slices(objective, NOON - MINUTE, [(0, 10)])
    return objective


def again(objective: Objective) -> Objective:
    return Objective.objects.get(pk=objective.pk)


def test_a_live_slice_is_one_question_about_that_slice() -> None:
    objective, store = measured_until_noon(), Scripted()
    assert not advance(objective.pk, NOON + MINUTE + 10 * SECOND, store)
    assert store.asked == [(NOON + MINUTE, NOON + MINUTE, MINUTE)]
    assert ledger.totals(objective, NOON, NOON + MINUTE).bad == 1


def test_nothing_is_asked_before_a_slice_has_settled() -> None:
    objective, store = measured_until_noon(), Scripted()
    assert not advance(objective.pk, NOON + MINUTE + 9 * SECOND, store)
    assert store.asked == []


def test_the_same_instant_twice_measures_once() -> None:
    objective, store, now = measured_until_noon(), Scripted(), NOON + HOUR
    advance(objective.pk, now, store)
    before = list(Slice.objects.values_list())
    advance(objective.pk, now, store)
    advance(objective.pk, now - MINUTE, store)
    assert list(Slice.objects.values_list()) == before
    assert len(store.asked) == 1


def test_a_new_objective_begins_with_the_history_of_its_window() -> None:
    objective, store = make_objective(window=7 * DAY), Scripted()
    assert not advance(objective.pk, NOON + 10 * SECOND, store)
    assert ledger.first_start(objective) == NOON - 7 * DAY
    assert again(objective).measured_until == NOON
    assert {step for _, _, step in store.asked} == {5 * MINUTE, MINUTE}
    assert ledger.totals(objective, NOON - 7 * DAY, NOON).coverage == 1


def test_the_time_before_a_stores_memory_is_one_long_unmeasured_slice() -> None:
    objective = make_objective(window=7 * DAY)
    store = Scripted(lambda at: (0, 10) if at > NOON - 2 * DAY else None)
    advance(objective.pk, NOON + 10 * SECOND, store)
    first = Slice.objects.earliest("start")
    assert (first.start, first.end, first.total) == (NOON - 7 * DAY, NOON - 2 * DAY, None)
    assert "No series matches" in first.reason
    found = ledger.budget(objective, NOON)
    assert found.totals.coverage == pytest.approx(2 / 7)
    assert found.left == 1


def test_a_series_that_is_gone_leaves_unmeasured_slices_with_the_reason() -> None:
    objective = measured_until_noon()
    advance(objective.pk, NOON + 3 * MINUTE + 10 * SECOND, Scripted(lambda at: None))
    found = Slice.objects.filter(start__gte=NOON)
    assert [(one.bad, one.total) for one in found] == [(None, None)] * 3
    assert found[0].reason == "No series matches requests_total{}."
    assert again(objective).last_error == ""


def test_a_second_worker_meanwhile_changes_nothing() -> None:
    objective, now = measured_until_noon(), NOON + HOUR + 10 * SECOND
    other = Scripted()
    store = Scripted(meanwhile=lambda count: advance(objective.pk, now, other))
    advance(objective.pk, now, store)
    assert len(other.asked) == len(store.asked) == 1
    assert Slice.objects.filter(start__gte=NOON).count() == 60
    assert ledger.totals(objective, NOON, NOON + HOUR).total == 600


class Killed(BaseException):
    """The worker's process ends here."""


def test_a_worker_killed_between_asking_and_appending_loses_nothing() -> None:
    objective, now = measured_until_noon(), NOON + HOUR + 10 * SECOND

    def killed(at: datetime) -> tuple[float, float]:
        raise Killed

    with pytest.raises(Killed):
        advance(objective.pk, now, Scripted(killed))
    assert again(objective).measured_until == NOON
    advance(objective.pk, now, Scripted())
    assert ledger.totals(objective, NOON, NOON + HOUR).total == 600


def test_an_edit_while_the_store_is_asked_keeps_the_old_counts_out() -> None:
    objective, now = measured_until_noon(), NOON + MINUTE + 10 * SECOND

    def edit(count: int) -> None:
        edited = again(objective)
        edited.metric = "other_total"
        save_objective(edited, [])

    advance(objective.pk, now, Scripted(meanwhile=edit))
    assert not Slice.objects.exists()
    assert again(objective).measured_until is None


def test_too_much_for_the_store_is_asked_for_in_smaller_parts() -> None:
    objective = measured_until_noon()

    def refuse(count: int) -> None:
        if count > 100:
            raise TooMuch("Too many samples.")

    store = Scripted(meanwhile=refuse)
    assert advance(objective.pk, NOON + 5 * HOUR + 10 * SECOND, store)
    assert [(end - start) // step + 1 for start, end, step in store.asked] == [300, 75, 75, 75]
    assert again(objective).measured_until == NOON + 225 * MINUTE
    assert again(objective).last_error == ""


def test_a_store_that_is_slow_on_every_part_is_waited_for() -> None:
    objective = measured_until_noon()

    def refuse(count: int) -> None:
        raise TimedOut("No answer within 10 s.")

    store = Scripted(meanwhile=refuse)
    assert not advance(objective.pk, NOON + 5 * HOUR, store)
    assert len(store.asked) == QUERIES
    assert again(objective).last_error == "No answer within 10 s."
    assert again(objective).measured_until == NOON


def test_an_outage_of_the_store_is_caught_up_in_order_without_a_hole() -> None:
    objective = measured_until_noon()

    def down(count: int) -> None:
        raise Unreachable("Nothing listens there.")

    advance(objective.pk, NOON + 30 * MINUTE, Scripted(meanwhile=down))
    stopped = again(objective)
    assert (stopped.last_error, stopped.last_error_at) == ("Nothing listens there.", NOON + 30 * MINUTE)
    assert stopped.source.last_error == "Nothing listens there."
    advance(objective.pk, NOON + HOUR + 10 * SECOND, Scripted())
    back = again(objective)
    assert (back.last_error, back.last_error_at, back.source.last_error) == ("", None, "")
    assert back.source.last_answered_at == NOON + HOUR + 10 * SECOND
    assert ledger.totals(objective, NOON, NOON + HOUR).measured == HOUR


def test_work_of_one_call_is_bounded_and_more_is_said_to_be_due() -> None:
    objective, store = make_objective(window=60 * DAY), Scripted()
    assert advance(objective.pk, NOON + 10 * SECOND, store)
    assert len(store.asked) == QUERIES
    for _ in range(10):
        if not advance(objective.pk, NOON + 10 * SECOND, store):
            break
    assert again(objective).measured_until == NOON


def test_an_archived_objective_is_left_alone() -> None:
    objective, store = measured_until_noon(archived_at=NOON), Scripted()
    assert not advance(objective.pk, NOON + HOUR, store)
    assert not advance(objective.pk + 1, NOON + HOUR, store)
    assert store.asked == []


def test_a_definition_that_cannot_be_counted_says_so() -> None:
    objective = make_objective(bad_matchers=[])
    assert not advance(objective.pk, NOON, Scripted())
    assert again(objective).last_error.startswith("The objective cannot be counted: Nothing marks the bad ones")


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
        assert not advance(objective.pk, NOON + HOUR)
    assert again(objective).measured_until == NOON
    assert sentence in again(objective).last_error


def test_a_question_that_is_refused_is_not_held_against_the_source() -> None:
    refusal = b'{"status":"error","errorType":"bad_data","error":"parse error"}'
    with answering(400, refusal) as url:
        objective = measured_until_noon(source=make_source(url))
        advance(objective.pk, NOON + HOUR)
    assert again(objective).source.last_error == ""


def test_where_nothing_listens_the_objective_and_its_source_say_so() -> None:
    objective = measured_until_noon()
    advance(objective.pk, NOON + HOUR)
    assert "127.0.0.1:9 cannot be reached" in again(objective).last_error
    assert "cannot be reached" in again(objective).source.last_error


@pytest.mark.real
def test_a_week_on_a_real_prometheus_adds_up_and_is_there_within_seconds(settings: Settings) -> None:
    settings.SLICE = 10 * SECOND
    every, ok, bad = MINUTE, labels(code="200"), labels(code="500")
    week = [{ok: 10.0 * n, bad: float(n // 100)} for n in range(7 * 24 * 60)]
    target = Target("a", every, START - 7 * DAY, [{}, *week])
    with prometheus_server(openmetrics=openmetrics(samples("requests_total", [target], stale=False))) as server:
        objective = make_objective(window=7 * DAY, source=make_source(server.url))
        began = time.monotonic()
        while advance(objective.pk, START + 10 * SECOND):
            pass
        took = time.monotonic() - began
    found = ledger.budget(again(objective), START)
    assert again(objective).measured_until == START
    assert (found.totals.bad, found.totals.total) == (100, 10 * (7 * 24 * 60 - 1) + 100)
    assert found.totals.coverage > 0.999
    assert took < 20


def test_targets_keep_all_their_nines() -> None:
    assert make_objective(target="0.99999999999").allowed_ratio == Decimal("0.00000000001")
