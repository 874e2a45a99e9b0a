"""All investigators together: each in its turn, and each may fail alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import orjson
import pytest

from connectors.telemetry import to_ns
from evidence import explanation
from evidence.case import Bad, Change, Inquiry
from evidence.count_table import CountTable, Request, of_requests
from evidence.explanation import Explained, Material, explain, explained
from evidence.findings import Finding, NotInvestigated, Report, Subject, Suspicion
from evidence.series import SeriesTable
from tests.evidence import measured
from tests.evidence.traffic import BASELINE, INCIDENT, Step, Traffic, call, make_inquiry

FAILING = make_inquiry(Bad(error=True))
MINUTE = timedelta(minutes=1)

type Investigate = Callable[[explanation._Investigation], Report]


def says(statement: str, service: str = "pay", score: float = 0.9) -> Investigate:
    report = Report(
        (Finding("spans", statement, score, score, Subject(service=service)),), (Suspicion(service, "code", score),)
    )
    return lambda work: report


def breaks(error: Exception) -> Investigate:
    def investigate(work: explanation._Investigation) -> Report:
        raise error

    return investigate


@pytest.fixture
def with_investigators(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Explained]]:
    def run(**investigators: Investigate) -> list[Explained]:
        monkeypatch.setattr(explanation, "INVESTIGATORS", tuple(investigators.items()))
        return list(explained(FAILING, Material()))

    return run


def counts(bad_since: datetime) -> CountTable:
    times = [BASELINE.start + place * timedelta(seconds=5) for place in range(12 * 40)]
    return of_requests(Request(to_ns(at), at >= bad_since and not place % 3) for place, at in enumerate(times))


def shop(since: datetime) -> tuple[Inquiry, Material]:
    """Traces of requests whose bank takes so long since then; nobody says which of them are bad."""
    made = Traffic()
    for number in range(300):
        at = BASELINE.start + (INCIDENT.end - BASELINE.start) * (number / 300)
        bank = Step("bank", "authorize", own=(900 if at >= since else 20) + number % 7)
        made.add(at, Step("web", "checkout", (call("web", bank),), own=10 + number % 5))
    return make_inquiry(), Material(spans=made.table())


def test_one_that_fails_costs_nothing_else(with_investigators: Callable[..., list[Explained]]):
    last = with_investigators(
        first=says("First."), second=breaks(ValueError("secret")), third=says("Third.", "bank", 0.5)
    )[-1]
    assert [one.statement for one in last.findings] == ["First.", "Third."]
    [skipped] = last.skipped
    assert skipped.investigator == "second"
    assert "ValueError" in skipped.reason
    assert "secret" not in skipped.reason


def test_one_that_cannot_look_says_why(with_investigators: Callable[..., list[Explained]]):
    [last] = with_investigators(logs=breaks(NotInvestigated("No log lines were recorded.")))
    assert [one.reason for one in last.skipped] == ["No log lines were recorded."]


def test_what_is_known_is_told_after_each_turn(with_investigators: Callable[..., list[Explained]]):
    steps = with_investigators(first=says("First."), second=says("Second.", "bank"))
    assert [len(one.findings) for one in steps] == [1, 2]


def test_findings_come_in_the_order_of_investigators_and_culprits_by_score(
    with_investigators: Callable[..., list[Explained]],
):
    last = with_investigators(first=says("First.", "pay", 0.4), second=says("Second.", "bank", 0.9))[-1]
    assert [one.statement for one in last.findings] == ["First.", "Second."]
    assert [one.service for one in last.culprits] == ["bank", "pay"]


def test_changes_are_judged_last_by_what_the_others_blame():
    first, *_, last = (name for name, _ in explanation.INVESTIGATORS)
    assert (first, last) == ("onset", "changes")


def test_nothing_recorded_is_no_failure():
    last = explain(FAILING, Material())
    assert last.findings == ()
    assert last.culprits == ()
    assert not any("failed" in one.reason for one in last.skipped)


def test_it_is_plain_json():
    inquiry, material = shop(INCIDENT.start + MINUTE)
    told = explain(inquiry, material).as_json()
    assert json.loads(json.dumps(told)) == orjson.loads(orjson.dumps(told))
    assert set(told) == {"headline", "onset", "clauses", "findings", "culprits", "skipped"}
    assert told["headline"].startswith("shop is not as usual since 12:31")
    assert all(len(one["key"]) == 16 for one in told["findings"])


def test_what_is_fine_is_no_key():
    one = Finding("spans", "Fine.", 0.1, 0.1, fine=True)
    assert Explained(findings=(one,)).keys == frozenset()


def test_the_ledgers_onset_is_believed():
    told = INCIDENT.start + 5 * MINUTE
    last = explain(FAILING, Material(counts=counts(INCIDENT.start + MINUTE), onset=told))
    assert last.onset == told
    assert not [one for one in last.findings if one.question == "onset"]


def test_the_onset_is_read_from_counts():
    assert explain(FAILING, Material(counts=counts(INCIDENT.start + MINUTE))).onset == INCIDENT.start + MINUTE


def test_where_nobody_says_what_is_bad_the_onset_is_read_from_traces():
    found = explain(*shop(INCIDENT.start + 4 * MINUTE)).onset
    assert found is not None
    assert abs(found - (INCIDENT.start + 4 * MINUTE)) <= MINUTE


def test_with_metrics_alone_the_onset_is_read_from_them():
    table = measured.served("shop", measured.noisy(0.2, 0.9))
    assert explain(measured.inquiry(), Material(series=SeriesTable(tuple(table)))).onset == measured.NOON


def test_where_nothing_tells_how_requests_fared_the_incidents_start_has_to_do():
    last = explain(FAILING, Material())
    assert last.onset == INCIDENT.start
    assert not last.findings


def test_steady_counts_have_no_onset():
    assert explain(FAILING, Material(counts=counts(INCIDENT.end))).onset is None


def test_a_change_is_not_blamed_where_nothing_began():
    inquiry = replace(FAILING, changes=(Change(INCIDENT.start, "deploy", "pay", "2.0", "Deploy pay 2.0"),))
    work = explanation._Investigation(inquiry, Material(counts=counts(INCIDENT.end)))
    work.reports["spans"] = Report(suspicions=(Suspicion("pay", "code", 0.6),))
    assert explanation._changes(work).findings[0].score < 0.3
    work.onset = INCIDENT.start
    assert explanation._changes(work).findings[0].score > 0.3
