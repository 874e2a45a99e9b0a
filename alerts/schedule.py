"""When objectives are measured: soon after each slice can be asked for, and not again before the next one."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import batched

from django.conf import settings
from django.db.models import F, Q

from slo import instants
from slo.models import Objective

# How many objectives one task measures: enough to share questions, few enough for several workers to share a round.
TOGETHER = 500


def to_measure(now: datetime) -> list[int]:
    """The objectives to measure at `now`, when this is asked at every tick; those that can share questions in a row.

    Those whose next slice ended `settings.PROMPT` ago: most are counted then. Those of which it has settled since the
    last tick but one, as a tick may be lost. Those further behind, because they are new or their store does not
    answer, once a slice: a store in trouble is not asked at every tick.
    """
    until = now - settings.SETTLE
    active = Objective.objects.active()
    usual = active.filter(_not_judged())
    found = set(usual.filter(_just_ready(now, settings.SLICE)).values_list("pk", flat=True))
    for length in set(active.values_list("time_slice", flat=True)):
        if length:
            judged = active.filter(time_slice=length).filter(_just_ready(now, length))
            found |= set(judged.values_list("pk", flat=True))
    if begins_slice(now):
        behind = usual.exclude(measured_until__gt=until - settings.SLICE)
        late = active.exclude(_not_judged()).exclude(measured_until__gt=until - F("time_slice"))
        found |= {*behind.values_list("pk", flat=True), *late.values_list("pk", flat=True)}
    return _in_a_row(found)


def to_recall(now: datetime) -> list[int]:
    """The objectives whose past is not measured as far back as it should be; asked for once a slice."""
    if not begins_slice(now):
        return []
    missing = Objective.objects.active().filter(measured_from__gt=F("history_goal"))
    return list(missing.order_by("pk").values_list("pk", flat=True))


def begins_slice(now: datetime) -> bool:
    """Whether this tick is the first one of a slice."""
    return instants.floor(now, settings.SLICE) != instants.floor(now - settings.TICK, settings.SLICE)


def together(objective_ids: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """Objectives in parts of which each is the work of one task."""
    return batched(objective_ids, TOGETHER, strict=False)


def _not_judged() -> Q:
    return Q(time_slice=None)


def _just_ready(now: datetime, length: timedelta) -> Q:
    # Only samples of counters tell whether they are all there; a lost tick is made up for when slices have settled.
    return (_ended(now - settings.PROMPT - length, 1) & ~Q(metric="")) | _ended(now - settings.SETTLE - length, 2)


def _ended(until: datetime, ticks: int) -> Q:
    return Q(measured_until__lte=until, measured_until__gt=until - ticks * settings.TICK)


def _in_a_row(objective_ids: Iterable[int]) -> list[int]:
    """In the order of what they are counted from, so that a part has as much in common as possible."""
    rows = Objective.objects.filter(pk__in=objective_ids).order_by("source", "kind", "metric", "pk")
    return list(rows.values_list("pk", flat=True))
