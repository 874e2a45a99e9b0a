"""The Celery application: finds each app's tasks.py, and says when beat sends which."""

import os
from datetime import UTC, datetime

from celery import Celery
from celery.beat import BeatLazyFunc
from kombu.transport.redis import Channel

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# When Redis goes away, a worker would put the messages it holds back over the connection that just broke, and die of
# the AttributeError that this is in kombu 5.7. They need not go back: what they were about stays due in the database.
Channel.do_restore = False

app = Celery("fireline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def instant() -> str:
    """When beat sent a task, as its argument: a task that waited does the work of its own time."""
    return datetime.now(UTC).isoformat()


@app.on_after_configure.connect
def say_when(sender: Celery, **_: object) -> None:
    """Beat's schedule. A message that was not taken by the time of the next one is dropped."""
    from django.conf import settings

    tick: float = settings.TICK.total_seconds()
    for task, seconds in (
        ("alerts.tasks.begin_round", tick),
        ("alerts.tasks.sweep", tick),
        ("telemetry.tasks.prune", 30.0),
        ("slo.tasks.thin", 3600.0),
    ):
        signature = sender.signature(task, args=(BeatLazyFunc(instant),))
        sender.add_periodic_task(seconds, signature, name=task, expires=max(seconds, 5.0))
