"""An objective that is split into groups: each has its own alerts, and an incident says which one burns."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts import evaluation, notification
from alerts.models import Alert, Delivery, TimelineEntry, Transition
from slo import groups
from slo.groups import Group
from slo.models import Ledger, Objective
from tests.alerts.cast import BAD, GOOD, PAGE, SECOND, alert_of, make_channel, the_incident
from tests.make import HOUR, MINUTE, NOON, Counts, make_flow, make_groups, make_objective

pytestmark = pytest.mark.django_db

EU, US = ((("region", name),) for name in ("eu", "us"))


def by_region(**fields: Any) -> Objective:
    """Two regions with two hours of good requests until noon, and their alerts."""
    objective = make_objective(
        flow=make_flow("Checkout"), name="Orders succeed", tiers=[PAGE], grouping=["region"], **fields
    )
    measure(objective, {EU: [GOOD] * 120, US: [GOOD] * 120}, start=NOON - 2 * HOUR)
    evaluation.evaluate([objective.pk], now=NOON + 10 * SECOND)
    return objective


def measure(objective: Objective, counts: Mapping[Group, Sequence[Counts]], start: datetime | None = None) -> None:
    """Append one minute for each count, to all groups at once."""
    objective.refresh_from_db()
    first = objective.measured_until or start
    assert first is not None
    make_groups(objective, first, counts)


def go_on(objective: Objective, counts: Mapping[Group, Sequence[Counts]]) -> None:
    measure(objective, counts)
    assert objective.measured_until is not None
    evaluation.evaluate([objective.pk], now=objective.measured_until + 12 * SECOND)


def test_one_group_burns_and_the_others_are_calm() -> None:
    checkout = by_region()
    go_on(checkout, {EU: [BAD] * 3, US: [GOOD] * 3})
    assert alert_of(checkout, group=groups.text(EU)).state == Alert.State.FIRING
    assert Alert.objects.count() == 1


def test_the_incident_and_its_messages_name_the_group() -> None:
    make_channel()
    checkout = by_region()
    go_on(checkout, {EU: [(50, 100)] * 3, US: [GOOD] * 3})
    assert the_incident().title == "Checkout is failing for region eu: 50\u202f% of requests since 12:00\u00a0UTC"
    note = notification.compose(Delivery.objects.get(), NOON + 4 * MINUTE)
    assert {fact.name: fact.value for fact in note.facts}["Group"] == "region eu"
    assert note.payload()["objective"]["group"] == {"region": "eu"}
    assert TimelineEntry.objects.get(icon="bell").title == 'Orders succeed {region="eu"} pages.'
    # Only what its own requests did.
    assert note.payload()["requests"]["total"] == 300


def test_the_incident_lasts_while_any_group_burns() -> None:
    checkout = by_region()
    go_on(checkout, {EU: [BAD] * 3, US: [BAD] * 3})
    go_on(checkout, {EU: [GOOD] * 12, US: [BAD] * 12})
    assert alert_of(checkout, group=groups.text(EU)).state == Alert.State.RESOLVED
    assert the_incident().state == "open"
    go_on(checkout, {EU: [GOOD] * 12, US: [GOOD] * 12})
    assert the_incident().state == "resolved"


def test_a_group_that_appears_later_is_watched_from_then_on() -> None:
    checkout = by_region()
    asia = (("region", "asia"),)
    go_on(checkout, {EU: [GOOD] * 3, US: [GOOD] * 3, asia: [BAD] * 3})
    assert alert_of(checkout, group=groups.text(asia)).state == Alert.State.FIRING


def test_a_group_whose_ledger_is_gone_does_not_burn_on() -> None:
    checkout = by_region()
    go_on(checkout, {EU: [BAD] * 3, US: [GOOD] * 3})
    Ledger.objects.filter(group=groups.text(EU)).delete()
    evaluation.evaluate([checkout.pk], now=NOON + 4 * MINUTE)
    assert Transition.objects.get(new="resolved").reason.startswith("Taken off: nothing is counted for this group")


def test_the_cost_of_a_round_does_not_grow_with_the_groups() -> None:
    checkout = by_region()
    many: dict[Group, list[Counts]] = {(("region", f"r{n}"),): [GOOD] for n in range(60)}
    go_on(checkout, {EU: [GOOD], US: [GOOD], **many})
    measure(checkout, {EU: [GOOD], US: [GOOD], **many})
    with CaptureQueriesContext(connection) as queries:
        evaluation.evaluate([checkout.pk], now=NOON + 3 * MINUTE)
    assert len(queries) <= 16
