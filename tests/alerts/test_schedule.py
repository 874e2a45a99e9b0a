"""When objectives are measured, and that nothing needs Redis to be remembered."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from celery.beat import BeatLazyFunc
from django.conf import settings
from django.test import override_settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from alerts import schedule, tasks
from alerts.models import Delivery, Incident
from config.celery import OnTheClock, app
from slo import measurement
from slo.models import Objective
from tests.alerts.cast import BAD, go_on, make_channel, the_incident, watched
from tests.make import DAY, MINUTE, NOON, make_objective, make_slices, make_source

pytestmark = pytest.mark.django_db(databases="__all__")

SECOND = timedelta(seconds=1)


def measured(until: Any) -> Objective:
    objective = make_objective()
    Objective.objects.filter(pk=objective.pk).update(measured_until=until)
    return objective


@pytest.fixture(autouse=True)
def _rhythm() -> Any:
    with override_settings(SLICE=MINUTE, SETTLE=10 * SECOND, PROMPT=2 * SECOND, TICK=5 * SECOND):
        yield


def ticks_that_measure(objective: Objective) -> list[int]:
    """Seconds after noon, of two minutes."""
    return [n for n in range(2, 122, 5) if objective.pk in schedule.to_measure(NOON + n * SECOND)]


def test_a_slice_is_asked_for_at_once_and_again_when_it_has_settled() -> None:
    # The second of the last two is for a tick that was lost.
    assert ticks_that_measure(measured(until=NOON)) == [62, 72, 77]


def test_what_samples_cannot_tell_is_asked_for_only_when_it_has_settled() -> None:
    objective = measured(until=NOON)
    Objective.objects.filter(pk=objective.pk).update(metric="", expression="vector(1)")
    assert ticks_that_measure(objective) == [72, 77]


def test_a_lost_tick_costs_one_tick() -> None:
    objective = measured(until=NOON)
    assert schedule.to_measure(NOON + 76 * SECOND) == [objective.pk]


@pytest.mark.parametrize("until", [None, NOON - DAY], ids=["new", "late"])
def test_what_is_behind_is_measured_once_a_slice(until: Any) -> None:
    objective = measured(until=until)
    ticks = [NOON + 5 * n * SECOND for n in range(24)]
    assert [schedule.to_measure(tick) for tick in ticks].count([objective.pk]) == 2


def test_archived_objectives_are_left_alone() -> None:
    objective = measured(until=NOON)
    Objective.objects.filter(pk=objective.pk).update(archived_at=NOON)
    assert schedule.to_measure(NOON + 70 * SECOND) == []


def test_beat_sends_every_task_the_instant_and_drops_what_waited() -> None:
    entries = {entry["task"]: entry for entry in app.conf.beat_schedule.values()}
    assert set(entries) == {
        "alerts.tasks.begin_round",
        "alerts.tasks.sweep",
        "telemetry.tasks.prune",
        "slo.tasks.thin",
    }
    for entry in entries.values():
        [instant] = entry["args"]
        assert isinstance(instant, BeatLazyFunc)
        assert abs(datetime.fromisoformat(instant()) - timezone.now()) < MINUTE
        assert 0 < entry["options"]["expires"] <= entry["schedule"].seconds + 5
    assert entries["alerts.tasks.sweep"]["schedule"].seconds <= settings.SLICE.total_seconds()


def test_ticks_come_right_after_slices_can_be_asked_for() -> None:
    beat = OnTheClock(5 * SECOND, after=2 * SECOND, nowfun=lambda: NOON + 64 * SECOND)
    assert beat.is_due(NOON + 61 * SECOND) == (True, 3)
    assert beat.is_due(NOON + 62 * SECOND) == (False, 3)


class Queue:
    """Takes the messages that tasks send, as Redis would, or refuses them, as it does when it is gone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there = True
        self.messages: list[tuple[str, tuple[Any, ...]]] = []
        for task in (tasks.measure, tasks.recall, tasks.collect_examples, tasks.explain, tasks.deliver):
            monkeypatch.setattr(task, "apply_async", self._taker(task.name))

    def _taker(self, name: str) -> Any:
        def take(args: tuple[Any, ...], **options: Any) -> None:
            if not self.there:
                raise OperationalError("Error 111 connecting to 127.0.0.1:6379. Connection refused.")
            assert options["expires"]
            self.messages.append((name.rpartition(".")[2], tuple(args)))

        return take


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    return Queue(monkeypatch)


