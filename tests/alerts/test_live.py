"""What alerts did live is what a replay of the ledger says, however and how often the workers came by."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts import evaluation
from alerts.models import Transition
from slo import ledger, replay
from slo.definition import BudgetAlert, NoDataAlert
from slo.definitions import definition_of, rule_of
from slo.groups import Group
from slo.judgement import Rule
from slo.models import Maintenance, Objective
from tests.alerts.cast import BAD, GOOD, SECOND
from tests.alerts.test_groups import EU, US, measure
from tests.make import HOUR, MINUTE, NOON, Counts, make_objective, tier

pytestmark = pytest.mark.django_db

RULES = (
    tier(),
    tier("page", long=30 * MINUTE, short=5 * MINUTE, budget_share="0.05"),
    tier("ticket", long=2 * HOUR, short=10 * MINUTE, budget_share="0.05"),
    BudgetAlert("ticket", Decimal("0.5")),
    BudgetAlert("page", Decimal("1")),
    NoDataAlert("ticket", 5 * MINUTE),
)
# Stretches of minutes that are alike, as real trouble comes.
STRETCH = st.tuples(st.sampled_from([GOOD, BAD, (3, 100), (1, 1), (0, 0), None]), st.integers(1, 12))
COUNTS = st.lists(STRETCH, min_size=1, max_size=10)
# How many minutes come at once.
ROUNDS = st.lists(st.integers(1, 30), max_size=8)
# When, in minutes after noon, and for how many minutes.
MAINTAINED = st.none() | st.tuples(st.integers(0, 60), st.integers(1, 30))


@given(COUNTS, COUNTS, ROUNDS, MAINTAINED)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_alerts_do_what_a_replay_says(
    eu: list[tuple[Counts, int]], us: list[tuple[Counts, int]], rounds: list[int], maintained: tuple[int, int] | None
) -> None:
    objective = two_regions()
    if maintained:
        begin, length = (number * MINUTE for number in maintained)
        Maintenance.objects.create(objective=objective, start=NOON + begin, length=length, reason="Upgrade")
    live(objective, minutes(eu), minutes(us), rounds)
    assert recorded(objective) == replayed(objective)


def two_regions() -> Objective:
    """98 % over 6 hours, of which three were good."""
    objective = make_objective("0.98", 6 * HOUR, tiers=RULES, grouping=["region"])
    measure(objective, {EU: [GOOD] * 180, US: [GOOD] * 180}, start=NOON - 3 * HOUR)
    evaluation.evaluate([objective.pk], now=NOON + 12 * SECOND)
    return objective


def live(objective: Objective, eu: list[Counts], us: list[Counts], rounds: list[int]) -> None:
    """Measure so many minutes in each round, the rest in the last one; evaluate each round twice."""
    length = max(len(eu), len(us))
    counts: dict[Group, list[Counts]] = {EU: eu + [GOOD] * (length - len(eu)), US: us + [GOOD] * (length - len(us))}
    for many in (*rounds, length):
        part = {group: some[:many] for group, some in counts.items()}
        counts = {group: some[many:] for group, some in counts.items()}
        if part[EU]:
            measure(objective, part)
        for late in (12, 14):
            evaluation.evaluate([objective.pk], now=end_of(objective) + late * SECOND)


def recorded(objective: Objective) -> list[tuple[object, ...]]:
    rows = Transition.objects.filter(alert__tier__objective=objective).select_related("alert__tier")
    return sorted(
        (row.at, row.alert.group, _name(rule_of(row.alert.tier)), row.old, row.new, row.reason) for row in rows
    )


def replayed(objective: Objective) -> list[tuple[object, ...]]:
    end = end_of(objective)
    return sorted(
        (event.at, book.group, _name(event.rule), event.old, event.new, event.reason)
        for book in ledger.books(objective)
        for event in replay.replay(definition_of(objective), ledger.history(book, NOON - 6 * HOUR, end), NOON, end)
    )


def end_of(objective: Objective) -> datetime:
    objective.refresh_from_db()
    assert objective.measured_until is not None
    return objective.measured_until


def minutes(stretches: list[tuple[Counts, int]]) -> list[Counts]:
    return [one for one, many in stretches for _ in range(many)]


def _name(rule: Rule) -> str:
    """Apart from the digits in which a share is written."""
    return f"{type(rule).__name__} {rule.severity} {getattr(rule, 'long', '')} {float(getattr(rule, 'spent', 0))}"
