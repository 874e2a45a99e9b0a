"""Reads the ledgers of many objectives at once: a few queries however many there are.

`slo.ledger` answers for one objective at a time; a page that shows all of them must not ask once a row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, DateTimeField, F, OuterRef, Subquery, Value, When

from slo.instants import floor
from slo.models import Objective, Slice
from slo.windows import Mark, Totals, difference

DAY = timedelta(hours=24)
# Slices of every length that Fireline makes end on the half hour.
STEP = timedelta(minutes=30)
# A burn over a longer time than this hardly changes within a day; the line would cost more than it shows.
LONGEST = timedelta(hours=6)


_FIELDS = ("objective_id", "end", "running_bad", "running_total", "running_measured")


@dataclass(frozen=True, slots=True)
class Reading:
    """One objective's totals over its own window, over a tier's long window, and along the last day.

    `None` along the day is a time at which the ledger has no row; `reason` is why the newest slice was not measured.
    """

    window: Totals
    long: Totals
    day: tuple[Totals | None, ...] = ()
    reason: str = ""


def readings(objectives: Sequence[Objective], longs: Mapping[int, timedelta], now: datetime) -> dict[int, Reading]:
    """A reading for every objective. `longs` is how far back each looks for its burn rate."""
    newest = _newest(objectives)
    marks = {pk: mark for pk, (mark, _) in newest.items()}
    windows = _at_or_before({one.pk: marks[one.pk].at - one.window for one in objectives if one.pk in marks})
    starts = _at_or_before({pk: mark.at - longs[pk] for pk, mark in marks.items()})
    grid = _grid(now, longs.values())
    days = _at_instants(objectives, grid)
    found = {}
    for one in objectives:
        mark, long = marks.get(one.pk), longs[one.pk]
        burning = difference(starts.get(one.pk), mark, long)
        found[one.pk] = Reading(
            window=difference(windows.get(one.pk), mark, one.window),
            long=burning,
            day=_ending(_along(days.get(one.pk, {}), grid, long), mark, burning, grid),
            reason=newest[one.pk][1] if one.pk in newest else "",
        )
    return found


def _ending(
    along: list[Totals | None], mark: Mark | None, burning: Totals, grid: Sequence[datetime]
) -> tuple[Totals | None, ...]:
    """The line up to the newest slice; a gap at its end if that is older than the half hour before the last."""
    if mark is None or mark.at <= grid[-2]:
        return (*along, None)
    # Just after a half hour the ledger has not reached it: the newest slice stands in its place.
    return (*along, burning) if mark.at >= grid[-1] else (*along[:-1], burning)


def _newest(objectives: Sequence[Objective]) -> dict[int, tuple[Mark, str]]:
    rows = Slice.objects.filter(objective__in=objectives, end=F("objective__measured_until"))
    return {pk: (Mark(*rest), reason) for pk, *rest, reason in rows.values_list(*_FIELDS, "reason")}


def _at_or_before(instants: Mapping[int, datetime]) -> dict[int, Mark]:
    """The marks at the last slice that ended at or before an instant, for each objective its own."""
    if not instants:
        return {}
    own = Case(*(When(pk=pk, then=Value(at)) for pk, at in instants.items()), output_field=DateTimeField())
    earlier = Slice.objects.filter(objective=OuterRef("pk"), end__lte=OuterRef("instant")).order_by("-end")
    slices = (
        Objective.objects.filter(pk__in=instants)
        .annotate(instant=own)
        .annotate(slice=Subquery(earlier.values("pk")[:1]))
        .values("slice")
    )
    return {pk: Mark(*rest) for pk, *rest in Slice.objects.filter(pk__in=slices).values_list(*_FIELDS)}


def _steps(long: timedelta) -> int:
    return max(1, round(min(long, LONGEST) / STEP))


def _grid(now: datetime, longs: Iterable[timedelta]) -> list[datetime]:
    """Half hours, oldest first: the last day, and before it as much as the longest burn there looks back."""
    last = floor(now, STEP)
    before = max((_steps(long) for long in longs), default=1)
    return [last - place * STEP for place in reversed(range(DAY // STEP + before))]


def _at_instants(objectives: Sequence[Objective], instants: Sequence[datetime]) -> dict[int, dict[datetime, Mark]]:
    rows = Slice.objects.filter(objective__in=objectives, end__in=instants).values_list(*_FIELDS)
    found: dict[int, dict[datetime, Mark]] = {}
    for pk, end, *rest in rows:
        found.setdefault(pk, {})[end] = Mark(end, *rest)
    return found


def _along(marks: Mapping[datetime, Mark], grid: Sequence[datetime], long: timedelta) -> list[Totals | None]:
    back = _steps(long) * STEP
    pairs = ((marks.get(at - back), marks.get(at)) for at in grid[-(DAY // STEP) :])
    return [difference(earlier, later, back) if earlier and later else None for earlier, later in pairs]
