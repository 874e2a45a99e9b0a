"""Requests as traces show them: their attributes, the versions they passed, and who called whom."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.telemetry import Span, to_ns
from evidence import requests
from evidence.case import Bad
from evidence.findings import NotInvestigated
from evidence.span_table import SpanTable, from_spans
from tests.evidence.traffic import BASELINE, INCIDENT, MS, Step, Traffic, call, make_inquiry

FAILING = make_inquiry(Bad(error=True))
SOON = timedelta(seconds=10)


def attributes_of(*roots: Step) -> list[dict[str, str]]:
    """What is known of each of these requests of the incident, with a plain one of the baseline last."""
    made = Traffic()
    for number, root in enumerate(roots):
        made.add(INCIDENT.start + number * SOON, root)
    made.add(BASELINE.start, Step("web", "checkout"))
    table = requests.of_spans(FAILING, made.table())
    rows = [
        {
            name: table.values[column][code]
            for column, name in enumerate(table.attributes)
            if (code := int(table.codes[row, column])) >= 0
        }
        for row in range(len(table))
    ]
    return rows[: len(roots)]


def web(attributes: Mapping[str, object], *steps: Step, failed: bool = False) -> Step:
    return Step("web", "checkout", steps, attributes=attributes, status="error" if failed else "unset")


def test_what_an_inner_span_says_is_known_of_the_whole_request():
    pay = call("web", Step("pay", "charge", attributes={"payment.method": "card"}))
    other = call("web", Step("pay", "charge", attributes={"payment.method": "invoice"}))
    assert attributes_of(web({}, pay), web({}, other)) == [{"payment.method": "card"}, {"payment.method": "invoice"}]


def test_where_spans_disagree_the_outermost_one_is_believed():
    inner = call("web", Step("pay", "charge", attributes={"region": "backup"}))
    assert attributes_of(web({"region": "eu"}, inner), web({"region": "us"}, inner)) == [
        {"region": "eu"},
        {"region": "us"},
    ]


@pytest.mark.parametrize("outcome", ["http.response.status_code", "error.type", "exception.message", "rpc.grpc.status"])
def test_how_a_request_went_does_not_describe_it(outcome: str):
    assert attributes_of(web({outcome: "500", "tenant": "a"}), web({outcome: "200", "tenant": "b"})) == [
        {"tenant": "a"},
        {"tenant": "b"},
    ]


def test_an_attribute_with_one_value_only_is_left_out():
    said = attributes_of(web({"currency": "EUR", "tenant": "a"}), web({"currency": "EUR", "tenant": "b"}))
    assert said == [{"tenant": "a"}, {"tenant": "b"}]


def test_each_services_version_is_its_own():
    inner = [call("web", Step("pay", "charge", attributes={"service.version": version})) for version in ("1.0", "2.0")]
    said = attributes_of(*(web({"service.version": "7"}, one) for one in inner))
    assert [one["pay service.version"] for one in said] == ["1.0", "2.0"]


def test_a_request_that_failed_is_counted_as_bad():
    made = Traffic()
    made.add(INCIDENT.start, web({}, failed=True))
    made.add(INCIDENT.start + SOON, web({}))
    made.add(BASELINE.start, web({}))
    table = requests.of_spans(FAILING, made.table())
    assert float(table.bad.sum()) == 1
    assert float(table.total.sum()) == 3


def test_attributes_are_not_compared_when_nobody_says_which_requests_are_bad():
    made = Traffic()
    made.add(INCIDENT.start, web({}))
    with pytest.raises(NotInvestigated, match="which requests were bad"):
        requests.of_spans(make_inquiry(), made.table())


def spans_of(*seen: tuple[timedelta, str, bool]) -> SpanTable:
    """One request each: how long after the incident's start, through which version of pay, and whether it failed."""
    spans = []
    for number, (later, version, failed) in enumerate(seen, start=1):
        at, trace = to_ns(INCIDENT.start + later), f"{number:032x}"
        root = Span(trace, f"{2 * number:016x}", "", "web", "checkout", "server", at, 50 * MS)
        pay = Span(trace, f"{2 * number + 1:016x}", root.span_id, "pay", "charge", "server", at + MS, 20 * MS)
        spans.append(replace(root, status="error") if failed else root)
        spans.append(replace(pay, resource={"service.version": version}))
    return from_spans(spans)


def test_a_version_has_its_share_of_the_requests_before_now_and_of_the_bad_ones():
    before, now = -timedelta(minutes=5), timedelta(minutes=1)
    spans = spans_of(
        (before, "1.0", False),
        (before, "1.0", False),
        *((now, "1.0", False),) * 3,
        (now + SOON, "2.0", True),
    )
    seen = requests.versions(FAILING, spans)
    assert set(seen) == {"pay"}
    new, old = seen["pay"]["2.0"], seen["pay"]["1.0"]
    assert (new.baseline_share, new.incident_share, new.bad_share) == (0.0, 0.25, 1.0)
    assert (old.baseline_share, old.incident_share, old.bad_share) == (1.0, 0.75, 0.0)
    assert new.first_ns == to_ns(INCIDENT.start + now + SOON) + MS


def test_a_service_that_has_one_version_only_is_not_told_of():
    assert requests.versions(FAILING, spans_of((SOON, "1.0", False), (SOON, "1.0", True))) == {}


def test_the_share_of_bad_requests_is_unknown_when_nobody_says_what_is_bad():
    seen = requests.versions(make_inquiry(), spans_of((SOON, "1.0", False), (SOON, "2.0", True)))
    assert seen["pay"]["2.0"].bad_share is None


def test_who_calls_whom_is_read_from_spans_whose_parent_is_another_services():
    made = Traffic()
    bank = call("pay", Step("bank", "authorize"))
    made.add(INCIDENT.start, web({}, call("web", Step("pay", "charge", (bank,))), Step("web", "render")))
    assert set(requests.calls(made.table())) == {("web", "pay"), ("pay", "bank")}
