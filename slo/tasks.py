"""What workers do for the ledgers, besides measuring."""

from datetime import datetime
from time import monotonic

from celery import shared_task
from django.conf import settings

from slo import thinning

# Seconds of work of one task; what is left over is found by the next.
ENOUGH = 60


@shared_task(expires=600, time_limit=settings.CELERY_TASK_TIME_LIMIT)
def thin(instant: str) -> None:
    """Merge old slices to hours and drop the oldest. `instant` is ISO 8601, from beat."""
    now = datetime.fromisoformat(instant)
    thinning.prune(now)
    until = monotonic() + ENOUGH
    while thinning.thin(now) and monotonic() < until:
        pass
