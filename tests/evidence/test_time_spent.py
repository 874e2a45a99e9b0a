import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from evidence.case import Bad, Interval
from evidence.findings import NotInvestigated, Report
from evidence.time_spent import investigate
from tests.evidence.traffic import (
    BASELINE,
    INCIDENT,
    NOON,
    Step,
    Traffic,
    about,
    call,
    make_inquiry,
    services,
    traffic,
)


def checkout(
    drawn: random.Random,
    bank: float = 20,
    stock: float = 10,
    to_bank: float = 2,
    to_stock: float = 2,
    to_pay: float = 2,
) -> Step:
    """web calls pay, which calls bank and stock."""
    answers = (
        call("pay", Step("bank", "authorize", own=about(drawn, bank)), about(drawn, to_bank)),
        call("pay", Step("stock", "reserve", own=about(drawn, stock)), about(drawn, to_stock)),
    )
    pay = Step("pay", "charge", answers, own=about(drawn, 8))
    return Step("web", "POST /checkout", (call("web", pay, about(drawn, to_pay)),), own=about(drawn, 5))


def report(during: Callable[[random.Random], Step], count: int = 60) -> Report:
    return investigate(make_inquiry(), traffic(checkout, during, count).table())


def test_the_slow_service_is_blamed_and_its_callers_are_not():
    found = report(lambda drawn: checkout(drawn, bank=400))
    assert services(found.suspicions)[0] == "bank"
    assert found.suspicions[0].score > 0.8
    assert "pay" not in services(found.suspicions[:2])
    assert "web" not in services(found.suspicions[:2])


def test_the_finding_says_how_much_longer_it_takes_and_how_much_that_explains():
    (first, *_) = report(lambda drawn: checkout(drawn, bank=400)).findings
    assert first.statement.startswith("bank authorize itself takes ")
    assert first.score > 0.9
    assert first.references[0].kind == "trace"


def test_a_slow_way_blames_the_callee_though_only_the_callers_span_is_long():
    found = report(lambda drawn: checkout(drawn, to_bank=300))
    assert (found.suspicions[0].service, found.suspicions[0].resource) == ("bank", "network")


def test_a_service_whose_ways_are_all_slow_is_starved_itself():
    found = report(lambda drawn: checkout(drawn, to_bank=90, to_stock=90, to_pay=60))
    assert (found.suspicions[0].service, found.suspicions[0].resource) == ("pay", "cpu")


def test_a_few_very_slow_requests_among_many_are_enough():
    found = report(lambda drawn: checkout(drawn, bank=2000 if drawn.random() < 0.25 else 20), count=120)
    assert services(found.suspicions)[0] == "bank"


def test_three_slow_calls_against_six_normal_ones_are_enough_when_they_are_far_slower():
    found = traffic(checkout, checkout, count=40)
    rare = Step("web", "POST /refund", (call("web", Step("refund", "refund"), 3),))
    for minute in range(6):
        found.add(BASELINE.start + timedelta(minutes=minute), rare)
    for minute in range(3):
        slow = replace(rare, steps=(call("web", Step("refund", "refund"), 2000),))
        found.add(INCIDENT.start + timedelta(minutes=minute), slow)
    assert services(investigate(make_inquiry(), found.table()).suspicions)[:1] == ["refund"]


@pytest.mark.parametrize("seed", range(8))
def test_a_quiet_system_is_suspected_of_nothing(seed: int):
    made = Traffic()
    made.fill(BASELINE, checkout, 80, seed)
    made.fill(INCIDENT, checkout, 80, seed + 100)
    found = investigate(make_inquiry(), made.table())
    assert [one for one in found.suspicions if one.score > 0.1] == []


def test_more_of_the_slow_kind_of_requests_is_a_shift_and_no_slow_down():
    report_request = Step("web", "GET /report", (call("web", Step("reports", "render", own=900)),))

    def mixed(part: float) -> Callable[[random.Random], Step]:
        return lambda drawn: report_request if drawn.random() < part else checkout(drawn)

    found = investigate(make_inquiry(), traffic(mixed(0.1), mixed(0.7), 100).table())
    assert [one for one in found.suspicions if one.score > 0.1] == []
    assert any(
        finding.statement.startswith("The mix of requests shifted: web GET /report") for finding in found.findings
    )


def test_a_database_that_sends_no_spans_is_blamed_by_name():
    def with_database(drawn: random.Random, time: float) -> Step:
        query = call(
            "web", None, about(drawn, time), name="SELECT", attributes={"db.namespace": "orders", "db.system": "pg"}
        )
        return Step("web", "GET /orders", (query,))

    made = traffic(lambda drawn: with_database(drawn, 5), lambda drawn: with_database(drawn, 300))
    assert services(investigate(make_inquiry(), made.table()).suspicions)[0] == "orders"


