"""Ledgers that are late: what fires is frozen, and after a while the no-data alert fires by the clock."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from django.conf import settings
from django.db import transaction

from alerts import records, timeline
from alerts.headline import clock
from alerts.models import Alert, Cursor, Transition
from alerts.records import Judgement
from alerts.watches import Watch, slice_of
from slo import judgement, ledger
from slo.history import History
from slo.models import AlertRule, Objective

# So many slices behind, a ledger is late and says nothing about now.
LATE = 3


def late(objective: Objective, now: datetime) -> str:
    """Why the ledger says nothing about now, as a sentence; empty when it does."""
    until = objective.measured_until
    if until is not None and until >= now - settings.SETTLE - LATE * slice_of(objective):
        return ""
    if objective.last_error:
        since = f"since {clock(until)}" if until else "yet"
        return f"Frozen: nothing measured {since}. {objective.last_error}"
    return f"Frozen: measured until {clock(until)} only" if until else "Frozen: nothing measured yet"


def tell(watched: Sequence[Watch], now: datetime) -> None:
    """Freeze what fires on those ledgers that are late, and say so by their no-data alerts when it lasts."""
    for watch in watched:
        if not (why := late(watch.objective, now)):
            continue
        for alert in list(watch.firing.values()):
            if alert.tier.kind == AlertRule.Kind.BURN and alert.reason != why[:300]:
                _freeze(watch, alert, why)
        _notice(watch, now)


def _freeze(watch: Watch, alert: Alert, why: str) -> None:
    """Say that a firing alert knows nothing; its state stays.

    When the missing slices arrive they are evaluated as if they had come in time, so nothing else is touched.
    """
    since = alert.frozen_since or watch.objective.measured_until or watch.objective.created_at
    # Not when another worker has seen newer slices meanwhile.
    mine = Alert.objects.firing().filter(
        pk=alert.pk, reason=alert.reason, tier__objective__cursor__evaluated_until=watch.seen_until
    )
    if not mine.update(frozen_since=since, reason=why[:300]):
        return
    alert.frozen_since, alert.reason = since, why[:300]
    if alert.incident:
        timeline.froze(alert.incident, alert, since, why)


def _notice(watch: Watch, now: datetime) -> None:
    """Fire the no-data alert of an objective whose slices do not come at all: no slice will ever ask it to."""
    rule = watch.definition.no_data
    if rule is None:
        return
    since = watch.objective.measured_until or watch.objective.created_at
    at = since + rule.after
    silent = {book.group for book in watch.books} or {""}
    silent -= {group for known, group in watch.firing if known == rule}
    if at > now or not silent:
        return
    only = replace(watch.definition, tiers=(), budget_alerts=())
    for group, history in _histories(watch, at).items():
        if group not in silent:
            continue
        for judged in judgement.step(only, history, at, {}):
            if judged.state.state == "firing":
                _fire(watch, Judgement(at, group, judged), now)


def _histories(watch: Watch, at: datetime) -> dict[str, History]:
    if not watch.books:
        return {"": History((), (), watch.objective.created_at)}
    found = ledger.histories(watch.books, judgement.instants(watch.definition, at))
    return {book.group: found[book.pk] for book in watch.books}


@transaction.atomic
def _fire(watch: Watch, one: Judgement, now: datetime) -> None:
    rule = watch.rows[one.judged.rule]
    # Once, and not when somebody has seen newer slices meanwhile.
    mine = Cursor.objects.select_for_update().filter(objective=watch.objective, evaluated_until=watch.seen_until)
    known = Transition.objects.filter(alert__tier=rule, alert__group=one.group, at__gte=one.at)
    if mine.exists() and not known.exists():
        records.keep(watch, one, now)
