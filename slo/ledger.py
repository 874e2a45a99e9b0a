"""The ledger: appends slices strictly in order, and answers any window from the running totals of two rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from django.db import transaction
from django.db.models import Max, Min, OuterRef, Subquery

from slo.budget import Budget, burn
from slo.instants import grid
from slo.models import Objective, Slice
from slo.slices import Measured
from slo.windows import ZERO, Mark, Totals, difference, last_before

# As many instants as one query looks up by a subquery each.
_FEW = 24
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Bucket:
    """What happened in one stretch of a chart."""

    start: datetime
    end: datetime
    totals: Totals


class Unordered(Exception):
    """Slices must follow each other, and the ledger's last one, without a gap."""


@transaction.atomic
def append(objective: Objective, slices: Sequence[Measured]) -> bool:
    """Append `slices`, fetched for the generation and `measured_until` of this instance; whether they were.

    False means that somebody else has moved the ledger since `objective` was loaded: nothing is written, load it
    again. On success the instance is moved too. Raises `Unordered`, and `IntegrityError` for impossible counts.
    """
    _check_order(objective.measured_until, slices)
    until = slices[-1].end
    # First of all: the row count decides, and on PostgreSQL the update takes the row's lock.
    moved = Objective.objects.filter(
        pk=objective.pk, measured_until=objective.measured_until, generation=objective.generation
    ).update(measured_until=until, last_error="", last_error_at=None)
    if not moved:
        return False
    last = Slice.objects.filter(objective=objective).order_by("-end").first()
    Slice.objects.bulk_create(_rows(objective, last, slices), batch_size=_BATCH)
    objective.measured_until, objective.last_error, objective.last_error_at = until, "", None
    return True


def first_start(objective: Objective) -> datetime | None:
    """Where the ledger begins; `None` while it is empty."""
    return Slice.objects.filter(objective=objective).order_by("end").values_list("start", flat=True).first()


def has_measured(objective: Objective) -> bool:
    """Whether any slice was measured yet."""
    return Slice.objects.filter(objective=objective, total__isnull=False).exists()


def marks(objective: Objective, instants: Iterable[datetime]) -> dict[datetime, Mark | None]:
    """The running totals at each instant: of the last slice that ended at or before it, `None` before the first.

    A handful of queries, however many instants and slices there are.
    """
    wanted = sorted(set(instants))
    return _few_marks(objective, wanted) if len(wanted) <= _FEW else _many_marks(objective, wanted)


def totals(objective: Objective, start: datetime, end: datetime) -> Totals:
    """What happened from `start` to `end`. A start within a slice takes that whole slice."""
    return totals_many(objective, [(start, end)])[0]


def totals_many(objective: Objective, windows: Sequence[tuple[datetime, datetime]]) -> list[Totals]:
    """`totals` of several windows, in the same few queries as one."""
    known = marks(objective, (instant for window in windows for instant in window))
    return [difference(known[start], known[end], end - start) for start, end in windows]


def budget(objective: Objective, at: datetime) -> Budget:
    """The error budget of the objective's window that ends at `at`."""
    return Budget(totals(objective, at - objective.window, at), objective.target, objective.window)


def burns(objective: Objective, at: datetime, windows: Sequence[timedelta]) -> dict[timedelta, float | None]:
    """The burn rate over each of the windows that end at `at`; `None` where nothing was measured."""
    found = totals_many(objective, [(at - window, at) for window in windows])
    return {window: burn(one, objective.target) for window, one in zip(windows, found, strict=True)}


def series(objective: Objective, start: datetime, end: datetime, points: int) -> list[Bucket]:
    """`start` to `end` in about `points` stretches of equal length, for a chart; at least a slice each."""
    edges = grid(start, end, points)
    known = marks(objective, edges)
    return [Bucket(left, right, difference(known[left], known[right], right - left)) for left, right in pairwise(edges)]


def window_series(objective: Objective, window: timedelta, start: datetime, end: datetime, points: int) -> list[Bucket]:
    """The window of this length as it stood at about `points` round instants from `start`, and at `end` itself."""
    edges = grid(start, end, points)
    # What is drawn last is what stands in figures beside it.
    edges += [end] if edges[-1] < end else []
    known = marks(objective, [instant for edge in edges for instant in (edge - window, edge)])
    return [Bucket(edge - window, edge, difference(known[edge - window], known[edge], window)) for edge in edges]