def test_a_round_queues_the_objectives_that_are_due(queue: Queue) -> None:
    objective = measured(until=NOON)
    instant = (NOON + 70 * SECOND).isoformat()
    tasks.begin_round(instant)
    assert queue.messages == [("measure", ((objective.pk,), instant))]


def test_an_opened_incident_is_looked_into_at_once(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = watched()
    monkeypatch.setattr(measurement, "advance", lambda *arguments: [])
    monkeypatch.setattr(timezone, "now", lambda: NOON + 2 * MINUTE + 12 * SECOND)
    make_slices(checkout, NOON, [BAD, BAD])
    tasks.measure([checkout.pk], NOON.isoformat())
    incident = the_incident().pk
    assert queue.messages == [("collect_examples", (incident,)), ("explain", (incident,))]


def test_when_the_incident_is_explained_the_message_goes_out(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    make_channel()
    go_on(watched(), [BAD, BAD])
    monkeypatch.setattr(timezone, "now", lambda: NOON + 2 * MINUTE + 13 * SECOND)
    tasks.explain(the_incident().pk)
    assert ("deliver", (Delivery.objects.get().pk,)) in queue.messages


def test_without_redis_nothing_is_lost_and_the_sweep_finds_it(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    make_channel()
    queue.there = False
    checkout = watched()
    monkeypatch.setattr(measurement, "advance", lambda *arguments: [checkout.pk])
    monkeypatch.setattr(timezone, "now", lambda: NOON + 2 * MINUTE + 12 * SECOND)
    make_slices(checkout, NOON, [BAD, BAD])
    tasks.measure([checkout.pk], NOON.isoformat())
    assert Incident.objects.count() == 1
    queue.there = True
    tasks.sweep((NOON + 3 * MINUTE).isoformat())
    assert {name for name, _ in queue.messages} == {"collect_examples", "explain", "deliver"}


def test_a_long_gap_is_caught_up_in_several_messages(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    objective = measured(until=None)
    monkeypatch.setattr(measurement, "advance", lambda *arguments: [objective.pk])
    tasks.measure([objective.pk], NOON.isoformat())
    assert queue.messages == [("measure", ([objective.pk], NOON.isoformat()))]


def test_many_objectives_are_measured_in_parts_that_share_what_they_count(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "TOGETHER", 2)
    source = make_source()
    metrics = ("a_total", "b_total", "a_total", "b_total")
    a, b, c, d = (make_objective(source=source, metric=metric) for metric in metrics)
    Objective.objects.update(measured_until=NOON)
    tasks.begin_round((NOON + 70 * SECOND).isoformat())
    assert [ids for _, (ids, _) in queue.messages] == [(a.pk, c.pk), (b.pk, d.pk)]


def test_judged_time_slices_are_measured_when_theirs_have_settled() -> None:
    objective = make_objective(method="timeslices", time_slice=5 * MINUTE, time_slice_target=Decimal("0.9"))
    Objective.objects.filter(pk=objective.pk).update(measured_until=NOON)
    assert schedule.to_measure(NOON + 130 * SECOND) == []
    assert schedule.to_measure(NOON + 310 * SECOND) == [objective.pk]


def test_the_past_is_asked_for_once_a_slice_until_it_is_known(queue: Queue) -> None:
    objective = measured(until=NOON)
    Objective.objects.filter(pk=objective.pk).update(measured_from=NOON - DAY, history_goal=NOON - 7 * DAY)
    ticks = [NOON + 5 * n * SECOND for n in range(24)]
    assert [schedule.to_recall(tick) for tick in ticks].count([objective.pk]) == 2
    Objective.objects.filter(pk=objective.pk).update(measured_from=NOON - 7 * DAY)
    assert all(schedule.to_recall(tick) == [] for tick in ticks)
