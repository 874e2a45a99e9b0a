"""Who is to blame when there are only metrics of services and a call graph."""

import pytest

from evidence.case import Bad
from evidence.findings import NotInvestigated
from evidence.series import Series, SeriesTable
from evidence.service_metrics import investigate
from tests.evidence.measured import inquiry, noisy, series, served

EDGES = [("shop", "pay"), ("pay", "bank"), ("shop", "stock")]


def system(**wrong: float) -> list[Series]:
    """Each service's latency in the incident; the bank is waited for by pay, and both by the shop."""
    normal = {"shop": 0.4, "pay": 0.2, "bank": 0.1, "stock": 0.05}
    return [
        one
        for seed, (name, latency) in enumerate(normal.items())
        for one in served(name, noisy(latency, wrong.get(name), seed), seed=seed + 10)
    ]


def test_the_deepest_slow_service_is_blamed_and_its_callers_are_not() -> None:
    report = investigate(inquiry(), SeriesTable(tuple(system(bank=0.5, pay=0.6, shop=0.8))), EDGES)
    first, second = report.suspicions[:2]
    assert (first.service, first.kind) == ("bank", "dependency")
    assert first.score > 0.8 > second.score
    assert report.findings[0].statement.startswith("bank takes ")
    assert "pay follows" in report.findings[0].statement


def test_the_flow_itself_is_blamed_as_code() -> None:
    report = investigate(inquiry(), SeriesTable(tuple(system(shop=0.8))), EDGES)
    assert (report.suspicions[0].service, report.suspicions[0].kind) == ("shop", "code")


def test_every_candidate_is_listed() -> None:
    report = investigate(inquiry(), SeriesTable(tuple(system(pay=0.6, shop=0.8))), EDGES)
    assert {one.service for one in report.suspicions} == {"shop", "pay", "bank", "stock"}


def test_nobody_is_blamed_on_a_quiet_system() -> None:
    report = investigate(inquiry(), SeriesTable(tuple(system())), EDGES)
    assert report.suspicions == ()
    assert all(finding.fine for finding in report.findings)


def test_a_service_that_always_fails_is_not_blamed_for_it() -> None:
    table = system(pay=0.6, shop=0.8)
    table.append(series("availability_percent", [0.0] * 130, service="stock"))
    assert investigate(inquiry(), SeriesTable(tuple(table)), EDGES).suspicions[0].service == "pay"


def test_failed_requests_are_followed_when_errors_are_what_is_bad() -> None:
    """The bank is slow by coincidence; pay fails."""
    table = system(bank=0.13)
    for seed, (name, wrong) in enumerate({"shop": 0.05, "pay": 0.1, "bank": 0.001, "stock": 0.001}.items()):
        table.append(series("error_ratio", noisy(0.001, wrong, seed + 40, 0.2), service=name))
    report = investigate(inquiry(bad=Bad(error=True)), SeriesTable(tuple(table)), EDGES)
    assert report.suspicions[0].service == "pay"
    assert "fails in 10 % of its requests" in report.findings[0].statement


def test_what_only_the_caller_sees_is_blamed_on_the_callee() -> None:
    """The network to the bank is slow: its own metrics are fine, the edge is not."""
    table = system(pay=0.6, shop=0.8)
    table.append(series("request_latency_seconds", noisy(0.1, 0.5, 50), source="pay", destination="bank"))
    assert investigate(inquiry(), SeriesTable(tuple(table)), EDGES).suspicions[0].service == "bank"


def test_edges_in_the_metrics_serve_as_a_call_graph() -> None:
    table = [
        series("request_latency_seconds", noisy(0.2, 0.6, 1), source="user", destination="shop"),
        series("request_latency_seconds", noisy(0.1, 0.5, 2), source="shop", destination="pay"),
        series("request_latency_seconds", noisy(0.1, None, 3), source="shop", destination="stock"),
    ]
    assert investigate(inquiry(), SeriesTable(tuple(table))).suspicions[0].service == "pay"


def test_a_surge_of_traffic_is_blamed_rather_than_the_busiest_service() -> None:
    table = [one for one in system(bank=0.15, pay=0.3, shop=0.6) if one.name != "requests_per_second"]
    table += [
        series("requests_per_second", noisy(100, 400, seed + 60), service=name)
        for seed, name in enumerate(("shop", "pay", "bank", "stock"))
    ]
    report = investigate(inquiry(), SeriesTable(tuple(table)), EDGES)
    assert (report.suspicions[0].service, report.suspicions[0].kind) == ("shop", "load")
    assert " times its usual traffic" in report.findings[0].statement


def test_without_a_metric_of_requests_it_says_that_it_could_not_look() -> None:
    with pytest.raises(NotInvestigated, match="how long requests took"):
        investigate(inquiry(), SeriesTable((series("temperature", noisy(20.0), service="shop"),)))
