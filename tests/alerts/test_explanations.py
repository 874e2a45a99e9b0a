"""Incidents are explained from what the stores know, in versions, whatever is missing."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from alerts import explanations
from alerts.models import Explanation, Incident, TimelineEntry, Verdict
from connectors.errors import TimedOut, Unreachable
from connectors.telemetry import TraceQuery, TraceSummary
from telemetry import stores
from telemetry.models import Change
from telemetry.store import EmbeddedTraces
from tests.alerts.cast import BAD, GOOD, go_on, the_incident, watched
from tests.alerts.telemetry import request, requests
from tests.make import MINUTE, NOON, make_user

pytestmark = pytest.mark.django_db(databases="__all__")

SECOND = timedelta(seconds=1)
FAILING = NOON + 5 * SECOND


def shop() -> None:
    """Requests of two regions, of which those of eu-west fail at the provider from noon on."""
    requests(NOON - 20 * MINUTE, 40, apart=20 * SECOND)
    requests(NOON - 20 * MINUTE, 40, apart=20 * SECOND, region="us-east")
    requests(FAILING, 40, failed=True, ms=4000, lines=["authorize timed out after 4000 ms"])
    requests(FAILING, 40, region="us-east")


def burning(**fields: Any) -> Incident:
    go_on(watched(**fields), [BAD, BAD])
    return the_incident()


def explained(incident: Incident, at: datetime = NOON + 3 * MINUTE) -> Explanation | None:
    Incident.objects.filter(pk=incident.pk, explain_due_at__isnull=False).update(explain_due_at=at)
    return explanations.explain(incident.pk, at)


def test_the_part_that_fails_and_who_fails_are_named() -> None:
    shop()
    row = explained(burning())
    assert row is not None
    segment = next(one for one in row.content["findings"] if one["question"] == "segments")
    assert segment["subject"]["attributes"] == {"region": "eu-west"}
    assert row.content["culprits"][0]["service"] == "provider-b"
    assert "region=eu-west" in row.headline


def test_the_onset_is_the_ledgers() -> None:
    shop()
    incident = burning()
    row = explained(incident)
    assert row is not None
    assert incident.onset_at is not None
    assert row.content["onset"] == incident.onset_at.isoformat()


def test_a_change_before_the_onset_is_named_and_one_after_it_is_not_blamed() -> None:
    shop()
    for at, title in ((NOON - 2 * MINUTE, "provider-b 7"), (NOON + 90 * SECOND, "provider-b 8")):
        Change.objects.create(kind="deploy", title=title, service="provider-b", at=at, external_id=title)
    row = explained(burning())
    assert row is not None
    told = [one for one in row.content["findings"] if one["question"] == "changes"]
    assert told[0]["numbers"]["title"] == "provider-b 7"
    later = [one for one in told if one["numbers"]["title"] == "provider-b 8"]
    assert all(one["score"] == 0 or one["fine"] for one in later)


def test_without_telemetry_it_says_that_there_is_not_enough_evidence() -> None:
    row = explained(burning())
    assert row is not None
    assert "not enough evidence" in row.headline
    assert {one["investigator"] for one in row.content["skipped"]} >= {"segments", "spans"}


def test_a_store_that_is_away_is_said_and_costs_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def search(self, query: object) -> list[Any]:
            raise Unreachable("tempo cannot be reached.")

        def trace(self, trace_id: str) -> list[Any]:
            return []

    shop()
    embedded = stores.trace_stores()
    monkeypatch.setattr(stores, "trace_stores", lambda: [Away(), *embedded])
    row = explained(burning())
    assert row is not None
    assert row.content["missing"][0] == "tempo cannot be reached."
    assert row.content["culprits"][0]["service"] == "provider-b"


def test_what_a_store_answered_before_it_failed_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tired(EmbeddedTraces):
        asked = 0

        def search(self, query: TraceQuery) -> list[TraceSummary]:
            self.asked += 1
            if self.asked > 2:
                raise TimedOut("The store is tired.")
            return super().search(query)

    shop()
    monkeypatch.setattr(stores, "trace_stores", lambda: [Tired()])
    row = explained(burning())
    assert row is not None
    assert row.content["missing"][0] == "The store is tired."
    assert row.content["culprits"][0]["service"] == "provider-b"


def test_a_version_that_says_nothing_new_is_not_written() -> None:
    shop()
    incident = burning()
    assert explained(incident) is not None
    assert explained(incident, NOON + 3 * MINUTE + 30 * SECOND) is None
    assert incident.explanations.count() == 1


def test_the_end_is_explained_once_more_and_then_no_more() -> None:
    shop()
    checkout = watched()
    at = go_on(checkout, [BAD, BAD])
    explained(the_incident())
    go_on(checkout, [GOOD] * 70)
    incident = the_incident()
    assert incident.resolved_at is not None
    row = explained(incident, at + 80 * MINUTE)
    assert row is not None
    assert row.version == 2
    incident.refresh_from_db()
    assert incident.explain_due_at is None


def test_two_workers_at_one_incident_write_one_version() -> None:
    shop()
    incident = burning()
    now = NOON + 3 * MINUTE
    Incident.objects.update(explain_due_at=now)
    assert explanations.explain(incident.pk, now) is not None
    assert explanations.explain(incident.pk, now) is None
    assert incident.explanations.count() == 1


def test_a_worker_that_died_half_way_leaves_a_version_that_is_finished_by_another() -> None:
    shop()
    incident = burning()
    Explanation.objects.create(incident=incident, version=1, made_at=NOON)
    row = explained(incident)
    assert row is not None
    assert row.version == 1
    assert row.took is not None


def test_the_timeline_says_what_was_found() -> None:
    shop()
    row = explained(burning())
    assert row is not None
    assert TimelineEntry.objects.get(cause="explanation-1").text == row.headline


def test_a_persons_verdict_stays_with_the_finding_in_later_versions() -> None:
    shop()
    incident, olga = burning(), make_user("olga")
    row = explained(incident)
    assert row is not None
    key = row.content["findings"][0]["key"]
    explanations.judge(incident, key, olga, True)
    explanations.judge(incident, key, olga, False)
    assert [(one.finding, one.right) for one in Verdict.objects.all()] == [(key, False)]
    explanations.judge(incident, key, olga, None)
    assert not Verdict.objects.exists()


def test_a_finding_that_nobody_made_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="not part of the explanation"):
        explanations.judge(burning(), "no-such", make_user("olga"), True)


def test_a_request_of_a_week_ago_is_a_normal_one_too() -> None:
    requests(NOON - timedelta(days=7), 30, apart=5 * SECOND)
    requests(FAILING, 30, failed=True, ms=4000)
    request(NOON - 10 * MINUTE)
    row = explained(burning())
    assert row is not None
    assert row.content["culprits"][0]["service"] == "provider-b"
