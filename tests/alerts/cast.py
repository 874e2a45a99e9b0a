"""What tests of alerts share: a flow that fails from a moment on, and the clock that goes with it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from alerts import evaluation
from alerts.models import Alert, Channel, Incident
from slo.judgement import Rule
from slo.models import Objective
from tests.make import DAY, HOUR, MINUTE, NOON, Counts, make_flow, make_objective, make_slices, tier

# Requests of one minute.
GOOD: Counts = (0, 100)
BAD: Counts = (100, 100)
PAGE = tier()
TICKET = tier("ticket", long=DAY, short=2 * HOUR, budget_share="0.1")


def watched(called: str = "Checkout", rules: Sequence[Rule] = (PAGE,), hours: int = 2, **fields: Any) -> Objective:
    """An objective (99.9 % over 30 days) whose ledger has `hours` of good requests and ends at noon, and its alerts."""
    flow = fields.pop("flow", None) or make_flow(called)
    objective = make_objective(flow=flow, tiers=rules, **fields)
    if hours:
        make_slices(objective, NOON - hours * HOUR, [GOOD] * 60 * hours)
    evaluation.evaluate([objective.pk], now=NOON + 10 * SECOND)
    return objective


SECOND = timedelta(seconds=1)


def go_on(objective: Objective, counts: Sequence[Counts]) -> datetime:
    """One more minute for each of `counts`, each evaluated as soon as it is measured; the end of the last one."""
    at = objective.measured_until
    assert at is not None
    for one in counts:
        at = make_slices(objective, at, [one])
        evaluation.evaluate([objective.pk], now=at + 12 * SECOND)
    return at


def alert_of(objective: Objective, severity: str = "page", group: str = "", kind: str = "burn") -> Alert:
    """The alert of the objective's rule of this severity; one that was never written is inactive."""
    rule = objective.rules.get(severity=severity, kind=kind, archived_at=None)
    return Alert.objects.filter(tier=rule, group=group).first() or Alert(tier=rule, group=group)


def the_incident() -> Incident:
    return Incident.objects.get()


def make_channel(name: str = "chat", kind: str = "webhook", **config: Any) -> Channel:
    return Channel.objects.create(name=name, kind=kind, config=config or {"url": "http://127.0.0.1:9/hook"})


__all__ = ["MINUTE", "NOON", "alert_of", "go_on", "make_channel", "the_incident", "watched"]
