"""A draft tried out on what was recorded for it: its budget, its alerts, and how these differ from what is saved."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

import numpy as np

from dashboards import objective_charts
from dashboards.objective_charts import Picture
from dashboards.objective_draft import Draft, differences
from slo import episodes, groups, ledger, maintenance, outcome, spending, suggestion
from slo.budget import Budget
from slo.definition import Definition
from slo.definitions import definition_of, restarts
from slo.episodes import Compared, Episode
from slo.groups import Group
from slo.history import History
from slo.instants import floor
from slo.models import Flow, Objective
from slo.outcome import Outcome
from slo.periods import Interval
from slo.recordings import Recorded
from slo.replay import replay
from slo.suggestion import Suggestion
from slo.tape import Tape
from slo.windows import ZERO, Totals

# Of several groups only the worst are replayed: each takes some tenths of a second, and somebody is typing.
MOST_REPLAYED = 3
POINTS = 300


@dataclass(frozen=True, slots=True)
class GroupLeft:
    """What is left of one group's budget."""

    group: Group
    left: float | None
    totals: Totals

    @property
    def name(self) -> str:
        return groups.text(self.group)


@dataclass(frozen=True, slots=True)
class Line:
    """Where on the chart an alert began, 0…1 from the left."""

    place: float
    severity: str


@dataclass(frozen=True, slots=True)
class Saved:
    """The objective as it is saved, over the same time. `left` is `None` where nothing was measured."""

    left: float | None
    episodes: list[Episode]
    gone: list[Episode] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Trial:
    """The draft from `start` to `end`. Figures and picture are of the worst group, if there are several."""

    definition: Definition
    start: datetime
    end: datetime
    budget: Budget
    picture: Picture | None
    lines: list[Line]
    # Those that were replayed; a ticket beside a page is among them.
    fired: list[Compared]
    saved: Saved | None
    suggestion: Suggestion | None
    # The worst first.
    groups: list[GroupLeft]
    reason: str

    @property
    def span(self) -> timedelta:
        """How much of the past it covers, in whole hours or days if that is several."""
        length = min(self.end - self.start, self.definition.window.length)
        for unit in (timedelta(days=1), timedelta(hours=1)):
            if length >= 2 * unit:
                return length - length % unit
        return length

    @property
    def achieved(self) -> float | None:
        ratio = self.budget.totals.ratio
        return None if ratio is None else 1 - ratio

    @property
    def unmeasured(self) -> timedelta:
        return max(ZERO, self.budget.totals.span - self.budget.totals.measured)

    @property
    def all_bad(self) -> bool:
        """More often than an outage that means that the matchers or the limit miss."""
        return bool(self.budget.totals.total) and self.budget.totals.bad == self.budget.totals.total

    @property
    def counts_slices(self) -> bool:
        return outcome.judges_time(self.definition)

    @property
    def pages(self) -> int:
        return sum(one.severity == "page" for one in self._told)

    @property
    def tickets(self) -> int:
        return sum(one.severity == "ticket" for one in self._told)

    @property
    def notices(self) -> int:
        """Budget and no-data alerts."""
        return len(self.fired) - len(episodes.told(one.episode for one in self.fired)) - self.silenced

    @property
    def silenced(self) -> int:
        return sum(one.episode.silenced for one in self.fired)

    @property
    def _told(self) -> list[Episode]:
        return episodes.told(one.episode for one in self.fired)


def trial(draft: Draft, flow: Flow, objective: Objective | None, recorded: Recorded) -> Trial | None:
    """`None` while nothing is recorded."""
    definition = draft.definition
    tapes = recorded.tapes(definition.budgeting)
    if not tapes:
        return None
    first = next(iter(tapes.values()))
    start, end = max(first.start, recorded.question.start), first.end
    excluded = maintenance.intervals(objective or Objective(flow=flow), start, end)
    ranked = _ranked(definition, tapes, excluded, end)
    # Made once, for the draft, for what is saved and for the picture: of a month of minutes it takes a while.
    histories = {one.group: tapes[one.group].history(excluded) for one in ranked[:MOST_REPLAYED]}
    found = [
        outcome.outcome(definition, group, tapes[group], excluded, (start, end), history)
        for group, history in histories.items()
    ]
    worst, history = found[0], histories[found[0].group]
    fired = [episode for one in found for episode in episodes.episodes(one.events, one.group)]
    saved = _saved(draft, objective, found, histories, (start, end)) if objective else None
    pairs, gone = episodes.compared(fired, saved.episodes) if saved else ([Compared(one, None) for one in fired], [])
    # What was not read yet is not unmeasured.
    window = history.between(max(definition.window.start(end), start), end)
    return Trial(
        definition,
        start,
        end,
        outcome.budget(definition, window, end),
        _picture(definition, history, start, end),
        _lines(fired, worst.group, start, end),
        sorted(pairs, key=lambda one: one.episode.since, reverse=True),
        Saved(saved.left, saved.episodes, gone) if saved else None,
        suggestion.suggest(window, definition.target) if recorded.complete else None,
        ranked,
        worst.tape.reason,
    )


