"""What is not measured neither fires nor resolves, and a ledger that is late says so."""

from decimal import Decimal
from typing import Any

import pytest

from alerts import evaluation, lateness, watches
from alerts.models import Alert, Incident, TimelineEntry, Transition
from slo import maintenance
from slo.definition import BudgetAlert, NoDataAlert
from slo.models import Objective
from tests.alerts.cast import BAD, GOOD, PAGE, TICKET, alert_of, go_on, the_incident, watched
from tests.make import DAY, HOUR, MINUTE, NOON

pytestmark = pytest.mark.django_db


def test_a_late_ledger_freezes_a_firing_alert_that_goes_on_firing() -> None:
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    Objective.objects.filter(pk=checkout.pk).update(last_error="Prometheus at 127.0.0.1:9 cannot be reached.")
    evaluation.evaluate([checkout.pk], now=at + 5 * MINUTE)
    alert = alert_of(checkout)
    assert alert.state == Alert.State.FIRING
    assert alert.frozen_since == at
    assert alert.reason == (
        "Frozen: nothing measured since 12:02\u00a0UTC. Prometheus at 127.0.0.1:9 cannot be reached."
    )
    assert the_incident().state == Incident.State.OPEN
    assert TimelineEntry.objects.filter(icon="nodata").count() == 1


def test_freezing_is_said_once() -> None:
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    for minutes in (5, 6, 7):
        evaluation.evaluate([checkout.pk], now=at + minutes * MINUTE)
    assert TimelineEntry.objects.filter(icon="nodata").count() == 1


def test_slices_that_come_late_count_as_if_they_had_come_in_time() -> None:
    in_time, late = watched("In time"), watched("Late")
    counts = [BAD] * 2 + [GOOD] * 12
    at = go_on(in_time, counts)
    go_on(late, counts[:6])
    evaluation.evaluate([late.pk], now=at)
    assert alert_of(late).frozen_since is not None
    go_on(late, counts[6:])
    assert history(late) == history(in_time)
    assert alert_of(late).frozen_since is None


def test_unmeasured_slices_keep_a_firing_alert_firing() -> None:
    checkout = watched()
    go_on(checkout, [BAD, BAD] + [None] * 30)
    assert alert_of(checkout).state == Alert.State.FIRING
    assert alert_of(checkout).frozen_since is not None


def history(objective: Objective) -> list[tuple[Any, str, str]]:
    rows = Transition.objects.filter(alert__tier__objective=objective)
    return list(rows.order_by("at").values_list("at", "old", "new"))


def test_a_ledger_of_long_slices_is_not_late_between_them() -> None:
    checkout = watched()
    checkout.time_slice = 5 * MINUTE
    assert lateness.late(checkout, NOON + 12 * MINUTE) == ""
    assert lateness.late(checkout, NOON + 20 * MINUTE) != ""


def test_two_workers_that_notice_the_silence_tell_it_once() -> None:
    checkout = watched(rules=[NoDataAlert("ticket", 15 * MINUTE)])
    now = NOON + 16 * MINUTE
    one, other = (watches.load([checkout.pk], now) for _ in range(2))
    for watched_by in (one, other):
        lateness.tell(watched_by, now)
    assert Transition.objects.count() == 1


# -- In maintenance
def test_maintenance_neither_fires_nor_resolves() -> None:
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    maintenance.declare("Upgrade", at, 20 * MINUTE, objective=checkout)
    go_on(checkout, [GOOD] * 19)
    alert = alert_of(checkout)
    assert (alert.state, alert.reason) == ("firing", "Frozen: in maintenance")
    go_on(checkout, [GOOD] * 12)
    assert alert_of(checkout).state == "resolved"


def test_what_fails_in_maintenance_pages_nobody() -> None:
    checkout = watched()
    maintenance.declare("Upgrade", NOON, 20 * MINUTE, flow=checkout.flow)
    go_on(checkout, [BAD] * 20 + [GOOD] * 10)
    assert not Transition.objects.exists()


# -- While the history is being read
def test_a_long_window_is_not_judged_on_the_part_that_was_read() -> None:
    checkout = watched(rules=[PAGE, TICKET], hours=6)
    Objective.objects.filter(pk=checkout.pk).update(history_goal=NOON - 30 * DAY)
    go_on(checkout, [(20, 100)] * 30)
    assert alert_of(checkout).state == "firing"
    assert alert_of(checkout, "ticket").state == "inactive"


def test_a_long_window_is_judged_as_soon_as_its_history_is_there() -> None:
    checkout = watched(rules=[TICKET], hours=25)
    Objective.objects.filter(pk=checkout.pk).update(history_goal=NOON - 30 * DAY)
    go_on(checkout, [(20, 100)] * 30)
    assert alert_of(checkout, "ticket").state == "firing"


def test_no_budget_is_spent_before_its_window_is_known() -> None:
    half = BudgetAlert("ticket", Decimal("0.5"))
    checkout = watched(rules=[half], target="0.99", window=6 * HOUR, hours=4)
    Objective.objects.filter(pk=checkout.pk).update(history_goal=NOON - 6 * HOUR)
    go_on(checkout, [BAD] * 3)
    assert alert_of(checkout, "ticket", kind="budget").state == "inactive"
    Objective.objects.filter(pk=checkout.pk).update(history_goal=NOON - 4 * HOUR)
    go_on(checkout, [GOOD])
    assert alert_of(checkout, "ticket", kind="budget").state == "firing"
