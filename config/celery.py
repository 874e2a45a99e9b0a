"""The Celery application: finds each app's tasks.py, and says when beat sends which."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from celery import Celery
from celery.beat import BeatLazyFunc
from celery.schedules import schedstate, schedule
from kombu.transport.redis import Channel

from slo.instants import floor

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


class OnTheClock(schedule):
    """Due at multiples of an interval since the epoch and a little `after` them, rather than since beat began."""

    def __init__(self, every: timedelta, after: timedelta = timedelta(0), **options: Any) -> None:
        super().__init__(every, **options)
        self.every, self.after = every, after

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Whether such an instant has passed since the last run, and how many seconds there are until the next one."""
        now = self.now()
        latest = floor(now - self.after, self.every)
        rest = latest + self.every + self.after - now
        return schedstate(floor(last_run_at - self.after, self.every) < latest, rest.total_seconds())


@app.on_after_configure.connect
def say_when(sender: Celery, **_: object) -> None:
    """Beat's schedule. A message that was not taken by the time of the next one is dropped."""
    from django.conf import settings

    # Slices end with the clock: a tick that comes right after one can be asked for is worth seconds of a page.
    tick = OnTheClock(settings.TICK, after=settings.PROMPT)
    for task, rhythm in (
        ("alerts.tasks.begin_round", tick),
        ("alerts.tasks.sweep", tick),
        ("telemetry.tasks.prune", schedule(30)),
        ("slo.tasks.thin", schedule(3600)),
    ):
        signature = sender.signature(task, args=(BeatLazyFunc(instant),))
        sender.add_periodic_task(rhythm, signature, name=task, expires=max(rhythm.seconds, 5.0))
