"""Meters: how fast each tier's two windows burn against its factor, on a log scale from a tenth to a full outage."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import cast

from alerts.models import Alert
from slo import judgement, ledger, wording
from slo.definition import Definition
from slo.definitions import definition_of, rule_of
from slo.history import History
from slo.judgement import Rule
from slo.models import AlertRule, Ledger
from slo.states import AlertState, Reading, State

# The scale's left end; slower burns have no length.
LEAST = 0.1


@dataclass(frozen=True, slots=True)
class RuleStanding:
    """One alert rule of one group: its state, and the sentence that says why."""

    row: AlertRule
    rule: Rule
    state: str
    since: datetime | None
    frozen_since: datetime | None
    silenced_since: datetime | None
    reason: str
    reading: judgement.Seen

    @property
    def firing(self) -> bool:
        return self.state == Alert.State.FIRING

    @property
    def silenced(self) -> bool:
        """Whether a page of the same group fires beside this ticket, which then tells nobody."""
        return self.silenced_since is not None


@dataclass(frozen=True, slots=True)
class Meter:
    """A tier as of its last reading; burn rates are multiples, `None` where nothing was measured."""

    standing: RuleStanding
    # Named when the meter stands among those of another objective.
    objective: str
    reading: Reading
    # The burn rate of a complete outage: the scale's right end.
    most: float

    @property
    def tier(self) -> AlertRule:
        return self.standing.row

    @property
    def severity(self) -> str:
        return self.tier.severity

    @property
    def long(self) -> timedelta:
        return self.tier.long

    @property
    def short(self) -> timedelta:
        return self.tier.short

    @property
    def burn_long(self) -> float | None:
        return self.reading.burn_long

    @property
    def burn_short(self) -> float | None:
        return self.reading.burn_short

    @property
    def factor(self) -> float:
        return float(self.reading.factor)

    @property
    def fires_over(self) -> str:
        return wording.burn(self.reading.factor)

    @property
    def firing(self) -> bool:
        return self.standing.firing

    @property
    def over(self) -> bool:
        return self.reading.long_burns

    @property
    def long_at(self) -> float:
        return scale(self.burn_long, self.most)

    @property
    def short_at(self) -> float:
        return scale(self.burn_short, self.most)

    @property
    def factor_at(self) -> float:
        return scale(self.factor, self.most)


def standings(
    book: Ledger, rows: Sequence[AlertRule], alerts: Iterable[Alert], at: datetime, history: History | None = None
) -> list[RuleStanding]:
    """How each rule of `rows` stands for the ledger's group at `at`; `alerts` are those of its objective.

    A handful of queries, or none with a `history` that has the marks.
    """
    definition = definition_of(book.objective, rows)
    known = {alert.tier_id: alert for alert in alerts if alert.group == book.group}
    history = history or ledger.histories([book], judgement.instants(definition, at))[book.pk]
    return [_standing(definition, history, row, known, at) for row in rows]


def meters(found: Iterable[RuleStanding], *, objective: str = "") -> list[Meter]:
    """Those of the tiers among the rules."""
    return [
        Meter(one, objective, one.reading, float(1 / one.row.objective.allowed_ratio))
        for one in found
        if isinstance(one.reading, Reading)
    ]


def scale(rate: float | None, most: float) -> float:
    """A burn rate's place between `LEAST` and `most` (all requests bad), 0…1."""
    if rate is None or rate <= LEAST:
        return 0.0
    return min(1.0, math.log(rate / LEAST) / math.log(max(most, LEAST * 10) / LEAST))


def _standing(
    definition: Definition, history: History, row: AlertRule, known: Mapping[int, Alert], at: datetime
) -> RuleStanding:
    alert, rule = known.get(row.pk), rule_of(row)
    before = _state(alert) if alert else AlertState()
    # The state is the alert's own; judged again is only why it is not another one.
    judged = judgement.judge(definition, history, rule, before, at)
    by_clock = alert is not None and alert.frozen_since is not None
    reason = alert.reason if alert and (by_clock or judged.moved) else judged.reason
    return RuleStanding(
        row,
        rule,
        before.state,
        before.since,
        judged.state.frozen_since or before.frozen_since,
        before.silenced_since,
        reason,
        judged.reading,
    )


def _state(alert: Alert) -> AlertState:
    return AlertState(cast(State, alert.state), alert.since, alert.frozen_since, alert.calm_since, alert.silenced_since)
