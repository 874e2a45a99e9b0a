import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from connectors.telemetry import Status, to_ns
from evidence.case import Bad
from evidence.dependencies import investigate
from evidence.findings import Report
from evidence.span_table import CONSUMER, ERROR, PRODUCER, SERVER, SpanBuilder
from tests.evidence.traffic import BASELINE, INCIDENT, Step, Traffic, about, call, make_inquiry, services, traffic

FAILED = Bad(error=True)


def checkout(drawn: random.Random, bank_fails: float = 0.0, stock_fails: float = 0.0, retries: int = 0) -> Step:
    """web calls stock and pay, pay calls bank; failures travel up to the root."""
    stock_failed = drawn.random() < stock_fails
    tries = []
    for _ in range(retries + 1):
        failed = drawn.random() < bank_fails
        answer = Step(
            "bank", "authorize", own=about(drawn, 20), status="error" if failed else "unset", message="declined"
        )
        tries.append(call("pay", answer, status="error" if failed else "unset"))
        if not failed:
            break
    pay_failed = tries[-1].status == "error"
    failed_now: Status = "error" if pay_failed or stock_failed else "unset"
    stock = Step("stock", "reserve", status="error" if stock_failed else "unset")
    pay = Step("pay", "charge", tuple(tries), status="error" if pay_failed else "unset")
    steps = (call("web", stock, status=stock.status), call("web", pay, status=pay.status))
    return Step("web", "POST /checkout", steps, status=failed_now)


def report(during: Callable[[random.Random], Step], before: Callable[[random.Random], Step] = checkout) -> Report:
    return investigate(make_inquiry(FAILED), traffic(before, during).table())


def test_an_error_is_followed_down_to_where_it_began():
    found = report(lambda drawn: checkout(drawn, bank_fails=0.4))
    assert services(found.suspicions) == ["bank"]
    assert found.findings[0].subject.service == "bank"
    assert "(declined)" in found.findings[0].statement


def test_rates_of_failing_calls_are_said_by_caller_and_callee():
    found = report(lambda drawn: checkout(drawn, bank_fails=0.4))
    rates = [one for one in found.findings if one.statement.startswith("pay → bank now fails in ")]
    assert rates[0].numbers["failed_before"] == 0


def test_an_error_that_always_happens_is_not_blamed():
    found = report(lambda drawn: checkout(drawn, 0.4, 0.3), lambda drawn: checkout(drawn, 0.0, 0.3))
    assert services(found.suspicions)[0] == "bank"
    assert "stock" not in services(found.suspicions)[:1]


def test_a_failure_that_a_retry_heals_is_told_but_blamed_on_nobody_else():
    found = report(lambda drawn: checkout(drawn, bank_fails=0.5, retries=6))
    assert {"web", "pay"}.isdisjoint(services(found.suspicions))
    assert any("are repeats" in one.statement for one in found.findings)


def test_a_call_that_nobody_answers_blames_the_callee():
    def silent(drawn: random.Random, lost: float) -> Step:
        if drawn.random() < lost:
            gone = call(
                "web", None, 3000, status="error", message="deadline exceeded", attributes={"peer.service": "bank"}
            )
            return Step("web", "POST /pay", (gone,), status="error")
        return Step("web", "POST /pay", (call("web", Step("bank", "authorize")),))

    found = investigate(
        make_inquiry(FAILED), traffic(lambda drawn: silent(drawn, 0), lambda drawn: silent(drawn, 0.3)).table()
    )
    assert services(found.suspicions)[0] == "bank"
    assert found.suspicions[0].score > 2 * found.suspicions[1].score
    assert "time out at bank" in found.findings[0].statement


def test_a_call_that_gave_up_while_the_callee_went_on_is_a_timeout_of_the_callee():
    def slow(drawn: random.Random, hangs: float) -> Step:
        if drawn.random() < hangs:
            late = Step("bank", "authorize", own=9000, detached=True)
            return Step("web", "POST /pay", (call("web", late, 3000, status="error"),), status="error")
        return Step("web", "POST /pay", (call("web", Step("bank", "authorize")),))

    found = investigate(
        make_inquiry(FAILED), traffic(lambda drawn: slow(drawn, 0), lambda drawn: slow(drawn, 0.3)).table()
    )
    assert services(found.suspicions) == ["bank"]
    assert "time out" in found.findings[0].statement


def test_a_failure_is_followed_through_a_link_to_the_message_it_came_from():
    builder = SpanBuilder()
    web, mailer = builder.origin("web", {}), builder.origin("mailer", {})
    for number in range(80):
        bad = number >= 40
        start = to_ns((INCIDENT if bad else BASELINE).start + timedelta(seconds=number))
        first, second = f"{number:032x}", f"{number + 1000:032x}"
        failed = ERROR if bad else 0
        builder.add(web, first, "a" * 16, "", "publish", start, 1000, PRODUCER, failed)
        links = [(first, "a" * 16)]
        builder.add(mailer, second, "b" * 16, "", "POST /mail", start + 5000, 9000, SERVER, failed)
        builder.add(mailer, second, "c" * 16, "b" * 16, "process", start + 6000, 1000, CONSUMER, failed, links=links)
    found = investigate(make_inquiry(FAILED, service="mailer"), builder.table())
    assert services(found.suspicions) == ["web"]


def test_a_request_that_stops_before_a_call_that_always_followed_points_at_the_code_between():
    def booking(drawn: random.Random, stops: float) -> Step:
        early = (call("web", Step("stock", "reserve")),)
        rest = () if drawn.random() < stops else (call("web", Step("pay", "charge")),)
        return Step("web", "POST /book", (*early, *rest))

    made = traffic(lambda drawn: booking(drawn, 0), lambda drawn: booking(drawn, 0.6))
    found = investigate(make_inquiry(), made.table())
    assert (found.suspicions[0].service, found.suspicions[0].kind) == ("web", "code")
    assert (
        "after the call of reserve, the call of charge followed in 60 of 60 normal requests"
        in found.findings[0].statement
    )


def test_a_call_that_is_made_but_no_longer_answered_points_at_the_callee():
    def booking(drawn: random.Random, lost: float) -> Step:
        answer = None if drawn.random() < lost else Step("pay", "charge")
        return Step("web", "POST /book", (call("web", answer, name="HTTP POST"),))

    made = traffic(lambda drawn: booking(drawn, 0), lambda drawn: booking(drawn, 0.6))
    assert services(investigate(make_inquiry(), made.table()).suspicions)[0] == "pay"


@pytest.mark.parametrize("seed", range(6))
def test_a_quiet_system_is_suspected_of_nothing(seed: int):
    made = Traffic()
    made.fill(BASELINE, lambda drawn: checkout(drawn, 0.05, 0.05, retries=1), 80, seed)
    made.fill(INCIDENT, lambda drawn: checkout(drawn, 0.05, 0.05, retries=1), 80, seed + 50)
    assert investigate(make_inquiry(), made.table()).suspicions == ()


def test_an_instance_where_alone_it_fails_is_named():
    def spread(drawn: random.Random, broken: str) -> Step:
        instance = f"bank-{drawn.randrange(3)}"
        status: Status = "error" if instance == broken else "unset"
        answer = Step("bank", "authorize", status=status, instance=instance)
        return Step("web", "POST /pay", (call("web", answer, status=status),), status=status)

    made = traffic(lambda drawn: spread(drawn, ""), lambda drawn: spread(drawn, "bank-2"))
    (first, *_) = investigate(make_inquiry(), made.table()).suspicions
    assert (first.service, first.instance) == ("bank", "bank-2")
