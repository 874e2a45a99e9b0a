"""What workers do for the embedded store."""

from datetime import datetime

from celery import shared_task

from telemetry import retention


@shared_task(expires=30, time_limit=300, soft_time_limit=280)
def prune(instant: str) -> None:
    """Judge the settled traces, then keep the store within its age and size. `instant` is ISO 8601, from beat."""
    now = datetime.fromisoformat(instant)
    retention.settle(now)
    retention.expire(now)
    retention.shrink()
