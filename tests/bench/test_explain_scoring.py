"""When is an explanation right?"""

from datetime import UTC, datetime, timedelta

import pytest

from bench.explain.answer import Answer, Culprit, Found
from bench.explain.scoring import Judged, mark
from bench.explain.truth import Blame, Truth

ONSET = datetime(2026, 3, 4, 14, 3, tzinfo=UTC)
SINCE = ONSET.isoformat()
BEFORE, OTHER = "Deploy checkout 2.1", "Deploy mail 7.0"


def make_truth(*services: str, segments=(), change=None, innocent=(), onset=SINCE, load=False) -> Truth:
    culprits = tuple((Blame(service),) for service in services)
    return Truth("made up", culprits, segments, change, onset, innocent, load)


def make_found(question: str, score: float = 0.9, confidence: float = 0.8, service: str = "", **numbers) -> Found:
    return Found(question, "", score, confidence, service, {}, numbers)


def make_segment(score: float = 0.9, **attributes: str) -> Found:
    return Found("segments", "", score, 0.8, "", attributes, {})


def blaming(*services: str, kind: str = "code", findings=(), onset: datetime | None = ONSET) -> Answer:
    culprits = tuple(Culprit(name, kind, 0.9 - place / 10) for place, name in enumerate(services))
    return Answer("", onset, culprits, tuple(findings))


# -- Whom -------------------------------------------------------------------------------------------------------------
def test_the_first_culprit_must_be_the_right_one():
    assert mark("x", make_truth("cart"), blaming("cart", "mail")).first is True
    assert mark("x", make_truth("cart"), blaming("mail", "cart")).first is False


def test_a_culprit_in_the_fourth_place_is_not_among_three():
    marked = mark("x", make_truth("cart"), blaming("a", "b", "c", "cart"))
    assert (marked.first, marked.among_three) == (False, False)


def test_of_two_faults_either_may_be_first_but_both_must_be_among_three():
    truth = make_truth("cart", "mail")
    assert mark("x", truth, blaming("mail", "a", "cart")).among_three is True
    assert mark("x", truth, blaming("mail", "a", "b", "cart")).among_three is False
    assert mark("x", truth, blaming("mail", "a", "b", "cart")).first is True


def test_two_culprits_that_tie_are_both_first():
    answer = Answer("", ONSET, (Culprit("cart", "code", 0.7), Culprit("mail", "code", 0.7)))
    assert mark("x", make_truth("cart", "mail"), answer).first is True


def test_a_service_that_is_to_blame_only_for_its_change_is_wrong_for_its_code():
    truth = Truth("made up", ((Blame("bank"), Blame("cart", "change")),), None, None, ONSET.isoformat())
    assert mark("x", truth, blaming("cart", kind="change")).first is True
    assert mark("x", truth, blaming("cart", kind="code")).first is False


def test_on_a_quiet_system_nobody_is_to_blame():
    assert mark("x", make_truth(onset=""), blaming(onset=None)).first is True
    assert mark("x", make_truth(onset=""), blaming("cart", onset=None)).first is False


def test_a_shift_in_mix_may_be_called_load():
    assert mark("x", make_truth(onset="", load=True), blaming("front", kind="load")).first is True
    assert mark("x", make_truth(onset="", load=True), blaming("front", kind="code")).first is False


def test_whom_to_blame_is_not_asked_where_only_counts_are_known():
    assert mark("x", make_truth(segments=({"region": "eu"},)), blaming()).first is None


def test_no_answer_is_wrong_in_everything_that_was_asked():
    marked = mark("x", make_truth("cart", segments=None), Answer(failure="no answer within 300 s"))
    assert (marked.first, marked.among_three, marked.change, marked.onset) == (False,) * 4
    assert marked.segment is None


# -- Which part -------------------------------------------------------------------------------------------------------
def test_a_segment_is_right_only_if_it_is_exact():
    truth = make_truth("cart", segments=({"payment.method": "card", "region": "eu"},))
    exact = make_segment(0.9, **{"payment.method": "card", "region": "eu"})
    assert mark("x", truth, blaming("cart", findings=[exact])).segment is True
    assert mark("x", truth, blaming("cart", findings=[make_segment(region="eu")])).segment is False
    assert mark("x", truth, blaming("cart")).segment is False