def test_an_address_is_known_as_the_service_it_belongs_to():
    def silent(drawn: random.Random, time: float) -> Step:
        lost = call("web", None, about(drawn, time), attributes={"server.address": "pay.shop.svc.cluster.local"})
        return Step("web", "POST /checkout", (call("web", Step("pay", "charge")), lost))

    made = traffic(lambda drawn: silent(drawn, 5), lambda drawn: silent(drawn, 300))
    assert services(investigate(make_inquiry(), made.table()).suspicions)[0] == "pay"


def test_a_queues_delay_is_the_gap_between_producer_and_consumer():
    def queued(drawn: random.Random, delay: float) -> Step:
        taken = Step("mailer", "process", kind="consumer", late=about(drawn, delay), detached=True)
        sent = Step("web", "send", (taken,), own=1, kind="producer")
        return Step("web", "POST /order", (sent,))

    made = traffic(lambda drawn: queued(drawn, 5), lambda drawn: queued(drawn, 5000))
    first = investigate(make_inquiry(), made.table()).suspicions[0]
    assert (first.service, first.kind) == ("mailer", "queue")


def test_a_span_that_only_waits_beside_a_call_is_not_blamed_for_the_calls_time():
    def gateway(drawn: random.Random, time: float) -> Step:
        waiting = Step("web", "handle", own=time + 20, kind="unspecified", detached=True)
        made = Step(
            "web",
            "HTTP GET",
            (Step("bank", "authorize", own=about(drawn, time), kind="unspecified"),),
            kind="unspecified",
        )
        return Step("web", "/*", (waiting, made), kind="unspecified")

    made = traffic(lambda drawn: gateway(drawn, 20), lambda drawn: gateway(drawn, 600))
    assert services(investigate(make_inquiry(), made.table()).suspicions)[0] == "bank"


def test_a_baseline_window_that_holds_the_trouble_already_does_not_hide_it():
    early = Interval(NOON - timedelta(hours=3), NOON - timedelta(hours=2))
    late = Interval(NOON + timedelta(minutes=28), NOON + timedelta(minutes=30))
    made = Traffic()
    made.fill(early, checkout, 20, seed=1)
    made.fill(late, lambda drawn: checkout(drawn, to_bank=900), 10, seed=2)
    made.fill(INCIDENT, lambda drawn: checkout(drawn, to_bank=900), 60, seed=3)
    found = investigate(make_inquiry(baseline=(early, late)), made.table())
    assert services(found.suspicions)[0] == "bank"
    assert float(str(found.findings[0].numbers["before_ms"])) < 10


def test_only_bad_requests_are_compared_when_it_is_known_which_are_bad():
    slow = Bad(slower_than=timedelta(milliseconds=500))
    made = traffic(checkout, lambda drawn: checkout(drawn, bank=900 if drawn.random() < 0.2 else 20), 100)
    (first, *_) = investigate(make_inquiry(slow), made.table()).findings
    assert float(str(first.numbers["during_ms"])) > 400


def test_without_normal_requests_there_is_nothing_to_say():
    made = Traffic()
    made.fill(INCIDENT, checkout, 10)
    with pytest.raises(NotInvestigated, match="baseline"):
        investigate(make_inquiry(), made.table())


def test_an_instance_that_alone_is_slow_is_named():
    def spread(drawn: random.Random, time: float) -> Step:
        instance = f"bank-{drawn.randrange(3)}"
        own = about(drawn, time if instance == "bank-1" else 20)
        return Step("web", "POST /pay", (call("web", Step("bank", "authorize", own=own, instance=instance)),))

    found = investigate(
        make_inquiry(), traffic(lambda drawn: spread(drawn, 20), lambda drawn: spread(drawn, 700)).table()
    )
    assert (found.suspicions[0].service, found.suspicions[0].instance) == ("bank", "bank-1")
    assert "only its instance bank-1" in found.findings[0].statement


def test_a_starved_service_that_is_seldom_called_is_found_by_all_that_it_does():
    def seldom(drawn: random.Random, factor: float) -> Step:
        parts = tuple(Step("pay", f"part {n}", kind="internal", own=about(drawn, 4 * factor)) for n in range(6))
        return Step(
            "web", "POST /checkout", (call("web", Step("pay", "charge", parts, own=about(drawn, 4 * factor)), 2),)
        )

    made = traffic(checkout, checkout, count=40)
    for minute in range(8):
        made.add(BASELINE.start + timedelta(minutes=3 * minute), seldom(random.Random(minute), 1))
        made.add(INCIDENT.start + timedelta(minutes=minute), seldom(random.Random(minute + 50), 12))
    assert services(investigate(make_inquiry(), made.table()).suspicions)[0] == "pay"
