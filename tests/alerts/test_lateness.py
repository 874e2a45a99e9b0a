"""What is not measured neither fires nor resolves, and a ledger that is late says so."""

from typing import Any

import pytest

from alerts import evaluation
from alerts.models import Alert, Incident, TimelineEntry, Transition
from slo.models import Objective
from tests.alerts.cast import BAD, GOOD, alert_of, go_on, the_incident, watched
from tests.make import MINUTE

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
