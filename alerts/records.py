"""Stores what alerts did: all of one objective's or nothing, and by one worker only."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from alerts import transitions
from alerts.models import Alert, Cursor, Transition
from alerts.numbers import numbers_of
from alerts.watches import Watch
from slo.judgement import Judged
from slo.models import AlertRule

log = logging.getLogger(__name__)


class Overtaken(Exception):
    """Another worker moved the objective's cursor or alerts since they were read."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a rule said of a group at the end of a slice."""

    at: datetime
    group: str
    judged: Judged

    @property
    def key(self) -> tuple[Any, str]:
        return self.judged.rule, self.group


def advance(seen: Iterable[tuple[Watch, datetime]]) -> None:
    """Note that nothing happened up to these instants: one query for all objectives that were at the same one."""
    together = defaultdict[tuple[int, datetime, datetime], list[Watch]](list)
    for watch, until in seen:
        together[watch.objective.generation, watch.seen_until, until].append(watch)
    for (generation, before, until), watches in together.items():
        ids = [watch.objective.pk for watch in watches]
        mine = Cursor.objects.filter(objective__in=ids, generation=generation, evaluated_until=before)
        all_mine = mine.update(evaluated_until=until) == len(ids)
        for watch in watches:
            # Which of them was moved by another worker is not known, and nothing is lost by leaving all alone.
            watch.seen_until, watch.overtaken = until, not all_mine


def store(watch: Watch, until: datetime, judgements: Sequence[Judgement], now: datetime) -> None:
    """Move the objective's cursor and store what its alerts did on the way, with what follows from that.

    Nothing is stored when another worker moved the cursor or an alert meanwhile: the watch is overtaken then.
    """
    try:
        with transaction.atomic():
            _claim(watch, until)
            for one in sorted(judgements, key=_order):
                keep(watch, one, now)
    except Overtaken:
        log.info("Another worker evaluates objective %s.", watch.objective.pk)
        watch.overtaken = True
    else:
        watch.seen_until = until


def _claim(watch: Watch, until: datetime) -> None:
    """Raises `Overtaken`."""
    objective = watch.objective
    mine = Cursor.objects.filter(objective=objective, generation=objective.generation, evaluated_until=watch.seen_until)
    if not mine.update(evaluated_until=until):
        raise Overtaken
    # What fires by the clock, or ends because nothing watches it any more, does not move the cursor.
    firing = (
        Alert.objects.firing().filter(tier__objective=objective, tier__archived_at=None).select_for_update(of=("self",))
    )
    if {alert.pk for alert in firing} != {alert.pk for alert in watch.firing.values()}:
        raise Overtaken


def keep(watch: Watch, one: Judgement, now: datetime) -> None:
    """Write the alert's row, and its transition with what follows, within the caller's transaction."""
    alert = watch.firing.get(one.key) or _row(watch, one)
    old = alert.state
    for name, value in _columns(one.judged).items():
        setattr(alert, name, value)
    alert.save(update_fields=_WRITTEN)
    if one.judged.state.state == "firing":
        watch.firing[one.key] = alert
    else:
        watch.firing.pop(one.key, None)
    if one.judged.moved:
        transitions.follow(_transition(alert, old, one), now)


def _order(one: Judgement) -> tuple[datetime, bool, str, float]:
    """What fires before what ends, so that an incident goes on; pages before tickets, the larger share first."""
    state, rule = one.judged.state.state, one.judged.rule
    return one.at, state != "firing", rule.severity, -float(getattr(rule, "spent", 0))


def _row(watch: Watch, one: Judgement) -> Alert:
    rule = AlertRule.objects.select_related("objective__flow").get(pk=watch.rows[one.judged.rule])
    alert, _created = Alert.objects.get_or_create(tier=rule, group=one.group)
    alert.tier = rule
    return alert


_WRITTEN = ("state", "since", "frozen_since", "calm_since", "silenced_since", "numbers", "reason")


def _columns(judged: Judged) -> dict[str, Any]:
    state = judged.state
    return {
        "state": state.state,
        "since": state.since,
        "frozen_since": state.frozen_since,
        "calm_since": state.calm_since,
        "silenced_since": state.silenced_since,
        "numbers": numbers_of(judged.reading),
        "reason": judged.reason[:300],
    }


def _transition(alert: Alert, old: str, one: Judgement) -> Transition:
    return Transition(alert=alert, at=one.at, old=old, new=alert.state, numbers=alert.numbers, reason=alert.reason)
