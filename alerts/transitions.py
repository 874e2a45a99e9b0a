"""Transitions: recorded within the transaction that moved an alert, and the only cause of anything that follows."""

import logging
from datetime import datetime

from alerts import incidents, notices
from alerts.models import Transition
from slo.models import AlertRule

log = logging.getLogger(__name__)


def follow(move: Transition, now: datetime) -> None:
    """Record a transition and do what it asks for: burning makes incidents, budget and no-data rules only speak."""
    move.save(force_insert=True)
    rule = move.alert.tier
    if rule.kind == AlertRule.Kind.BURN:
        incidents.follow(move, now)
    else:
        notices.follow(move, now)
    log.info("%s%s: %s → %s at %s, %s", rule, move.alert.group, move.old, move.new, move.at, move.reason)
