from evidence.failures import calls, failures, timeouts
from evidence.own_time import own_time
from evidence.span_table import SpanTable
from tests.evidence.traffic import NOON, Step, Traffic, call


def made(root: Step) -> SpanTable:
    one = Traffic()
    one.add(NOON, root)
    return one.table()


def blamed(spans: SpanTable) -> list[str]:
    own = own_time(spans)
    return [own.services[code] for code in failures(spans, own, spans.trace >= 0).service]


def test_a_failure_is_followed_from_the_root_to_the_last_failed_call():
    first = call("web", Step("a", "x", status="error"), status="error")
    second = call("web", Step("b", "y", status="error"), status="error")
    assert blamed(made(Step("web", "GET /", (first, second), status="error"))) == ["b"]


def test_a_failed_try_that_was_repeated_with_success_does_not_decide_a_failed_request():
    first = call("web", Step("a", "x", status="error"), status="error")
    again = call("web", Step("a", "x"))
    assert blamed(
        made(
            Step("web", "GET /", (first, again, Step("web", "render", kind="internal", status="error")), status="error")
        )
    ) == ["web"]


def test_where_the_root_did_not_fail_the_outermost_failures_count():
    assert blamed(made(Step("web", "GET /", (call("web", Step("a", "x", status="error")),)))) == ["a"]


def test_a_failed_call_to_something_without_spans_blames_what_it_names():
    query = call("web", None, status="error", attributes={"db.namespace": "orders"})
    assert blamed(made(Step("web", "GET /", (query,), status="error"))) == ["orders"]


def test_a_timeout_says_so_or_is_outlived_by_its_callee():
    told = call("web", None, status="error", message="context deadline exceeded")
    outlived = call("web", Step("a", "x", own=900, detached=True), 50, status="error")
    refused = call("web", None, status="error", message="connection refused")
    spans = made(Step("web", "GET /", (told, outlived, refused)))
    assert timeouts(spans).sum() == 2


def test_a_call_after_a_failed_like_it_is_a_repeat():
    first = call("web", Step("a", "x", status="error"), status="error")
    spans = made(Step("web", "GET /", (first, call("web", Step("a", "x")), call("web", Step("b", "y")))))
    assert calls(spans, own_time(spans)).repeated.sum() == 1


def test_no_failures_blame_nobody():
    assert blamed(made(Step("web", "GET /", (call("web", Step("a", "x")),)))) == []


def sending(problem: str) -> SpanTable:
    """web sends orders to worker; the second request cannot."""
    one = Traffic()
    taken = Step("worker", "take", kind="consumer", detached=True)
    one.add(NOON, Step("web", "GET /", (Step("web", "send", (taken,), kind="producer"),)))
    refused = Step("web", "send", kind="producer", status="error", message=problem)
    one.add(NOON, Step("web", "GET /", (refused,), status="error"))
    return one.table()


def test_a_full_queue_is_the_fault_of_who_takes_from_it():
    assert blamed(sending("QueueFull: 100 messages are waiting")) == ["worker"]


def test_a_message_that_cannot_be_sent_for_another_reason_is_the_senders_fault():
    assert blamed(sending("SerializationError")) == ["web"]
