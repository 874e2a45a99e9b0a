from connectors.telemetry import Status
from evidence.case import Bad
from evidence.origins import NEVER, following, origins
from evidence.own_time import own_time
from evidence.samples import Sample, sample
from tests.evidence.traffic import Step, call, make_inquiry, traffic


def paying(*tries: Status, status: Status = "unset") -> Step:
    """web asks bank, again after it failed, and writes a receipt."""
    asked = tuple(call("web", Step("bank", "pay", status=one), status=one) for one in tries)
    return Step("web", "GET /", (Step("web", "check", kind="internal"), *asked), status=status)


def sampled(during: Step) -> Sample:
    fine = paying("unset")
    return sample(make_inquiry(Bad(error=True)), traffic(lambda _: fine, lambda _: during, 20).table())


def began(chosen: Sample) -> list[str]:
    own = own_time(chosen.spans)
    return [own.services[one.service] for one in origins(chosen, own)]


def test_failures_begin_where_they_were_not_passed_on_from():
    assert began(sampled(paying("error", status="error"))) == ["bank"]


def test_what_a_caller_does_after_its_first_failed_try_follows_from_it():
    chosen = sampled(paying("error", "error", status="error"))
    spans = chosen.spans
    since = following(spans, origins(chosen, own_time(spans)))
    roots = spans.root[chosen.bad]
    tries = [spans.start_ns[(spans.parent == root) & spans.failed] for root in roots]
    assert [since[root] for root in roots] == [starts.min() for starts in tries]


def test_nothing_follows_in_requests_without_a_failure_and_in_the_service_where_it_begins():
    chosen = sampled(paying("error", status="error"))
    since = following(chosen.spans, origins(chosen, own_time(chosen.spans)))
    bank = chosen.spans.service == chosen.spans.services.find("bank")
    assert (since[chosen.normal_rows | bank] == NEVER).all()


def test_all_that_a_call_says_for_which_somebody_else_is_to_blame_follows():
    silent = call("web", None, status="error", attributes={"db.namespace": "orders"})
    chosen = sampled(Step("web", "GET /", (silent,), status="error"))
    spans = chosen.spans
    since = following(spans, origins(chosen, own_time(spans)))
    calls = spans.failed & (spans.parent >= 0)
    assert (since[calls] < spans.start_ns[calls]).all()
