"""What the workers do. Each task turns an id into a call and brings the clock; each may run twice, late or never.

Redis only carries work: what is due stands in the database, and the next tick finds what a lost message was about.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from celery import Task, shared_task
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from alerts import delivery, evaluation, examples, explanations, outbox, retirement, schedule
from slo import measurement

log = logging.getLogger(__name__)

# A message that waited longer than this is not worth doing: a newer one is on its way.
EXPIRES = max(settings.TICK, timedelta(seconds=5)).total_seconds()


def queue(task: "Task[..., Any]", *args: object, expires: float = EXPIRES) -> bool:
    """Hand work to the workers; without Redis that fails quietly, since the next tick finds the same work due."""
    try:
        task.apply_async(args=args, expires=expires)
    except OperationalError as error:
        log.warning("Cannot queue %s, the next sweep will: %s", task.name, error)
        return False
    return True


@shared_task(expires=EXPIRES, time_limit=60)
def begin_round(instant: str) -> None:
    """Every tick: measure the objectives with a slice that can be asked for by now."""
    now = datetime.fromisoformat(instant)
    retirement.retire_archived(now)
    a_slice = settings.SLICE.total_seconds()
    for some in schedule.together(schedule.to_measure(now)):
        queue(measure, some, instant, expires=a_slice)
    for objective_id in schedule.to_recall(now):
        queue(recall, objective_id, instant, expires=a_slice)


@shared_task(time_limit=300)
def measure(objective_ids: Sequence[int], instant: str) -> None:
    """Bring ledgers and alerts of some objectives up to the instant, then start what follows from it."""
    more = measurement.advance(objective_ids, datetime.fromisoformat(instant))
    evaluation.evaluate(objective_ids, timezone.now())
    _queue_due(timezone.now())
    if more:
        queue(measure, more, instant)


@shared_task(time_limit=300)
def recall(objective_id: int, instant: str) -> None:
    """Measure some more of an objective's past; the next slice's round asks for what is still missing."""
    measurement.recall(objective_id, datetime.fromisoformat(instant))


@shared_task(time_limit=35)
def collect_examples(incident_id: int) -> None:
    examples.collect(incident_id, timezone.now())
    _queue_due(timezone.now())


@shared_task(time_limit=80)
def explain(incident_id: int) -> None:
    explanations.explain(incident_id, timezone.now())
    outbox.hasten(incident_id, timezone.now())
    _queue_due(timezone.now())


@shared_task(time_limit=45)
def deliver(delivery_id: int) -> None:
    delivery.deliver(delivery_id, timezone.now())


@shared_task(expires=EXPIRES, time_limit=60)
def sweep(instant: str) -> None:
    """Every tick: queue what is due, whatever became of the messages that first asked for it."""
    _queue_due(datetime.fromisoformat(instant))


def _queue_due(now: datetime) -> None:
    for incident_id in examples.due(now).values_list("pk", flat=True):
        queue(collect_examples, incident_id)
    for incident_id in explanations.due(now).values_list("pk", flat=True):
        queue(explain, incident_id)
    for delivery_id in outbox.due(now).values_list("pk", flat=True):
        queue(deliver, delivery_id)
