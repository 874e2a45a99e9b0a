"""What one request leaves behind: one trace, log lines, exemplars."""

import json
import re

import pytest

from tests.demo.receiver import Span
from tests.demo.running import Answer, Shop
from tests.servers import wait_until

pytestmark = pytest.mark.real

BEHIND_CHECKOUT = {"gateway", "checkout", "inventory", "payment", "provider-b", "worker"}
CARRIED = {"user.flow": "checkout", "tenant": "acme", "region": "eu-west", "payment.method": "card"}


@pytest.fixture(scope="module")
def checkout(shop: Shop) -> Answer:
    wait_until(lambda: shop.checkout().status == 200, 20, "a checkout that works")
    return shop.checkout()


@pytest.fixture(scope="module")
def trace(shop: Shop, checkout: Answer) -> list[Span]:
    return shop.spans(checkout, BEHIND_CHECKOUT)


def one(spans: list[Span], service: str, kind: str) -> Span:
    (found,) = [span for span in spans if (span.service, span.kind) == (service, kind)]
    return found


@pytest.mark.parametrize(
    ("callee", "caller"),
    [("checkout", "gateway"), ("inventory", "checkout"), ("payment", "checkout"), ("provider-b", "payment")],
)
def test_each_service_continues_the_trace_of_its_caller(trace: list[Span], callee: str, caller: str):
    served = next(span for span in trace if (span.service, span.kind) == (callee, "server"))
    called = next(span for span in trace if span.span_id == served.parent_id)
    assert (called.service, called.kind) == (caller, "client")


def test_the_worker_continues_the_trace_through_the_queue(trace: list[Span]):
    sent, processed = one(trace, "checkout", "producer"), one(trace, "worker", "consumer")
    assert processed.parent_id == sent.span_id
    assert sent.attributes["messaging.message.id"] == processed.attributes["messaging.message.id"]


def test_every_span_carries_the_flow_and_its_companions(trace: list[Span]):
    assert {span.name for span in trace if not CARRIED.items() <= span.attributes.items()} == set()


def test_every_span_says_which_instance_of_which_version_made_it(shop: Shop, trace: list[Span]):
    resource = one(trace, "checkout", "server").resource
    assert (
        resource.items()
        >= {
            "service.name": "checkout",
            "service.version": "2.15.0",
            "service.instance.id": shop.process("checkout").target,
            "deployment.environment.name": "demo",
            "deployment.environment": "demo",
        }.items()
    )


def test_http_spans_follow_the_stable_conventions(trace: list[Span]):
    attributes = one(trace, "gateway", "server").attributes
    assert attributes["http.request.method"] == "POST"
    assert attributes["http.route"] == "/checkout"
    assert attributes["http.response.status_code"] == 200


def test_a_log_line_names_its_span_and_carries_the_flow(shop: Shop, checkout: Answer, trace: list[Span]):
    (line,) = shop.lines(checkout, "inventory")
    assert line.body == "reserved lamp"
    assert line.span_id == one(trace, "inventory", "server").span_id
    assert line.attributes.items() >= CARRIED.items()


def test_the_lines_on_stdout_are_the_lines_that_were_sent(shop: Shop, checkout: Answer):
    printed = [json.loads(text) for text in shop.log("payment").splitlines()]
    here = [line for line in printed if line.get("trace_id") == checkout.trace_id]
    sent = shop.lines(checkout, "payment")
    assert [(line["message"], line["span_id"]) for line in here] == [(line.body, line.span_id) for line in sent]
    assert here[0]["user.flow"] == "checkout"


def test_an_exemplar_leads_to_the_request_that_was_measured(shop: Shop):
    answer = shop.login("initech")
    text = shop.metrics("gateway", "application/openmetrics-text; version=1.0.0")
    series = [line for line in text.splitlines() if "duration_seconds_bucket" in line and 'tenant="initech"' in line]
    exemplars = [dict(re.findall(r'(\w+)="(\w+)"', line.split(" # ")[1])) for line in series if " # " in line]
    root = one(shop.spans(answer, {"gateway", "accounts"}), "gateway", "server")
    assert {"trace_id": answer.trace_id, "span_id": root.span_id} in exemplars


def test_what_strangers_send_does_not_become_a_label(shop: Shop):
    shop.request("POST", "/login", {"X-Tenant": "mallory", "X-Region": "mars"}, json={"user": "m"})
    text = shop.metrics("gateway")
    assert 'tenant="other"' in text
    assert "mallory" not in text


def test_an_unknown_payment_method_is_refused_with_the_known_ones(shop: Shop):
    answer = shop.checkout("cowries")
    assert (answer.status, answer.body["error"]) == (400, "payment_method must be one of card, invoice, wallet.")


def test_a_message_of_the_queue_protocol_is_no_span(trace: list[Span]):
    assert {span.kind for span in trace if span.service == "worker"} <= {"consumer", "internal"}
