import random
from datetime import timedelta

import pytest

from evidence.case import Bad
from evidence.findings import NotInvestigated
from evidence.samples import sample
from tests.evidence.traffic import BASELINE, INCIDENT, Step, Traffic, call, make_inquiry, traffic


def request(drawn: random.Random) -> Step:
    return Step("web", "GET /", status="error" if drawn.random() < 0.5 else "unset")


def test_only_failed_requests_of_the_incident_are_bad_when_failing_is_bad():
    chosen = sample(make_inquiry(Bad(error=True)), traffic(request, request, 40).table())
    failed = chosen.spans.failed[chosen.spans.root]
    assert (chosen.bad == (failed & (chosen.window == chosen.windows - 1))).all()
    assert not (chosen.normal & failed).any()
    assert not chosen.any_bad


def test_all_requests_of_the_incident_are_bad_when_nobody_knows():
    chosen = sample(make_inquiry(), traffic(request, request, 40).table())
    assert (chosen.bad_count, chosen.normal_count, chosen.any_bad) == (40, 40, True)


def test_all_are_bad_when_none_bears_the_mark_of_a_bad_one():
    ok = Step("web", "GET /")
    chosen = sample(make_inquiry(Bad(error=True)), traffic(lambda _: ok, lambda _: ok, 40).table())
    assert (chosen.bad_count, chosen.any_bad) == (40, True)


def test_good_requests_of_the_incident_stand_in_for_a_short_baseline():
    made = Traffic()
    made.fill(BASELINE, request, 3)
    made.fill(INCIDENT, request, 40)
    chosen = sample(make_inquiry(Bad(error=True)), made.table())
    assert chosen.normal_count > 10


def test_requests_of_other_flows_are_left_out():
    made = traffic(request, request, 10)
    made.fill(INCIDENT, lambda _: Step("jobs", "clean"), 10)
    assert sample(make_inquiry(), made.table()).bad_count == 10


def test_requests_behind_a_gateway_are_told_apart_by_what_it_calls():
    kinds = [Step("web", "/*", (call("web", Step("a", "x")),)), Step("web", "/*", (call("web", Step("b", "y")),))]
    made = Traffic()
    for minute, kind in enumerate(kinds * 4):
        made.add(BASELINE.start + timedelta(minutes=minute), kind)
        made.add(INCIDENT.start + timedelta(minutes=minute), kind)
    assert len(set(sample(make_inquiry(), made.table()).stratum.tolist())) == 2


def test_an_incident_without_requests_cannot_be_compared():
    made = Traffic()
    made.fill(BASELINE, request, 10)
    with pytest.raises(NotInvestigated, match="incident"):
        sample(make_inquiry(), made.table())


def test_as_many_failed_requests_as_usual_are_no_incident():
    def rarely(drawn: random.Random) -> Step:
        return Step("web", "GET /", status="error" if drawn.random() < 0.02 else "unset")

    with pytest.raises(NotInvestigated, match="no more often bad"):
        sample(make_inquiry(Bad(error=True)), traffic(rarely, rarely, 400).table())
