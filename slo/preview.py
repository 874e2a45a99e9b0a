"""What a drafted objective would have done: its counts, its budget and its alerts over the window until now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from slo import tiers
from slo.backtest import ask
from slo.budget import Budget
from slo.chunks import Chunk
from slo.counting import Sli
from slo.definition import Definition
from slo.history import History
from slo.instants import floor, round_step
from slo.periods import Window
from slo.reading import Store
from slo.replay import Event, replay
from slo.slices import Measured
from slo.tiers import Tier
from slo.windows import Mark, difference

# Enough for a chart and for long windows, few enough to answer while somebody types.
POINTS = 720


@dataclass(frozen=True, slots=True)
class Episode:
    """One time an alert would have fired; `until` is `None` if it still did at the end."""

    since: datetime
    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class TierPreview:
    tier: Tier
    # Why the tier makes no sense for this objective, or None.
    problem: str | None
    # How long a complete outage takes to fire it; None: never.
    detection: timedelta | None
    episodes: tuple[Episode, ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """A draft over its window. `budget.totals` has the counts and the coverage."""

    budget: Budget
    # In order; each `step` long.
    slices: tuple[Measured, ...]
    step: timedelta
    # The share of the budget left at the end of each slice, as the window filled: 1 at its start, for a line.
    left: tuple[tuple[datetime, float | None], ...]
    tiers: tuple[TierPreview, ...]

    @property
    def unmeasured_because(self) -> str:
        """Why the last slice without counts has none; empty when all were measured."""
        return next((one.reason for one in reversed(self.slices) if one.total is None), "")


def preview(
    sli: Sli, target: Decimal, window: timedelta, chosen: Sequence[Tier], store: Store, at: datetime
) -> Preview:
    """Ask the store once, in coarse steps, and replay the alerts over the answer. Raises `StoreError`.

    Alerts are judged at the end of each step, and windows shorter than a step as if they were one: what comes and
    goes within a step may be missed.
    """
    step = round_step(window, POINTS, settings.SLICE)
    chunk = Chunk(floor(at, step) - step * (window // step), step, window // step)
    draft = Definition("", sli, target, Window(window), tiers=tuple(chosen), budget_alerts=(), no_data=None)
    slices = ask(store, draft, chunk)[()]
    history = History.of(slices)
    marks = history.marks[1:]
    events = replay(draft, history, chunk.start, chunk.end)
    budget = Budget(difference(None, marks[-1], window), target, window)
    return Preview(
        budget,
        tuple(slices),
        step,
        tuple((mark.at, _left(mark, marks[-1], target, window)) for mark in marks),
        tuple(_tier(one, [event for event in events if event.rule == one], target, window) for one in chosen),
    )


def _tier(tier: Tier, events: Sequence[Event], target: Decimal, window: timedelta) -> TierPreview:
    return TierPreview(
        tier,
        tiers.problem(tier, window, target),
        tiers.detection_time(tier, window, target, 1),
        _episodes(events),
    )


def _episodes(transitions: Sequence[Event]) -> tuple[Episode, ...]:
    """Transitions alternate: it fires, it resolves, it fires …"""
    ends = [change.at for change in transitions if change.new == "resolved"]
    starts = [change for change in transitions if change.new == "firing"]
    return tuple(Episode(fired.at, ends[n] if n < len(ends) else None, fired.reason) for n, fired in enumerate(starts))


def _left(mark: Mark, last: Mark, target: Decimal, window: timedelta) -> float | None:
    """What is left of the whole window's budget after the bad events so far."""
    if not mark.measured:
        return None
    if not last.total:
        return 1.0
    return float(1 - Decimal(mark.bad) / (Decimal(last.total) * (1 - target)))
