"""Evaluates alerts over the ledger: every slice once and in order, whoever does it and however often it is asked."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any, cast

from django.conf import settings
from django.db import transaction
from django.db.models import Q

from alerts import incidents, timeline
from alerts.headline import clock
from alerts.models import Alert, Transition
from slo import instants, ledger, states
from slo.definitions import tier_of
from slo.models import AlertRule, Objective, Slice
from slo.states import AlertState, Reading
from slo.tiers import Tier
from slo.windows import Mark, Totals, difference

log = logging.getLogger(__name__)

# Slices that are read at once when many were missed.
BATCH = 200
# So many slices behind, a ledger is late and says nothing about now.
LATE = 3


class Overtaken(Exception):
    """Another worker evaluated these slices meanwhile."""


@dataclass(slots=True)
class Watch:
    """One alert on its way through the slices."""

    alert: Alert
    tier: Tier
    state: AlertState
    # Where the stored row stands; the conditional update asks for it.
    stored_until: datetime
    until: datetime
    reading: Reading | None = None
    reason: str = ""


def evaluate(objective_id: int, now: datetime) -> None:
    """Move the objective's alerts through every slice that they have not seen, then freeze them if the ledger is late.

    A new alert starts at the newest slice: nobody is woken for history.
    """
    objective = Objective.objects.active().select_related("flow").filter(pk=objective_id).first()
    if objective is None:
        return
    try:
        _walk(objective, _watches(objective, now), now)
    except Overtaken:
        log.info("Another worker evaluates objective %s.", objective_id)
        return
    if why := late(objective, now):
        _freeze(objective, why)
    retire(Q(tier__objective=objective, tier__archived_at__isnull=False), now)


def _watches(objective: Objective, now: datetime) -> list[Watch]:
    tiers = list(objective.tiers.filter(archived_at=None))
    start = instants.floor(now - settings.SETTLE - settings.SLICE, settings.SLICE)
    known = set(Alert.objects.filter(tier__in=tiers).values_list("tier_id", flat=True))
    new = [Alert(tier=tier, evaluated_until=start) for tier in tiers if tier.pk not in known]
    Alert.objects.bulk_create(new, ignore_conflicts=True)
    alerts = Alert.objects.filter(tier__in=tiers).select_related("tier__objective__flow").order_by("pk")
    return [_watch(alert, alert.evaluated_until or start) for alert in alerts]


def _watch(alert: Alert, until: datetime) -> Watch:
    state = AlertState(cast(states.State, alert.state), alert.since, alert.frozen_since, alert.calm_since)
    return Watch(alert, tier_of(alert.tier), state, until, until)


def _walk(objective: Objective, watches: Sequence[Watch], now: datetime) -> None:
    """Raises `Overtaken`."""
    if not watches:
        return
    start = min(watch.until for watch in watches)
    ends = Slice.objects.filter(objective=objective, end__gt=start).order_by("end").values_list("end", flat=True)
    for batch in batched(ends, BATCH, strict=False):
        marks = ledger.marks(objective, _edges(watches, batch))
        for at in batch:
            moved = [(watch, move) for watch in watches if (move := _step(objective, watch, marks, at))]
            if moved:
                _record(watches, moved, now)
        _record(watches, [], now)


def _edges(watches: Sequence[Watch], ends: Sequence[datetime]) -> Iterator[datetime]:
    for at in ends:
        yield at
        for watch in watches:
            yield at - watch.tier.long
            yield at - watch.tier.short


def _step(
    objective: Objective, watch: Watch, marks: dict[datetime, Mark | None], at: datetime
) -> states.Transition | None:
    """Show one slice to one alert; answers how it moved, if it did."""
    if at <= watch.until:
        return None
    tier, old = watch.tier, watch.state.state
    long, short = (difference(marks[at - span], marks[at], span) for span in (tier.long, tier.short))
    reading = states.read(long, short, tier, objective.target, objective.window)
    watch.state, watch.reason = states.decide(watch.state, tier, reading, at)
    watch.until, watch.reading = at, reading
    new = watch.state.state
    return None if new == old else states.Transition(at, old, new, watch.reason, reading)


@transaction.atomic
def _record(watches: Sequence[Watch], moved: Sequence[tuple[Watch, states.Transition]], now: datetime) -> None:
    """Store where the alerts stand, and what follows from those that moved, all or nothing. Raises `Overtaken`."""
    for watch in watches:
        if watch.reading is None or watch.until == watch.stored_until:
            continue
        row = Alert.objects.filter(pk=watch.alert.pk, evaluated_until=watch.stored_until)
        if not row.update(**_columns(watch, watch.reading)):
            raise Overtaken
        watch.stored_until = watch.until
    for watch, move in moved:
        _transit(watch.alert, move.old, move.new, move.reason, numbers_of(move.reading), move.at, now)


def _columns(watch: Watch, reading: Reading) -> dict[str, Any]:
    return {
        "state": watch.state.state,
        "since": watch.state.since,
        "frozen_since": watch.state.frozen_since,
        "calm_since": watch.state.calm_since,
        "evaluated_until": watch.until,
        "numbers": numbers_of(reading),
        "reason": watch.reason[:300],
    }


def _transit(
    alert: Alert, old: str, new: str, reason: str, numbers: dict[str, Any], at: datetime, now: datetime
) -> None:
    transition = Transition.objects.create(alert=alert, at=at, old=old, new=new, numbers=numbers, reason=reason[:300])
    incident = incidents.follow(transition, now)
    log.info("%s: %s → %s at %s (%s), %s", alert.tier, old, new, at, incident, reason)


def numbers_of(reading: Reading) -> dict[str, Any]:
    """A reading as it is stored with alerts and transitions; lengths in seconds, burn rates as multiples.

    `{"long": {"bad", "total", "coverage", "seconds"}, "short": {…}, "burn_long", "burn_short", "bound", "factor"}`;
    `bound` is the burn rate over the long window that is at least certain.
    """
    return {
        "long": _counts(reading.long),
        "short": _counts(reading.short),
        "burn_long": reading.burn_long,
        "burn_short": reading.burn_short,
        "bound": reading.bound,
        "factor": float(reading.factor),
    }


def _counts(totals: Totals) -> dict[str, float]:
    return {
        "bad": totals.bad,
        "total": totals.total,
        "coverage": totals.coverage,
        "seconds": totals.span.total_seconds(),
    }


# -- A ledger that is late
def late(objective: Objective, now: datetime) -> str:
    """Why the ledger says nothing about now, as a sentence; empty when it does."""
    until = objective.measured_until
    if until is not None and until >= now - settings.SETTLE - LATE * settings.SLICE:
        return ""
    if objective.last_error:
        since = f"since {clock(until)}" if until else "yet"
        return f"Frozen: nothing measured {since}. {objective.last_error}"
    return f"Frozen: measured until {clock(until)} only" if until else "Frozen: nothing measured yet"


def _freeze(objective: Objective, why: str) -> None:
    """Say that the alerts know nothing; their state stays.

    When the missing slices arrive they are evaluated as if they had come in time, so nothing else is touched.
    """
    alerts = Alert.objects.filter(tier__objective=objective, tier__archived_at=None)
    for alert in alerts.exclude(reason=why[:300]).select_related("tier", "incident"):
        # Not when another worker has seen newer slices meanwhile.
        row = Alert.objects.filter(pk=alert.pk, evaluated_until=alert.evaluated_until)
        since = alert.frozen_since or objective.measured_until or objective.created_at
        if row.update(frozen_since=since, reason=why[:300]) and alert.state == Alert.State.FIRING and alert.incident:
            timeline.froze(alert.incident, alert, since, why)


# -- What is no longer watched
def retire_archived(now: datetime) -> None:
    """Resolve the firing alerts of objectives and flows that were archived: nothing else would."""
    retire(Q(tier__objective__archived_at__isnull=False) | Q(tier__objective__flow__archived_at__isnull=False), now)


def retire(which: Q, now: datetime) -> None:
    firing = Alert.objects.filter(which, state=Alert.State.FIRING).select_related("tier__objective__flow")
    for alert in firing:
        _retire(alert, now)


@transaction.atomic
def _retire(alert: Alert, now: datetime) -> None:
    reason = f"Taken off: {_what_was_archived(alert.tier)} was archived"
    changes = {"state": Alert.State.RESOLVED, "since": now, "reason": reason, "frozen_since": None, "calm_since": None}
    if Alert.objects.filter(pk=alert.pk, state=Alert.State.FIRING).update(**changes):
        _transit(alert, Alert.State.FIRING, Alert.State.RESOLVED, reason, alert.numbers, now, now)


def _what_was_archived(tier: AlertRule) -> str:
    if tier.archived_at:
        return "this tier"
    return "the objective" if tier.objective.archived_at else "the flow"
