"""Writing ledgers: slices of many objectives in one transaction, each once and without a gap, at either end."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F

from slo import groups
from slo.groups import Group
from slo.models import Ledger, Objective, Slice
from slo.periods import Interval
from slo.slices import Measured, sound

ABSENT = "No series of this group was there."
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Batch:
    """What was measured of one objective in some slices: the same ones for every group.

    `objective` is as it was loaded before the store was asked. `spans` are the slices' starts and ends, and need only
    be given when there may be no group at all. Groups that are known and not among `slices` are kept as unmeasured.
    """

    objective: Objective
    slices: Mapping[Group, Sequence[Measured]]
    spans: Sequence[Interval] = ()

    @property
    def edges(self) -> Sequence[Interval]:
        return self.spans or next(([(one.start, one.end) for one in rows] for rows in self.slices.values()), [])


class Unordered(Exception):
    """Slices must follow each other, and the ledger's last one, without a gap."""


@dataclass(slots=True)
class _Sums:
    """The running totals of a ledger."""

    ledger: int
    bad: float = 0.0
    total: float = 0.0
    measured: float = 0.0


@transaction.atomic
def append(batches: Sequence[Batch]) -> set[int]:
    """Append each batch to its objective's ledgers, if nobody has moved them since; the objectives it was done for.

    Their instances are moved too. An objective that is not among the answer must be loaded again. Raises `Unordered`,
    and `IntegrityError` for impossible counts; then nothing is written of any.
    """
    for batch in batches:
        _check_order(batch, batch.objective.measured_until)
    mine = _unmoved(batches)
    for moved, together in _alike(mine).items():
        begins, until = moved
        first = {} if begins is None else {"measured_from": begins}
        Objective.objects.filter(pk__in=[batch.objective.pk for batch in together]).update(
            measured_until=until, last_error="", last_error_at=None, **first
        )
    _write(mine)
    for batch in mine:
        objective = batch.objective
        objective.measured_from = objective.measured_from or batch.edges[0][0]
        objective.measured_until = batch.edges[-1][1]
        objective.last_error, objective.last_error_at = "", None
    return {batch.objective.pk for batch in mine}


@transaction.atomic
def prepend(batch: Batch) -> bool:
    """Put slices before the ledgers' first ones, if nobody has since the objective was loaded; whether it was done.

    No slice that exists is touched: the new ones get running totals below it. A group that is not in the batch begins
    where it began. Raises as `append` does.
    """
    objective, edges = batch.objective, batch.edges
    _check_order(batch, edges[0][0] if edges else None)
    if edges[-1][1] != objective.measured_from:
        raise Unordered(f"Slices until {edges[-1][1]:%F %T} do not lead to {objective.measured_from or 'anything'}.")
    moved = Objective.objects.filter(
        pk=objective.pk, generation=objective.generation, measured_from=objective.measured_from
    ).update(measured_from=edges[0][0])
    if not moved:
        return False
    books = _books(objective)
    # Locked by the update above, so this is where the ledgers end.
    until = Objective.objects.values_list("measured_until", flat=True).get(pk=objective.pk)
    for book in Ledger.objects.bulk_create(_new_books([batch], {objective.pk: books}, begins=until)):
        books[book.group] = book
    touched = [(books[groups.text(group)], [*map(sound, slices)]) for group, slices in batch.slices.items()]
    rows = [row for book, slices in touched for row in _before(book, slices)]
    Slice.objects.bulk_create(rows, batch_size=_BATCH)
    fields = ["begins", "base_bad", "base_total", "base_measured", "thinned_until"]
    Ledger.objects.bulk_update([book for book, _slices in touched], fields, batch_size=_BATCH)
    objective.measured_from = edges[0][0]
    return True


def _check_order(batch: Batch, after: datetime | None) -> None:
    if not batch.edges:
        raise Unordered("There is no slice to append.")
    for start, end in batch.edges:
        if after is not None and start != after:
            raise Unordered(f"The slice that starts at {start:%F %T} does not follow {after:%F %T}.")
        after = end
    edges = list(batch.edges)
    for group, rows in batch.slices.items():
        if [(one.start, one.end) for one in rows] != edges:
            raise Unordered(f"The slices of the group {groups.text(group)} are not those of the others.")