# -- Which group
def _ranked(
    definition: Definition, tapes: dict[Group, Tape], excluded: Sequence[Interval], end: datetime
) -> list[GroupLeft]:
    found = [_left(definition, group, tape, excluded, end) for group, tape in tapes.items()]
    return sorted(found, key=lambda one: (one.left is None, one.left or 0.0, one.group))


def _left(definition: Definition, group: Group, tape: Tape, excluded: Sequence[Interval], end: datetime) -> GroupLeft:
    """The same budget as an outcome's, by sums instead of a history."""
    ends, bad, total = np.array(tape.ends), np.array(tape.bad), np.array(tape.total)
    begins = np.concatenate(([0.0], ends[:-1]))
    counts = begins >= (definition.window.start(end) - tape.start).total_seconds()
    out = np.zeros(len(ends), dtype=bool)
    for left, right in excluded:
        out |= (ends > (left - tape.start).total_seconds()) & (begins < (right - tape.start).total_seconds())
    known, lengths = counts & ~out & ~np.isnan(total), ends - begins
    totals = Totals(
        float(bad[known].sum()),
        float(total[known].sum()),
        timedelta(seconds=float(lengths[known].sum())),
        timedelta(seconds=float(lengths[counts & ~out].sum())),
        timedelta(seconds=float(lengths[counts & out].sum())),
    )
    return GroupLeft(group, outcome.budget(definition, totals, end).left, totals)


# -- Beside what is saved
def _saved(
    draft: Draft,
    objective: Objective,
    found: Sequence[Outcome],
    histories: Mapping[Group, History],
    stretch: Interval,
) -> Saved | None:
    """What the saved rules make of the same slices; of what was measured, where the draft counts something else."""
    saved = definition_of(objective)
    if not differences(draft, objective):
        return None
    if objective.source_id == draft.source.pk and not restarts(saved, draft.definition):
        done = [
            outcome.outcome(saved, one.group, one.tape, one.excluded, stretch, histories[one.group]) for one in found
        ]
        events = [episode for one in done for episode in episodes.episodes(one.events, one.group)]
        return Saved(done[0].remaining, events)
    return _measured(saved, objective, [one.group for one in found], stretch)


def _measured(saved: Definition, objective: Objective, wanted: Iterable[Group], stretch: Interval) -> Saved | None:
    start, end = stretch
    books = [(group, book) for group in wanted if (book := ledger.book(objective, groups.text(group)))]
    if not books:
        return None
    events: list[Episode] = []
    for group, book in books:
        begin = max(start, book.begins or start)
        if begin < end:
            history = ledger.history(book, begin, end)
            events += episodes.episodes(replay(saved, history, begin, end), group)
    return Saved(ledger.budget(books[0][1], end).left, events)


# -- The picture
def _picture(definition: Definition, history: History, start: datetime, end: datetime) -> Picture | None:
    edges = _edges(start, end)
    windows = [(right, history.between(left, right)) for left, right in pairwise(edges)]
    gaps = objective_charts.unmeasured(
        (left, right, bool(one.measured)) for (left, right), (_, one) in zip(pairwise(edges), windows, strict=True)
    )
    if definition.window.calendar:
        points = _periods(definition, history, [at for at, one in windows if one.measured])
        line = [(at, points.get(at)) for at, _ in windows]
    else:
        allowed = outcome.budget(definition, history.between(start, end), end).allowed
        line = objective_charts.burn_down([(at, one.bad, bool(one.measured)) for at, one in windows], allowed)
    return objective_charts.picture(line, edges[1] - edges[0], gaps)


def _periods(definition: Definition, history: History, instants: Iterable[datetime]) -> dict[datetime, float | None]:
    """What was left of the budget of the calendar period at each instant: whole again when a new one begins."""
    found: dict[datetime, float | None] = {}
    for at in instants:
        totals = history.between(definition.window.start(at), at)
        share = spending.read(totals, definition.target, definition.window, at).share
        found[at] = None if share is None else 1 - share
    return found


def _edges(start: datetime, end: datetime) -> list[datetime]:
    """At most `POINTS` equal stretches that end at `end`, none shorter than a minute."""
    count = max(1, min(POINTS, (end - start) // timedelta(minutes=1)))
    step = (end - start) / count
    return [start, *(floor(start + n * step, timedelta(seconds=1)) for n in range(1, count)), end]


def _lines(fired: Iterable[Episode], group: Group, start: datetime, end: datetime) -> list[Line]:
    mine = [one for one in episodes.told(fired) if one.group == group and start <= one.since <= end]
    return [Line((one.since - start) / (end - start), one.severity) for one in mine]
