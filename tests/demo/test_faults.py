"""Each fault shows where it is: in the answers, deep in the trace, in the log lines, in the metrics."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from demo import faults
from tests.demo.running import ROOT, TOKEN, Answer, Shop
from tests.servers import wait_until

pytestmark = pytest.mark.real


def first(ask: Callable[[], Answer], status: int) -> Answer:
    """The first answer with this status; asks until it comes."""
    answers: list[Answer] = []

    def came() -> bool:
        answers.append(ask())
        return answers[-1].status == status

    wait_until(came, 15, f"status {status}")
    return answers[-1]


def works(ask: Callable[[], Answer]) -> None:
    first(ask, 200)


@pytest.mark.parametrize(
    ("fault", "flow", "status", "service", "span", "error", "said"),
    [
        ("checkout-down", "checkout", 502, "checkout", "INSERT orders", "OrdersDatabaseDown", "refused"),
        ("login-errors-one-tenant", "login", 502, "accounts", "sign session", "SigningKeyExpired", "has expired"),
        ("payment-provider-errors", "wallet", 503, "provider-a", "ask acquirer", "AcquirerUnavailable", "TLS"),
        ("inventory-pool-exhausted", "search", 503, "inventory", "acquire connection", "PoolExhausted", "8 of 8"),
    ],
)
def test_a_fault_is_an_error_deep_in_the_trace(
    shop: Shop, fault: str, flow: str, status: int, service: str, span: str, error: str, said: str
):
    ask = {
        "checkout": shop.checkout,
        "wallet": lambda: shop.checkout("wallet"),
        "login": lambda: shop.login("globex"),
        "search": shop.search,
    }[flow]
    with shop.fault(fault):
        answer = first(ask, status)
    failed = shop.failing(answer, service, span)
    assert failed.attributes["error.type"] == error
    assert "exception" in failed.events
    assert any(line.severity == "ERROR" and said in line.body for line in shop.lines(answer, service))
    works(ask)


def test_an_expired_key_stops_the_logins_of_one_tenant_only(shop: Shop):
    with shop.fault("login-errors-one-tenant"):
        first(lambda: shop.login("globex"), 502)
        assert shop.login("acme").status == 200


def test_a_slow_provider_makes_card_payments_from_one_region_time_out(shop: Shop):
    with shop.fault("payment-provider-slow"), ThreadPoolExecutor(8) as pool:
        wait_until(lambda: shop.log("provider-b") and shop.checkout().status == 504, 30, "a timeout")
        here = list(pool.map(lambda _: shop.checkout(), range(8)))
        elsewhere = shop.checkout(headers={"X-Tenant": "initech", "X-Region": "eu-central"})
        other_provider = shop.checkout("wallet")
    assert {answer.status for answer in here} <= {200, 504}
    assert (elsewhere.status, other_provider.status) == (200, 200)
    late = shop.spans(here[0], {"gateway", "payment", "provider-b"})
    slowest = max((span for span in late if span.service == "provider-b"), key=lambda span: span.seconds)
    assert slowest.seconds > 1.5
    assert any("no free connection" in line.body for line in shop.lines(here[0], "provider-b"))


def test_a_provider_that_times_out_fails_the_callers_span(shop: Shop):
    with shop.fault("payment-provider-slow"):
        answer = first(shop.checkout, 504)
    failed = shop.failing(answer, "payment", "POST /v2/authorize")
    assert (failed.kind, failed.attributes["peer.service"]) == ("client", "provider-b")
    assert "Timeout" in failed.attributes["error.type"]


def test_an_exhausted_pool_is_full_in_its_metrics(shop: Shop):
    with shop.fault("inventory-pool-exhausted"):
        first(shop.search, 503)
        used = 'db_client_connection_count{db_client_connection_pool_name="inventory",state="used"} '
        wait_until(lambda: f"{used}8.0" in shop.metrics("inventory"), 10, "a full pool")
    assert 'db_client_connection_timeouts_total{db_client_connection_pool_name="inventory"} ' in shop.metrics(
        "inventory"
    )
    works(shop.search)


def test_a_bad_deploy_is_announced_loses_no_request_and_is_rolled_back(shop: Shop):
    shop.received.changes.clear()
    with ThreadPoolExecutor(4) as pool, shop.fault("bad-deploy"):
        broken = first(lambda: shop.checkout("invoice"), 502)
        cards = list(pool.map(lambda _: shop.checkout("card"), range(8)))
    with ThreadPoolExecutor(4) as pool:
        during = [pool.submit(shop.checkout, "card") for _ in range(60)]
        works(lambda: shop.checkout("invoice"))
    assert {answer.status for answer in cards} == {200}
    assert {future.result().status for future in during} == {200}
    failed = shop.failing(broken, "checkout", "price order")
    assert (failed.resource["service.version"], failed.attributes["error.type"]) == ("2.16.0", "KeyError")
    assert any("no payment_terms" in line.body for line in shop.lines(broken, "checkout"))
    wait_until(lambda: len(shop.received.changes) == 2, 10, "both deploys")
    assert {token for token, _ in shop.received.changes} == {f"Bearer {TOKEN}"}
    (_, deploy), (_, back) = shop.received.changes
    assert (deploy["kind"], deploy["service"], deploy["version"]) == ("deploy", "checkout", "2.16.0")
    assert (back["version"], back["attributes"]["previous.version"]) == ("2.15.0", "2.16.0")


def test_a_backlog_fills_the_queue_until_orders_are_refused(shop: Shop):
    with shop.fault("worker-backlog"), ThreadPoolExecutor(12) as pool:
        answers: list[Answer] = []

        def full() -> bool:
            answers.extend(pool.map(lambda _: shop.checkout("wallet"), range(24)))
            return any(answer.status == 503 for answer in answers)

        wait_until(full, 30, "a full queue")
        assert "orders_queue_depth 100.0" in shop.metrics("worker")
    refused = next(answer for answer in answers if answer.status == 503)
    assert shop.failing(refused, "checkout", "send orders").kind == "producer"
    assert any("queue is full" in line.body for line in shop.lines(refused, "checkout"))
    wait_until(lambda: "orders_queue_depth 0.0" in shop.metrics("worker"), 20, "an empty queue")


def command(shop: Shop, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo.faults", *arguments],
        env={**shop.environ, **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_faults_are_switched_by_a_command_too(shop: Shop):
    try:
        assert "on   login-errors-one-tenant" in command(shop, "on", "login-errors-one-tenant").stdout
    finally:
        off = command(shop, "off", "login-errors-one-tenant")
    assert [line.split()[:2] for line in off.stdout.splitlines()] == [["off", fault.name] for fault in faults.FAULTS]


def test_a_fault_that_does_not_exist_is_answered_with_those_that_do(shop: Shop):
    done = command(shop, "on", "gremlins")
    assert done.returncode == 2
    assert "no fault called gremlins" in done.stderr
    assert "bad-deploy" in done.stderr


def test_a_shop_that_is_not_there_is_said_so(shop: Shop):
    done = command(shop, "list", SHOP_CONTROL_PORT="9")
    assert done.returncode == 1
    assert "does not answer on 127.0.0.1:9" in done.stderr