def burn_series(
    objective: Objective, window: timedelta, start: datetime, end: datetime, points: int
) -> list[tuple[datetime, float | None]]:
    """The burn rate over `window` at about `points` instants from `start`, the last one at `end`."""
    found = window_series(objective, window, start, end, points)
    return [(bucket.end, burn(bucket.totals, objective.target)) for bucket in found]


def budget_series(
    objective: Objective, start: datetime, end: datetime, points: int
) -> list[tuple[datetime, float | None]]:
    """The share of the budget that was left at about `points` instants from `start`, the last one at `end`."""
    found = window_series(objective, objective.window, start, end, points)
    return [(bucket.end, Budget(bucket.totals, objective.target, objective.window).left) for bucket in found]


def _check_order(after: datetime | None, slices: Sequence[Measured]) -> None:
    if not slices:
        raise Unordered("There is no slice to append.")
    for one in slices:
        if after is not None and one.start != after:
            raise Unordered(f"The slice that starts at {one.start:%F %T} does not follow {after:%F %T}.")
        after = one.end


def _rows(objective: Objective, last: Slice | None, slices: Sequence[Measured]) -> Iterable[Slice]:
    bad, total = (last.running_bad, last.running_total) if last else (0.0, 0.0)
    measured = last.running_measured if last else ZERO
    for one in slices:
        if one.total is not None:
            bad, total, measured = bad + (one.bad or 0.0), total + one.total, measured + (one.end - one.start)
        yield Slice(
            objective=objective,
            start=one.start,
            end=one.end,
            bad=one.bad,
            total=one.total,
            reason=one.reason[:300],
            running_bad=bad,
            running_total=total,
            running_measured=measured,
        )


_FIELDS = ("end", "running_bad", "running_total", "running_measured")


def _few_marks(objective: Objective, wanted: Sequence[datetime]) -> dict[datetime, Mark | None]:
    ledger = Slice.objects.filter(objective=OuterRef("pk")).order_by("-end").values("pk")
    lookups = {f"at_{n}": Subquery(ledger.filter(end__lte=at)[:1]) for n, at in enumerate(wanted)}
    row: Mapping[str, int | None] = Objective.objects.filter(pk=objective.pk).values(*[], **lookups).get()
    keys = [row[f"at_{n}"] for n in range(len(wanted))]
    found = {
        key: Mark(*values)
        for key, *values in Slice.objects.filter(pk__in={key for key in keys if key}).values_list("pk", *_FIELDS)
    }
    return {at: found.get(key) if key else None for at, key in zip(wanted, keys, strict=True)}


def _many_marks(objective: Objective, wanted: Sequence[datetime]) -> dict[datetime, Mark | None]:
    """Most instants are the end of a slice; others fall into long slices, of which there are few, or outside."""
    exact = _marks_at(objective, wanted)
    missing = [at for at in wanted if at not in exact]
    return {**exact, **_marks_between(objective, missing)} if missing else dict(exact)


def _marks_between(objective: Objective, missing: Sequence[datetime]) -> dict[datetime, Mark | None]:
    """The marks for instants, in order, that are not the end of a slice, by reading the rows they span once."""
    ledger = Slice.objects.filter(objective=objective)
    ends = ledger.aggregate(first=Min("end"), last=Max("end"))
    if ends["first"] is None:
        return dict.fromkeys(missing)
    inside = [at for at in missing if ends["first"] < at < ends["last"]]
    before = ledger.filter(end__lte=inside[0]).order_by("-end").values("end")[:1] if inside else []
    rows = ledger.filter(end__gte=before, end__lte=inside[-1]) if inside else ledger.none()
    found = [Mark(*row) for row in (rows | ledger.filter(end=ends["last"])).order_by("end").values_list(*_FIELDS)]
    return {at: last_before(found, at) if at > ends["first"] else None for at in missing}


def _marks_at(objective: Objective, wanted: Sequence[datetime]) -> dict[datetime, Mark]:
    found: dict[datetime, Mark] = {}
    for n in range(0, len(wanted), _BATCH):
        rows = Slice.objects.filter(objective=objective, end__in=wanted[n : n + _BATCH]).values_list(*_FIELDS)
        found |= {row[0]: Mark(*row) for row in rows}
    return found
