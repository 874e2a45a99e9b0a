"""What a change did to the pods that got it, compared with those that did not."""

import pytest

from connectors.telemetry import to_ns
from evidence.case import Change
from evidence.rollout import Pod, Rollout, pod_owner, rollout, same_version, split
from evidence.series import Series
from tests.evidence.measured import MINUTE, NOON, NORMAL, WRONG, inquiry, noisy, series

DEPLOYED = Change(NOON, "deploy", "pay", "2.0")


def pod(name: str, wrong: float | None = None, seed: int = 1, new: bool = False, version: str = "") -> Series:
    """The latency of a pod of the service `pay`; a new one starts with the incident."""
    values = noisy(0.2, wrong, seed)
    labels = {"version": version} if version else {}
    return series("request_latency_seconds", values[NORMAL:] if new else values, service="pay", pod=name, **labels)


def rolled(*pods: Series) -> Rollout:
    return rollout(DEPLOYED, inquiry(), pods)


def test_a_new_pod_that_is_slower_than_the_old_ones_speaks_against_the_change() -> None:
    found = rolled(pod("pay-a-1", seed=1), pod("pay-a-2", seed=2), pod("pay-b-1", 0.5, 3, new=True))
    assert found.changed == ("pay-b-1",)
    assert found.unchanged == ("pay-a-1", "pay-a-2")
    [effect] = found.effects
    assert effect.p < 0.01
    assert effect.normal == pytest.approx(0.2, rel=0.1)
    assert effect.changed == pytest.approx(0.5, rel=0.1)


def test_when_all_pods_became_slow_alike_the_change_of_some_did_nothing() -> None:
    found = rolled(pod("pay-a-1", 0.5, 1), pod("pay-a-2", 0.5, 2), pod("pay-b-1", 0.5, 3, new=True))
    assert found.effects[0].p > 0.2


def test_a_pod_that_was_slow_before_the_change_is_not_slow_because_of_it() -> None:
    """The changed pod always took twice as long; its version label tells that it is the changed one."""
    slow = series("request_latency_seconds", noisy(0.4, None, 3), service="pay", pod="pay-2", version="2.0")
    found = rolled(pod("pay-1", seed=1, version="1.0"), pod("pay-3", seed=5, version="1.0"), slow)
    assert found.changed == ("pay-2",)
    assert found.effects[0].p > 0.2


def test_a_service_whose_pods_all_got_it_is_compared_with_itself_before() -> None:
    found = rolled(pod("pay-1", 0.5, 1), pod("pay-2", 0.5, 2))
    assert not found.beside
    assert found.effects[0].p < 1e-3


def test_pods_that_are_gone_before_anything_was_wrong_compare_with_nothing() -> None:
    old = pod("pay-a-1")
    gone = Series(old.name, old.labels, old.times[:-WRONG], old.values[:-WRONG], "gauge")
    assert not rolled(gone, pod("pay-b-1", 0.5, 3, new=True)).beside


def test_what_new_pods_use_is_compared_too() -> None:
    pods = [pod("pay-a-1", seed=1), pod("pay-a-2", seed=2), pod("pay-b-1", seed=3, new=True)]
    usage = [
        series("pod_cpu_usage_percent", noisy(20, None, 4), service="pay", pod="pay-a-1"),
        series("pod_cpu_usage_percent", noisy(20, None, 5), service="pay", pod="pay-a-2"),
        series("pod_cpu_usage_percent", noisy(80, None, 6)[:WRONG], service="pay", pod="pay-b-1"),
    ]
    [effect] = rolled(*pods, *usage).resources
    assert effect.p < 0.05


def test_pods_are_split_by_version_before_anything_else() -> None:
    start = to_ns(NOON - 60 * MINUTE)
    known = [Pod("a", "shop/pay:2.0", start, to_ns(NOON)), Pod("b", "1.9", start, to_ns(NOON))]
    assert split(DEPLOYED, known, start) == ({"a"}, {"b"})


def test_without_versions_the_pods_that_came_with_the_change_have_it() -> None:
    start, noon = to_ns(NOON - 60 * MINUTE), to_ns(NOON)
    known = [Pod("old", "", start, noon + 10**12), Pod("new", "", noon, noon + 10**12), Pod("gone", "", start, start)]
    assert split(DEPLOYED, known, start) == ({"new"}, {"old"})


def test_pods_that_cannot_be_told_apart_all_have_it() -> None:
    start = to_ns(NOON - 60 * MINUTE)
    assert split(DEPLOYED, [Pod("a", "", start, to_ns(NOON))], start) == ({"a"}, set())


@pytest.mark.parametrize(
    ("seen", "announced", "same"),
    [
        ("2.0", "2.0", True),
        ("v2.0", "2.0", True),
        ("registry/pay:2.0", "2.0", True),
        ("2.0.1", "2.0", False),
        ("", "", False),
        ("", "2.0", False),
    ],
)
def test_versions_are_recognised_however_they_are_written(seen: str, announced: str, same: bool) -> None:
    assert same_version(seen, announced) is same


def test_an_edge_is_measured_by_the_pod_after_which_it_is_named() -> None:
    assert pod_owner("shop-1", "shop", "pay") == "shop"
    assert pod_owner("pay-1", "shop", "pay") == "pay"
    assert pod_owner("10.0.0.1", "shop", "pay") == "pay"
