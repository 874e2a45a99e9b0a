"""What an objective would have counted and told over a stretch of a store's history."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from slo import answers, groups, reading, verdicts
from slo.chunks import Chunk
from slo.definition import Definition
from slo.groups import Group
from slo.outcome import Outcome, judges_time, outcome
from slo.periods import Interval
from slo.reading import Store
from slo.slices import Measured
from slo.tape import Tape

# What is asked for at once: enough to make few queries, little enough to hold.
STRETCH = timedelta(days=1)
MOST_SLICES = 1_500

type Tapes = dict[Group, Tape]


@dataclass(frozen=True, slots=True)
class Backtest:
    definition: Definition
    start: datetime
    end: datetime
    groups: tuple[Outcome, ...]
    # A sentence when there were more groups than are kept.
    overflow: str = ""

    @property
    def unmeasured(self) -> str:
        """Why nothing at all was measured; empty if anything was."""
        if any(one.totals.measured or one.totals.excluded for one in self.groups):
            return ""
        reasons = (one.tape.reason for one in self.groups if one.tape.reason)
        return next(reasons, answers.nothing_counted(self.definition.sli))


def backtest(
    definition: Definition,
    store: Store,
    start: datetime,
    end: datetime,
    slice: timedelta,
    progress: Callable[[int, int], None] | None = None,
    excluded: Sequence[Interval] = (),
) -> Backtest:
    """Count `start` to `end` in slices, and replay all rules over them.

    The store is asked chunk by chunk, and after each one `progress` is told how many of how many were done. What is
    held grows with slices times groups, 24 bytes each; no more groups are kept than in a ledger. Raises `StoreError`,
    and `ValueError` for an SLI that cannot be counted or a stretch shorter than a slice.
    """
    tapes: Tapes = {}
    left_out = set[Group]()
    due = chunks(definition, start, end, slice)
    for done, chunk in enumerate(due, 1):
        answer = ask(store, definition, chunk)
        left_out.update(groups.without_room(answer, tapes, settings.MOST_GROUPS - len(tapes)))
        collect(tapes, definition, {group: answer[group] for group in answer.keys() - left_out}, chunk)
        if progress:
            progress(done, len(due))
    return Backtest(
        definition,
        start,
        due[-1].end,
        tuple(
            outcome(definition, group, tape, excluded, (start, due[-1].end)) for group, tape in sorted(tapes.items())
        ),
        groups.overflow(len(tapes) + len(left_out), settings.MOST_GROUPS),
    )


def chunks(definition: Definition, start: datetime, end: datetime, slice: timedelta) -> list[Chunk]:
    """What has to be asked for, in order. Time slices that are judged have the length that the definition says.

    A rest at the end that is shorter than a slice is counted as one, unless time slices are judged. Raises
    `ValueError` for less than a slice.
    """
    length = length_of(definition, slice)
    count, rest = divmod(end - start, length)
    if count < 1:
        raise ValueError("The end must be at least one slice after the start.")
    most = max(1, min(MOST_SLICES, STRETCH // length))
    found = [Chunk(start + n * length, length, min(most, count - n)) for n in range(0, count, most)]
    if rest and not judges_time(definition):
        found.append(Chunk(start + count * length, rest, 1))
    return found


def length_of(definition: Definition, slice: timedelta) -> timedelta:
    """How long the slices of a backtest are: as asked for, or as the definition judges them."""
    return definition.budgeting.length or slice


def ask(store: Store, definition: Definition, chunk: Chunk) -> Mapping[Group, Sequence[Measured]]:
    """The slices of one chunk by group. Raises `StoreError` and `ValueError`."""
    answer = reading.read(store, {definition.name: definition.sli}, chunk)[definition.name]
    if isinstance(answer, Exception):
        raise answer
    return {group: verdicts.judged(definition.budgeting, slices) for group, slices in answer.items()}


def collect(tapes: Tapes, definition: Definition, answer: Mapping[Group, Sequence[Measured]], chunk: Chunk) -> None:
    """Append the answer for `chunk`. A group that it does not have, but an earlier one had, is unmeasured.

    So is an objective without groups of which nothing was found.
    """
    known = tapes.keys() | ({()} if not definition.sli.group_by else set())
    for group in known - answer.keys():
        tapes.setdefault(group, Tape(chunk.start)).pad(chunk.end, chunk.length, "No series of it was found.")
    for group, slices in answer.items():
        tapes.setdefault(group, Tape(chunk.start)).extend(slices)
