"""Slices that were read to try a draft out: kept, so that a store is asked once and not with every keystroke.

A recording depends on the source, the SLI and the length of the slices, and on nothing else: another target, window,
tier or policy is tried on the same one.
"""

import zlib
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import blake2b
from math import nan
from time import monotonic
from typing import Any

import orjson
from django.conf import settings

from connectors.errors import StoreError
from slo import chunks, reading, verdicts
from slo.chunks import Chunk
from slo.counting import Sli
from slo.definition import Budgeting, Definition
from slo.groups import Group
from slo.instants import floor
from slo.models import Recording
from slo.periods import Interval
from slo.reading import Store
from slo.slices import Measured
from slo.tape import Tape
from telemetry.models import Source

# What is read at once: little enough to show progress, and to stop in time.
STRETCH = timedelta(hours=6)
# The newest slices are not read again and again while somebody types.
FRESH = timedelta(minutes=5)
KEPT = timedelta(days=1)
# In a longer stretch than this, slices are as long as those of history are in a ledger.
FINE = timedelta(days=31)
# The busiest groups are tried; more than these would keep somebody waiting who is typing.
MOST_GROUPS = 12


@dataclass(frozen=True, slots=True)
class Question:
    """What a draft has to be tried on: slices of one `length`, from `start` until `end`."""

    key: str
    sli: Sli
    length: timedelta
    start: datetime
    end: datetime

    @property
    def unit(self) -> timedelta:
        """The length of what is read at once, a multiple of the slices'."""
        return max(1, STRETCH // self.length) * self.length


@dataclass(slots=True)
class Piece:
    """The slices of one stretch, by group."""

    start: datetime
    end: datetime
    groups: dict[Group, dict[str, Any]]
    # How many more groups there were.
    others: int = 0


@dataclass(slots=True)
class Recorded:
    """What is known so far of an answer. Pieces are in order."""

    question: Question
    pieces: list[Piece] = field(default_factory=list)

    @property
    def whole(self) -> list[Piece]:
        """The pieces that lead to the end without a gap."""
        found: list[Piece] = []
        for piece in reversed(self.pieces):
            if found and piece.end != found[-1].start:
                break
            found.append(piece)
        return found[::-1]

    @property
    def begins(self) -> datetime | None:
        return self.whole[0].start if self.pieces else None

    @property
    def progress(self) -> float:
        """Which share of what was asked for is there, 0…1."""
        begins, asked = self.begins, self.question
        if begins is None:
            return 0.0
        return min(1.0, (asked.end - max(begins, asked.start)) / (asked.end - asked.start))

    @property
    def complete(self) -> bool:
        return self.begins is not None and self.begins <= self.question.start

    @property
    def others(self) -> int:
        return max((piece.others for piece in self.pieces), default=0)

    def tapes(self, budgeting: Budgeting) -> dict[Group, Tape]:
        """The slices by group, judged where time slices are."""
        length = self.question.length
        found = _tapes(self.whole, length)
        if budgeting.method == "occurrences":
            return found
        return {group: Tape.of(verdicts.judged(budgeting, tape.slices())) for group, tape in found.items()}


def question(source: Source, definition: Definition, now: datetime) -> Question:
    """What has to be known to try `definition` out: its window until now; of a calendar one the length of a period."""
    window, sli = definition.window, definition.sli
    length = definition.budgeting.length or (settings.SLICE if window.length <= FINE else chunks.coarse(settings.SLICE))
    end = floor(now - settings.SETTLE, length)
    start = min(window.start(end), end - window.length)
    asked = repr((source.pk, source.url, source.headers, _normal(sli), length))
    return Question(blake2b(asked.encode(), digest_size=32).hexdigest(), sli, length, floor(start, length), end)


def load(asked: Question) -> Recorded:
    """What was read before. Where that is nearly up to now, its end takes the place of the question's."""
    rows = Recording.objects.filter(key=asked.key, end__gt=asked.start, end__lte=asked.end)
    found = Recorded(asked, [_piece(row) for row in rows])
    if found.pieces and asked.end - found.pieces[-1].end < max(FRESH, asked.length):
        found.question = Question(asked.key, asked.sli, asked.length, asked.start, found.pieces[-1].end)
    return found


def fill(recorded: Recorded, store: Store, now: datetime, patience: timedelta) -> None:
    """Read what is missing, the newest first, for about as long as `patience`. Raises `StoreError` and `ValueError`."""
    until = monotonic() + patience.total_seconds()
    for start, end in missing([(one.start, one.end) for one in recorded.pieces], recorded.question):
        _record(recorded, store, start, end, now)
        if monotonic() > until:
            return


def missing(known: Iterable[Interval], asked: Question) -> Iterator[Interval]:
    """What has to be read, in stretches of at most a unit of the common grid, the newest first."""
    reached: dict[datetime, datetime] = {}
    for start, end in known:
        cell = floor(start, asked.unit)
        reached[cell] = max(end, reached.get(cell, end))
    cell = floor(asked.end - asked.length, asked.unit)
    while cell + asked.unit > asked.start:
        begin, end = reached.get(cell, cell), min(cell + asked.unit, asked.end)
        if begin < end:
            yield begin, end
        cell -= asked.unit


def _record(recorded: Recorded, store: Store, start: datetime, end: datetime, now: datetime) -> None:
    asked = recorded.question
    chunk = Chunk(start, asked.length, (end - start) // asked.length)
    answer = reading.read(store, {0: asked.sli}, chunk)[0]
    if isinstance(answer, StoreError | ValueError):
        raise answer
    kept = _kept(answer, {group for piece in recorded.pieces for group in piece.groups})
    piece = Piece(start, end, {group: _packed(answer[group]) for group in kept}, len(answer) - len(kept))
    recorded.pieces = sorted([*recorded.pieces, piece], key=lambda one: one.start)
    row = Recording(key=asked.key, start=start, end=end, slices=_dumped(piece), fetched_at=now)
    # Somebody else may have read the same meanwhile.
    Recording.objects.bulk_create([row], ignore_conflicts=True)
    Recording.objects.filter(fetched_at__lt=now - KEPT).delete()


def _kept(answer: Mapping[Group, Sequence[Measured]], known: set[Group]) -> list[Group]:
    """The groups that were kept before, and then the busiest ones."""

    def weight(group: Group) -> tuple[bool, float]:
        return group not in known, -sum(one.total or 0.0 for one in answer[group])

    return sorted(answer, key=weight)[: max(MOST_GROUPS, len(known & answer.keys()))]


# -- As they are stored
def _packed(slices: Sequence[Measured]) -> dict[str, Any]:
    reason = next((one.reason for one in reversed(slices) if one.total is None), "")
    return {"bad": [one.bad for one in slices], "total": [one.total for one in slices], "reason": reason}


def _dumped(piece: Piece) -> bytes:
    groups = [one | {"group": group} for group, one in piece.groups.items()]
    return zlib.compress(orjson.dumps({"groups": groups, "others": piece.others}), 1)


def _piece(row: Recording) -> Piece:
    stored = orjson.loads(zlib.decompress(row.slices))
    groups = {tuple((name, value) for name, value in one["group"]): one for one in stored["groups"]}
    return Piece(row.start, row.end, groups, stored["others"])


def _tapes(pieces: Sequence[Piece], length: timedelta) -> dict[Group, Tape]:
    groups = dict.fromkeys(group for piece in pieces for group in piece.groups)
    return {group: _tape(group, pieces, length) for group in groups}


def _tape(group: Group, pieces: Sequence[Piece], length: timedelta) -> Tape:
    tape, seconds = Tape(pieces[0].start), length.total_seconds()
    for piece in pieces:
        count = (piece.end - piece.start) // length
        one = piece.groups.get(group) or {"bad": [None] * count, "total": [None] * count, "reason": _GONE}
        begin = (piece.start - tape.start).total_seconds()
        tape.ends.extend(begin + seconds * n for n in range(1, count + 1))
        tape.bad.extend(_numbers(one["bad"]))
        tape.total.extend(_numbers(one["total"]))
        tape.reason = one["reason"] or tape.reason
    return tape


_GONE = "No series of it was found."


def _numbers(values: Iterable[float | None]) -> "array[float]":
    return array("d", [nan if value is None else value for value in values])


def _normal(sli: Sli) -> tuple[object, ...]:
    """The SLI as text that does not depend on how its threshold was written."""
    threshold = None if sli.threshold is None else f"{sli.threshold.normalize():f}"
    return (
        sli.kind,
        (sli.metric, sli.matchers, sli.marks, sli.bad_metric, sli.bad_matchers, threshold),
        (sli.bad_expression, sli.total_expression, sli.expression, sli.comparison, sli.group_by),
    )