def _unmoved(batches: Sequence[Batch]) -> list[Batch]:
    """The batches whose objective nobody has moved since it was loaded; now nobody can until the transaction ends."""
    rows = Objective.objects.select_for_update().order_by("pk").filter(pk__in=[one.objective.pk for one in batches])
    known = {
        pk: (generation, until) for pk, generation, until in rows.values_list("pk", "generation", "measured_until")
    }
    return [
        one
        for one in batches
        if known.get(one.objective.pk) == (one.objective.generation, one.objective.measured_until)
    ]


def _alike(batches: Iterable[Batch]) -> dict[tuple[datetime | None, datetime], list[Batch]]:
    """The batches by what they do to an objective: where its ledgers begin from now on (if new), and end."""
    found = defaultdict[tuple[datetime | None, datetime], list[Batch]](list)
    for batch in batches:
        begins = None if batch.objective.measured_from else batch.edges[0][0]
        found[begins, batch.edges[-1][1]].append(batch)
    return found


def _write(batches: Sequence[Batch]) -> None:
    """The rows of all batches; their objectives still say where their ledgers ended before."""
    standing = _standing([batch.objective for batch in batches])
    for book in Ledger.objects.bulk_create(_new_books(batches, standing)):
        standing[book.objective_id][book.group] = _Sums(book.pk)
    rows = list[Slice]()
    for batch in batches:
        measured = {groups.text(group): [*map(sound, slices)] for group, slices in batch.slices.items()}
        for text, sums in standing[batch.objective.pk].items():
            rows += _rows(sums, measured.get(text) or _unmeasured(batch.edges, ABSENT))
    Slice.objects.bulk_create(rows, batch_size=_BATCH)


def _standing(objectives: Iterable[Objective]) -> defaultdict[int, dict[str, _Sums]]:
    """Where the running totals of each objective's ledgers stand, by group."""
    rows = Slice.objects.filter(
        ledger__objective__in=[one.pk for one in objectives],
        ledger__generation=F("ledger__objective__generation"),
        end__in={one.measured_until for one in objectives if one.measured_until},
    )
    found = defaultdict[int, dict[str, _Sums]](dict)
    fields = ("ledger__objective_id", "ledger__group", "ledger_id", "running_bad", "running_total", "running_measured")
    # An objective's newest slice has the highest end among those of all.
    for objective, group, *sums in rows.order_by("end").values_list(*fields):
        found[objective][group] = _Sums(*sums)
    return found


def _books(objective: Objective) -> dict[str, Ledger]:
    """The ledgers of the objective's generation, by group."""
    return {book.group: book for book in Ledger.objects.filter(objective=objective, generation=objective.generation)}


def _new_books(
    batches: Iterable[Batch], known: Mapping[int, Mapping[str, object]], begins: datetime | None = None
) -> list[Ledger]:
    return [
        Ledger(
            objective=batch.objective,
            generation=batch.objective.generation,
            group=groups.text(group),
            labels=groups.labels(group),
            begins=begins or batch.edges[0][0],
        )
        for batch in batches
        for group in batch.slices
        if groups.text(group) not in known.get(batch.objective.pk, {})
    ]


def _unmeasured(edges: Iterable[Interval], reason: str) -> list[Measured]:
    return [Measured(start, end, None, None, reason) for start, end in edges]


def _rows(sums: _Sums, slices: Iterable[Measured]) -> Iterator[Slice]:
    for one in slices:
        if one.total is not None:
            sums.bad += one.bad or 0.0
            sums.total += one.total
            sums.measured += (one.end - one.start).total_seconds()
        yield Slice(
            ledger_id=sums.ledger,
            start=one.start,
            end=one.end,
            bad=one.bad,
            total=one.total,
            reason=one.reason[:300],
            running_bad=sums.bad,
            running_total=sums.total,
            running_measured=sums.measured,
        )


def _before(book: Ledger, slices: Sequence[Measured]) -> list[Slice]:
    """Rows that lead up to the ledger's first one, and its base moved before them."""
    if book.begins and slices[-1].end < book.begins:
        # The group was found later than others, and now earlier still.
        slices = [*slices, *_unmeasured([(slices[-1].end, book.begins)], ABSENT)]
    counted = [one for one in slices if one.total is not None]
    book.base_bad -= sum(one.bad or 0.0 for one in counted)
    book.base_total -= sum(one.total or 0.0 for one in counted)
    book.base_measured -= sum((one.end - one.start).total_seconds() for one in counted)
    book.begins, book.thinned_until = slices[0].start, None
    return list(_rows(_Sums(book.pk, book.base_bad, book.base_total, book.base_measured), slices))
