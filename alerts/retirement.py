"""Alerts that nothing watches any more are resolved: of archived rules, objectives and flows, of changed counts."""

from collections.abc import Sequence, Set
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from alerts import transitions
from alerts.models import Alert, Transition
from slo.models import AlertRule, Objective

# A rule that was taken off is waited for so many slices, for another to take its place.
PATIENCE = 3


def retire_archived(now: datetime) -> None:
    """Resolve the firing alerts of objectives and flows that were archived: nothing else would."""
    _retire(Q(tier__objective__archived_at__isnull=False) | Q(tier__objective__flow__archived_at__isnull=False), now)


def retire_rules(objective_ids: Sequence[int], now: datetime) -> None:
    """Resolve the firing alerts of rules that were taken off.

    When a slice was evaluated since, so that a rule that replaces one joins its incident before it ends; without
    slices after a while.
    """
    long_ago = Q(tier__archived_at__lt=now - settings.SETTLE - PATIENCE * settings.SLICE)
    seen = Q(tier__objective__cursor__evaluated_until__gte=F("tier__archived_at")) | long_ago
    _retire(seen & Q(tier__objective__in=objective_ids, tier__archived_at__isnull=False), now)


def retire_groups(objective: Objective, groups: Set[str], now: datetime) -> None:
    """Resolve the firing alerts of groups that have no ledger any more, among them that of all before any was known."""
    for alert in _firing(Q(tier__objective=objective) & Q(group__in=groups)):
        resolve(alert, "Taken off: nothing is counted for this group any more", now)


def _retire(which: Q, now: datetime) -> None:
    for alert in _firing(which):
        resolve(alert, f"Taken off: {_what_was_archived(alert.tier)} was archived", now)


@transaction.atomic
def resolve(alert: Alert, reason: str, now: datetime) -> None:
    """End a firing alert by the clock, with what follows from that; nothing if another worker did."""
    changes = {
        "state": Alert.State.RESOLVED,
        "since": now,
        "reason": reason,
        "frozen_since": None,
        "calm_since": None,
        "silenced_since": None,
    }
    if Alert.objects.filter(pk=alert.pk, state=Alert.State.FIRING).update(**changes):
        move = Transition(
            alert=alert, at=now, old=Alert.State.FIRING, new=Alert.State.RESOLVED, numbers=alert.numbers, reason=reason
        )
        transitions.follow(move, now)


def _firing(which: Q) -> QuerySet[Alert]:
    return Alert.objects.firing().filter(which).select_related("tier__objective__flow")


def _what_was_archived(rule: AlertRule) -> str:
    if rule.archived_at:
        return "this tier" if rule.kind == AlertRule.Kind.BURN else "this rule"
    return "the objective" if rule.objective.archived_at else "the flow"
