"""What the slices of one group add up to: counts, what is left of the budget, and what its alerts would have done."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from slo.budget import Budget
from slo.definition import Definition
from slo.groups import Group
from slo.history import History
from slo.periods import Interval
from slo.replay import Event, replay
from slo.tape import Tape
from slo.windows import Totals


@dataclass(frozen=True, slots=True)
class Outcome:
    """One group of an objective, from the first to the last slice of a backtest."""

    group: Group
    tape: Tape
    # As it was declared.
    excluded: tuple[Interval, ...]
    # Everything that counts from start to end.
    totals: Totals
    # The share of the budget that is left in the objective's window at the end; `None` where nothing was measured.
    remaining: float | None
    events: tuple[Event, ...]

    @property
    def unmeasured(self) -> timedelta:
        return self.totals.span - self.totals.measured


def outcome(
    definition: Definition,
    group: Group,
    tape: Tape,
    excluded: Iterable[Interval] = (),
    stretch: Interval | None = None,
    history: History | None = None,
) -> Outcome:
    """Counts, budget and alerts of one group over a stretch; over all of its slices if not told.

    `history` is the tape's with `excluded`, for who has it at hand. It is not kept: of hundreds of groups it would be
    far more than the tapes.
    """
    excluded = tuple(excluded)
    history = history or tape.history(excluded)
    start, end = stretch or (tape.start, tape.end)
    window = history.between(definition.window.start(end), end)
    return Outcome(
        group,
        tape,
        excluded,
        history.between(start, end),
        budget(definition, window, end).left,
        tuple(replay(definition, history, start, end)),
    )


def judges_time(definition: Definition) -> bool:
    """Whether time slices are good or bad, rather than events."""
    return definition.sli.by_time or definition.budgeting.method == "timeslices"


def budget(definition: Definition, window: Totals, at: datetime) -> Budget:
    """As the ledger has it: how many time slices a calendar period will have is known ahead."""
    expected = None
    if definition.window.calendar and judges_time(definition) and window.measured:
        expected = window.total * ((definition.window.span(at) - window.excluded) / window.measured)
    return Budget(window, definition.target, definition.window.length, expected)
