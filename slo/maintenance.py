"""Maintenance: time that counts neither for budgets nor for alerts, declared ahead or afterwards."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from slo import history, recurrence
from slo.models import Flow, Maintenance, MaintenanceQuerySet, Objective
from slo.periods import Interval

LONGEST = timedelta(days=31)


# -- What is taken out
def intervals(objective: Objective, start: datetime, end: datetime) -> list[Interval]:
    """The maintenance of an objective between `start` and `end`: in order, merged, and cut at both."""
    return intervals_of([objective], start, end)[objective.pk]


def intervals_of(objectives: Sequence[Objective], start: datetime, end: datetime) -> dict[int, list[Interval]]:
    """`intervals` of each objective, by its key, in one query."""
    # All rows, not those of so many keys: little maintenance is declared.
    rows = list(_touching(start, end))
    if not rows:
        return {one.pk: [] for one in objectives}
    taken = [occurrences(row, start, end) for row in rows]
    known: dict[tuple[int, ...], list[Interval]] = {}
    found = dict[int, list[Interval]]()
    for one in objectives:
        mine = tuple(n for n, row in enumerate(rows) if concerns(row, one))
        if mine not in known:
            known[mine] = merged((part for n in mine for part in taken[n]), start, end)
        found[one.pk] = list(known[mine])
    return found


def occurrences(row: Maintenance, start: datetime, end: datetime) -> list[Interval]:
    """Each time that it takes place between `start` and `end`, whole."""
    return recurrence.occurrences(row.rule, row.start, row.length, row.time_zone, start, end)


def coming(row: Maintenance, after: datetime, count: int = 5) -> list[Interval]:
    """The next times that it takes place; the first may be now."""
    return recurrence.next_occurrences(row.rule, row.start, row.length, row.time_zone, after, count)


def concerns(row: Maintenance, objective: Objective) -> bool:
    if row.flow_id is not None:
        return row.flow_id == objective.flow_id
    return row.objective_id is None or row.objective_id == objective.pk


def merged(taken: Iterable[Interval], start: datetime, end: datetime) -> list[Interval]:
    """In order, without overlaps, cut at `start` and `end`."""
    inside = ((max(left, start), min(right, end)) for left, right in taken)
    return list(history.snapped(((left, right) for left, right in inside if left < right), ()))


# -- Declaring it
def declare(
    reason: str,
    start: datetime,
    length: timedelta,
    *,
    flow: Flow | None = None,
    objective: Objective | None = None,
    rule: str = "",
    time_zone: str = "UTC",
    user: AbstractBaseUser | None = None,
) -> Maintenance:
    """Take this time out of everything, of a flow or of an objective. Raises `ValueError` as a sentence."""
    row = drafted(reason, start, length, flow=flow, objective=objective, rule=rule, time_zone=time_zone)
    row.created_by_id = user.pk if user else None
    row.save()
    return row


def drafted(
    reason: str,
    start: datetime,
    length: timedelta,
    *,
    flow: Flow | None = None,
    objective: Objective | None = None,
    rule: str = "",
    time_zone: str = "UTC",
) -> Maintenance:
    """What `declare` would store, checked and not stored: for showing what it takes out."""
    rule = rule.strip().upper().removeprefix("RRULE:")
    if not reason.strip():
        raise ValueError("Say what is being done, so that others know why this time does not count.")
    if not timedelta(0) < length <= LONGEST:
        raise ValueError(f"Maintenance takes some time, and at most {LONGEST.days} days each time.")
    if flow and objective:
        raise ValueError("Choose a flow or an objective, not both.")
    if len(rule) > 200 or len(reason) > 200:
        raise ValueError("Shorten the reason and the rule to 200 characters each.")
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"There is no time zone {time_zone}. Write one like Europe/Berlin or UTC.") from error
    if rule:
        start = start.replace(microsecond=0)
        recurrence.check(rule, start, time_zone)
    return Maintenance(
        flow=flow,
        objective=objective,
        reason=reason.strip(),
        start=start,
        length=length,
        rule=rule,
        time_zone=time_zone,
    )


@transaction.atomic
def shorten(row: Maintenance, at: datetime) -> None:
    """End it at `at`: what takes place then is over, and nothing of it begins later. What was before stays.

    One that has not begun by then is as good as cancelled.
    """
    mine = Maintenance.objects.active().select_for_update().filter(pk=row.pk)
    if not mine.exists():
        return
    if at <= row.start:
        mine.update(cancelled_at=timezone.now())
        return
    running = [begin for begin, _end in occurrences(row, at - timedelta(microseconds=1), at)]
    if running[:1] == [row.start] or not row.rule:
        # The first time, so it never repeated.
        mine.update(rule="", length=min(row.length, at - row.start))
        return
    for begin in running:
        # Cut to its own end now, and no longer one of the rule's.
        Maintenance.objects.create(
            flow_id=row.flow_id,
            objective_id=row.objective_id,
            reason=row.reason,
            start=begin,
            length=at - begin,
            time_zone=row.time_zone,
            created_by_id=row.created_by_id,
        )
    last = min(running, default=at) - timedelta(seconds=1)
    mine.update(rule=recurrence.ended(row.rule, last))


def cancel(row: Maintenance) -> None:
    """Take it back, as if it had never been declared: all of its time counts again."""
    Maintenance.objects.active().filter(pk=row.pk).update(cancelled_at=timezone.now())


def _touching(start: datetime, end: datetime) -> MaintenanceQuerySet:
    """Active rows of which something may take place between `start` and `end`."""
    return Maintenance.objects.active().filter(start__lt=end).filter(~Q(rule="") | Q(start__gt=start - F("length")))