def test_only_the_best_segment_counts():
    truth = make_truth("cart", segments=({"region": "eu"},))
    findings = [make_segment(0.4, region="eu"), make_segment(0.9, region="us")]
    assert mark("x", truth, blaming("cart", findings=findings)).segment is False


def test_when_all_are_hit_no_segment_may_be_named():
    assert mark("x", make_truth("cart"), blaming("cart", findings=[make_segment()])).segment is True
    assert mark("x", make_truth("cart"), blaming("cart", findings=[make_segment(region="eu")])).segment is False


def test_a_metrics_spelling_of_an_attribute_is_as_good_as_a_spans():
    found = Found.read(
        {"question": "segments", "score": 1, "confidence": 1, "subject": {"attributes": {"payment_method": "card"}}}
    )
    truth = make_truth("cart", segments=({"payment.method": "card"},))
    assert mark("x", truth, blaming("cart", findings=[found])).segment is True


# -- Which change -----------------------------------------------------------------------------------------------------
def test_the_right_change_must_be_named_and_no_innocent_one():
    truth = make_truth("checkout", change=BEFORE, innocent=(OTHER,))
    right, wrong = make_found("changes", title=BEFORE), make_found("changes", title=OTHER)
    assert mark("x", truth, blaming(findings=[right])).change is True
    assert mark("x", truth, blaming(findings=[right, wrong])).change is False
    assert mark("x", truth, blaming()).change is False


def test_an_innocent_change_that_is_only_mentioned_is_not_blamed():
    truth = make_truth("checkout", change=BEFORE, innocent=(OTHER,))
    findings = [make_found("changes", title=BEFORE), make_found("changes", 0.2, title=OTHER)]
    assert mark("x", truth, blaming(findings=findings)).change is True


def test_without_a_change_that_did_it_none_may_be_blamed():
    truth = make_truth("checkout", innocent=(OTHER,))
    assert mark("x", truth, blaming()).change is True
    assert mark("x", truth, blaming(findings=[make_found("changes", title=OTHER)])).change is False


def test_a_change_that_nobody_announced_is_known_by_service_and_version():
    truth = make_truth("checkout", change=BEFORE)
    assert mark("x", truth, blaming(findings=[make_found("changes", service="checkout", version="2.1")])).change is True
    assert mark("x", truth, blaming(findings=[make_found("changes", service="check", version="2.1")])).change is False


# -- Since when -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("minutes", "right"), [(0, True), (-2, True), (2, True), (2.1, False)])
def test_an_onset_may_be_two_slices_off(minutes, right):
    marked = mark("x", make_truth("cart"), blaming("cart", onset=ONSET + timedelta(minutes=minutes)))
    assert marked.onset is right
    assert marked.onset_error == pytest.approx(abs(minutes))


def test_an_onset_that_was_not_found_is_wrong():
    assert mark("x", make_truth("cart"), blaming("cart", onset=None)).onset is False


# -- How far to trust it ----------------------------------------------------------------------------------------------
def test_the_best_finding_about_each_question_is_judged_and_so_is_the_first_culprit():
    findings = [make_found("spans", 0.9, 0.7, "cart"), make_found("spans", 0.5, 0.1, "mail")]
    judged = mark("x", make_truth("cart"), blaming("cart", findings=findings)).judged
    assert judged == (Judged("spans", 0.7, True), Judged("culprit", 0.9, True))


def test_what_explain_prints_is_read():
    answer = Answer.read(
        {
            "headline": "Checkout fails.",
            "onset": "2026-03-04T14:03:00Z",
            "findings": [
                {"question": "spans", "statement": "s", "score": 1, "confidence": 0.5, "subject": {"service": "cart"}},
                {"question": "saturation", "statement": "ok", "score": 0, "confidence": 1, "fine": True},
            ],
            "culprits": [{"service": "cart", "kind": "code", "score": 0.9}],
            "skipped": [],
        }
    )
    assert answer.onset == ONSET
    assert [one.service for one in answer.findings] == ["cart"]
    assert answer.culprits == (Culprit("cart", "code", 0.9),)
