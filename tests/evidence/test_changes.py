"""Which change did it."""

from datetime import datetime, timedelta

import pytest

from connectors.telemetry import to_ns
from evidence.case import Change
from evidence.changes import investigate
from evidence.findings import NotInvestigated, Report
from evidence.series import Series, SeriesTable
from evidence.versions import VersionSeen
from tests.evidence.measured import MINUTE, NOON, NORMAL, inquiry, noisy, series, served

EDGES = [("shop", "pay"), ("shop", "stock"), ("pay", "bank")]


def change(service: str, minutes_before: float, version: str = "2.0") -> Change:
    return Change(NOON - minutes_before * MINUTE, "deploy", service, version, f"{service} {version}")


def system(**wrong: float) -> list[Series]:
    normal = {"shop": 0.4, "pay": 0.2, "bank": 0.1, "stock": 0.05}
    return [
        one
        for seed, (name, latency) in enumerate(normal.items())
        for one in served(name, noisy(latency, wrong.get(name), seed), seed=seed + 10)
    ]


def canary(service: str, new: float, old: float, seed: int) -> list[Series]:
    """Two pods that were there before, and one that came with the change."""
    pods = [
        series("request_latency_seconds", noisy(0.2, old, seed + place), service=service, pod=f"{service}-a-{place}")
        for place in range(2)
    ]
    return [
        *pods,
        series("request_latency_seconds", noisy(new, None, seed + 2)[:10], service=service, pod=f"{service}-b-0"),
    ]


def ranked(report: Report) -> list[str]:
    return [finding.subject.service for finding in report.findings]


def told(*changes: Change, table: list[Series] | None = None) -> Report:
    return investigate(inquiry(*changes), SeriesTable(tuple(table or [])), EDGES)


def test_the_change_where_it_is_wrong_is_blamed_and_the_others_are_listed() -> None:
    report = told(change("stock", 1), change("pay", 2), change("shop", 3), table=system(pay=0.6, shop=0.8))
    assert ranked(report)[0] == "pay"
    assert len(report.findings) == 3
    assert (report.suspicions[0].service, report.suspicions[0].kind) == ("pay", "change")
    assert report.suspicions[0].score > 0.5
    assert report.findings[0].numbers["version"] == "2.0"
    assert report.findings[0].statement.startswith("pay 2.0 (deploy) came 2 min before the onset")


def test_a_change_after_the_onset_is_never_blamed() -> None:
    report = told(change("pay", -6), change("stock", 30), table=system(pay=0.6, shop=0.8))
    late = next(finding for finding in report.findings if finding.subject.service == "pay")
    assert late.score == 0.0
    assert late.fine
    assert late.statement == "pay 2.0 (deploy) came 6 min after the onset, so it is not the cause."
    assert "pay" not in {one.service for one in report.suspicions}


def test_the_onset_is_where_the_flow_became_slow_and_not_where_the_incident_is_said_to_begin() -> None:
    table = system()
    for service, wrong in (("pay", 0.9), ("shop", 1.3)):
        values = [*noisy(0.2 if service == "pay" else 0.4), *noisy(wrong)[:5]]
        table = [one for one in table if one.service != service] + served(service, values[5:])
    report = told(change("pay", -4), table=table)
    assert report.suspicions[0].service == "pay"


def test_the_canary_that_is_slower_than_the_pods_beside_it_is_blamed() -> None:
    """Both services got new pods at once. In the shop all pods are slow alike, since they wait for the other."""
    table = [*canary("pay", new=1.5, old=0.2, seed=1), *canary("shop", new=0.5, old=0.5, seed=11)]
    report = told(change("shop", 0), change("pay", 0), table=table)
    assert ranked(report) == ["pay", "shop"]
    assert report.findings[0].score > 5 * report.findings[1].score
    assert "its 1 pod takes 1.5 s (2 pods without it: " in report.findings[0].statement
    assert "no worse than 2 pods without it" in report.findings[1].statement


def test_of_two_changes_in_the_same_place_the_later_one_is_likelier() -> None:
    report = told(change("pay", 100, "1.9"), change("pay", 2, "2.0"), table=system(pay=0.6, shop=0.8))
    assert [finding.numbers["version"] for finding in report.findings] == ["2.0", "1.9"]


def test_no_change_is_blamed_on_a_quiet_system() -> None:
    report = told(change("pay", 2), change("stock", 5), table=system())
    assert report.suspicions == ()
    assert all(finding.fine for finding in report.findings)


def test_a_change_far_from_what_is_wrong_stays_unlikely_though_it_is_the_only_one() -> None:
    report = told(change("stock", 2), table=system(bank=0.5, pay=0.6, shop=0.8))
    assert report.findings[0].score < 0.2


def test_a_change_under_what_others_blame_is_likelier_than_one_beside_it() -> None:
    report = investigate(
        inquiry(change("stock", 2), change("bank", 2)), topology=EDGES, blamed={"pay": 0.9, "shop": 0.05}
    )
    assert ranked(report) == ["bank", "stock"]


def seen(bad_share: float, incident_share: float = 0.3) -> VersionSeen:
    return VersionSeen(to_ns(NOON - MINUTE), 0.0, incident_share, bad_share)


def test_the_version_that_the_bad_requests_carry_is_blamed() -> None:
    report = investigate(
        inquiry(change("stock", 1), change("pay", 1)),
        versions={"stock": {"2.0": seen(0.3)}, "pay": {"2.0": seen(0.98), "1.9": seen(0.02, 0.7)}},
    )
    assert ranked(report)[0] == "pay"
    assert "98 % of the bad requests have it, and 30 % of all" in report.findings[0].statement


