"""When objectives are measured: soon after each slice can be asked for, and not again before the next one."""

from datetime import datetime

from django.conf import settings

from slo import instants
from slo.models import Objective


def to_measure(now: datetime) -> list[int]:
    """The objectives to measure at `now`, when this is asked at every tick.

    Those whose next slice became ready since the last tick but one: a tick may be lost. Those further behind,
    because they are new or their store does not answer, once a slice: a store in trouble is not asked at every tick.
    """
    until = now - settings.SETTLE
    ready = Objective.objects.active()
    just_now = ready.filter(
        measured_until__lte=until - settings.SLICE, measured_until__gt=until - settings.SLICE - 2 * settings.TICK
    )
    found = set(just_now.values_list("pk", flat=True))
    if instants.floor(now, settings.SLICE) != instants.floor(now - settings.TICK, settings.SLICE):
        behind = ready.exclude(measured_until__gt=until - settings.SLICE)
        found |= set(behind.values_list("pk", flat=True))
    return sorted(found)
