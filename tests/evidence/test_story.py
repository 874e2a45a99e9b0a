"""The headline: what is told, in which order, and what is shown but not told."""

from datetime import UTC, datetime, timedelta

from evidence.case import Bad
from evidence.findings import Finding, Number, Question, Subject, Suspicion
from evidence.story import NOT_ENOUGH, Clause, story
from tests.evidence.traffic import make_inquiry

ONSET = datetime(2026, 11, 3, 14, 3, tzinfo=UTC)
SLOW = Bad(slower_than=timedelta(seconds=1))


def finding(
    question: Question,
    statement: str = "Something.",
    service: str = "pay",
    confidence: float = 0.9,
    numbers: dict[str, Number] | None = None,
    attributes: dict[str, str] | None = None,
    fine: bool = False,
) -> Finding:
    subject = Subject(service=service, attributes=attributes or {})
    return Finding(question, statement, confidence, confidence, subject, numbers or {}, fine=fine)


def told(*findings: Finding, blamed: str = "", onset: datetime | None = ONSET, bad: Bad = SLOW) -> list[str]:
    culprits = (Suspicion(blamed, "code", 0.9),) if blamed else ()
    return [clause.text for clause in story(make_inquiry(bad), onset, findings, culprits)]


def test_the_first_clause_says_what_is_wrong_and_since_when():
    assert told()[0] == "shop is slow since 14:03\N{NO-BREAK SPACE}UTC."
    assert told(bad=Bad(error=True))[0] == "shop is failing since 14:03\N{NO-BREAK SPACE}UTC."
    assert told(bad=Bad(), onset=None)[0] == "shop is not as usual."


def test_without_findings_there_is_not_enough_evidence():
    assert told()[1:] == [NOT_ENOUGH]


def test_what_is_not_sure_is_not_told():
    assert told(finding("spans", confidence=0.5))[1:] == [NOT_ENOUGH]


def test_what_was_looked_at_and_is_fine_is_not_told():
    assert told(finding("changes", fine=True))[1:] == [NOT_ENOUGH]


def test_clauses_come_in_the_order_in_which_a_person_asks_whatever_the_order_of_the_findings():
    findings = [
        finding("logs", "A line.", numbers={"lines_during": 4}),
        finding("saturation", "A resource."),
        finding("dependencies", "A dependency."),
        finding("spans", "Time."),
        finding("segments", "A part.", attributes={"region": "eu"}),
        finding("changes", "A change."),
    ]
    told_now = told(*findings, blamed="pay")
    assert told_now[1:] == ["A change.", "A part.", "Time.", "A dependency.", "A resource.", "A line."]


def test_a_clause_leads_to_the_finding_that_it_stands_on():
    one = finding("spans", "Time")
    [first, clause] = story(make_inquiry(SLOW), None, [one], ())
    assert first.key == ""
    assert clause == Clause("Time.", one.key)


def test_the_best_finding_of_a_question_is_told_and_no_other():
    assert told(finding("spans", "First."), finding("spans", "Second."))[1:] == ["First."]


def test_another_description_of_the_same_requests_is_not_told():
    other = finding("segments", "As well.", attributes={"tenant": "a"}, numbers={"alternative": True})
    assert told(other)[1:] == [NOT_ENOUGH]


def test_a_part_that_is_all_of_the_traffic_is_not_told():
    assert told(finding("segments", "All are hit."))[1:] == [NOT_ENOUGH]


def test_a_caller_that_waits_is_not_told_when_somebody_else_is_blamed():
    findings = [
        finding("spans", "The gateway waits.", service="gateway"),
        finding("spans", "The bank is slow.", "bank"),
    ]
    assert told(*findings, blamed="bank")[1:] == ["The bank is slow."]


def test_a_change_is_told_though_it_is_of_another_service_than_the_one_blamed():
    assert told(finding("changes", "A change.", service="checkout"), blamed="bank")[1:] == ["A change."]


def test_a_line_that_is_no_longer_written_is_not_told():
    assert told(finding("logs", "Gone.", numbers={"lines_during": 0}))[1:] == [NOT_ENOUGH]


def test_a_part_that_nearly_all_requests_belong_to_is_not_told():
    def card(lift: float) -> Finding:
        return finding("segments", "All pay by card.", attributes={"payment.method": "card"}, numbers={"lift": lift})

    assert told(card(1.05))[1:] == [NOT_ENOUGH]
    assert told(card(2.0))[1:] == ["All pay by card."]


def test_where_requests_depart_is_told_when_nothing_else_says_where():
    departs = finding("logs", "After a, b does not follow.", numbers={"expected": "b"})
    assert told(departs, blamed="pay")[1:] == ["After a, b does not follow."]
    assert told(finding("spans", "pay is slower."), departs, blamed="pay")[1:] == ["pay is slower."]