def test_a_version_that_nobody_announced_is_a_change_too() -> None:
    versions = {"pay": {"2.0": seen(0.98), "1.9": VersionSeen(to_ns(NOON - NORMAL * MINUTE), 1.0, 0.7, 0.02)}}
    report = investigate(inquiry(), versions=versions)
    assert [(one.subject.service, one.numbers["version"]) for one in report.findings] == [("pay", "2.0")]


def test_a_new_build_in_the_metrics_is_a_change() -> None:
    table = [
        series("pay_build_info", [1.0] * NORMAL, service="pay", version="1.9"),
        series("pay_build_info", [1.0] * 12, service="pay", version="2.0"),
    ]
    [finding] = told(table=[*table, *system(pay=0.6, shop=0.8)]).findings
    assert finding.numbers["version"] == "2.0"
    assert finding.numbers["at"] == (NOON - 2 * MINUTE).isoformat()


def test_an_announced_version_that_is_seen_too_is_one_change() -> None:
    table = [
        series("pay_build_info", [1.0] * NORMAL, service="pay", version="v1.9"),
        series("pay_build_info", [1.0] * 12, service="pay", version="v2.0"),
    ]
    report = told(change("pay", 3), table=[*table, *system(pay=0.6, shop=0.8)])
    assert [finding.numbers["title"] for finding in report.findings] == ["pay 2.0"]


def test_an_edit_of_a_deployment_is_a_change() -> None:
    generation = [4.0] * NORMAL + [5.0] * 10
    table = [series("kube_deployment_status_observed_generation", generation, deployment="pay", job="ksm")]
    [finding] = told(table=[*table, *system(pay=0.6, shop=0.8)]).findings
    assert (finding.subject.service, finding.numbers["kind"]) == ("pay", "deployment")


def test_an_onset_that_is_known_better_is_taken() -> None:
    onset: datetime = NOON - timedelta(minutes=5)
    report = investigate(inquiry(change("pay", 3)), SeriesTable(tuple(system(pay=0.6))), EDGES, onset=onset)
    assert report.findings[0].fine
    assert "after the onset" in report.findings[0].statement


def test_without_any_change_it_says_so() -> None:
    with pytest.raises(NotInvestigated, match="No change was announced"):
        told(table=system(pay=0.6, shop=0.8))


def test_the_stages_of_a_roll_out_are_one_change_that_came_with_the_first() -> None:
    report = told(change("pay", 9), change("pay", 5), change("pay", 1), table=system(pay=0.6, shop=0.8))
    [finding] = report.findings
    assert finding.numbers["at"] == (NOON - 9 * MINUTE).isoformat()


def test_a_change_of_the_whole_system_is_listed_though_no_service_is_named() -> None:
    flag = Change(NOON - MINUTE, "flag", title="new prices")
    report = told(flag, change("pay", 2), table=system(pay=0.6, shop=0.8))
    assert ranked(report) == ["pay", ""]
    assert report.findings[1].statement.startswith("new prices (flag) came 60 s before the onset")


def test_pods_that_use_more_speak_against_a_change_when_requests_are_not_measured_by_pod() -> None:
    def used(service: str, new: float) -> list[Series]:
        pods = [
            series("pod_cpu_usage_percent", noisy(20, None, place), service=service, pod=f"{service}-a-{place}")
            for place in range(3)
        ]
        return [*pods, series("pod_cpu_usage_percent", noisy(new)[:10], service=service, pod=f"{service}-b-0")]

    report = told(change("stock", 0), change("pay", 0), table=[*used("stock", 20), *used("pay", 90)])
    assert ranked(report) == ["pay", "stock"]


def test_a_change_whose_harm_would_have_had_a_quarter_of_an_hour_to_show_is_hardly_blamed() -> None:
    soon, long_ago = (
        investigate(inquiry(change("pay", minutes)), None, EDGES, blamed={"pay": 1.0}, onset=NOON)
        for minutes in (1, 15)
    )
    assert soon.findings[0].score > 0.5
    assert long_ago.findings[0].score < 0.35


def test_a_change_that_came_while_it_may_have_begun_is_not_too_late() -> None:
    asked = inquiry(change("pay", -1.5))
    exact = investigate(asked, None, EDGES, blamed={"pay": 1.0}, onset=NOON)
    vague = investigate(asked, None, EDGES, blamed={"pay": 1.0}, onset=NOON, latest=NOON + 2 * MINUTE)
    assert exact.findings[0].score == 0.0
    assert vague.findings[0].score > 0.5


def test_the_version_that_a_new_one_replaces_is_no_change() -> None:
    began = to_ns(NOON - 20 * MINUTE)
    versions = {
        "pay": {
            "1.0": VersionSeen(began, 0.3, 0.0, 0.0),
            "2.0": VersionSeen(to_ns(NOON - 15 * MINUTE), 0.7, 1.0, 1.0),
        }
    }
    report = investigate(inquiry(change("pay", 15)), None, EDGES, versions, {"pay": 1.0}, NOON)
    assert [finding.numbers["version"] for finding in report.findings] == ["2.0"]


def test_a_version_that_no_request_passes_any_more_is_not_blamed() -> None:
    versions = {
        "pay": {
            "1.0": VersionSeen(to_ns(NOON - 60 * MINUTE), 1.0, 1.0, 1.0),
            "2.0": VersionSeen(to_ns(NOON - 3 * MINUTE), 0.01, 0.0, 0.0),
        }
    }
    report = investigate(inquiry(change("pay", 3)), None, EDGES, versions, {"pay": 1.0}, NOON)
    assert report.findings[0].score < 0.1
