"""Which resource under the flow is short."""

from collections.abc import Sequence

import pytest

from evidence.findings import NotInvestigated, Report
from evidence.resources import meter_of
from evidence.saturation import investigate
from evidence.series import Series, SeriesTable
from tests.evidence.measured import NORMAL, WRONG, inquiry, noisy, series


def report(*table: Series, edges: Sequence[tuple[str, str]] = ()) -> Report:
    return investigate(inquiry(), SeriesTable(table), edges)


def cpu(service: str, normal: float, wrong: float | None = None, seed: int = 1) -> Series:
    return series("pod_cpu_usage_percent", noisy(normal, wrong, seed), service=service, pod=f"{service}-1")


OTHERS = [cpu(name, 5.0, None, seed) for seed, name in enumerate(("a", "b", "c", "d"))]


@pytest.mark.parametrize(
    ("name", "resource", "aspect"),
    [
        ("container_cpu_cfs_throttled_periods_total", "cpu", "saturation"),
        ("container_memory_working_set_bytes", "memory", "utilisation"),
        ("kube_pod_container_status_restarts_total", "memory", "errors"),
        ("process_open_fds", "files", "utilisation"),
        ("jvm.memory.used", "memory", "utilisation"),
        ("hikaricp_connections_pending", "connections", "saturation"),
        ("db.client.connections.usage", "connections", "utilisation"),
        ("db_client_connection_pending_requests", "connections", "saturation"),
        ("pg_stat_activity_count", "connections", "utilisation"),
        ("redis_evicted_keys_total", "memory", "saturation"),
        ("kafka_consumergroup_lag", "queue", "saturation"),
        ("rabbitmq_queue_messages_ready", "queue", "saturation"),
        ("checkout_worker_queue_depth", "queue", "saturation"),
        ("provider_pool_in_use", "connections", "utilisation"),
        ("app_cpu_utilization", "cpu", "utilisation"),
        ("app_memory_usage_bytes", "memory", "utilisation"),
    ],
)
def test_a_name_tells_the_resource_and_the_aspect(name: str, resource: str, aspect: str) -> None:
    meter = meter_of(series(name, [1.0], service="a"))
    assert meter is not None
    assert (meter.resource, meter.aspect) == (resource, aspect)


@pytest.mark.parametrize("name", ["request_latency_seconds", "http_requests_total", "temperature", "jvm_info"])
def test_other_metrics_are_no_resource(name: str) -> None:
    assert meter_of(series(name, [1.0], service="a")) is None


def test_a_service_whose_cpu_fills_up_is_blamed() -> None:
    found = report(*OTHERS, cpu("pay", 3.0, 60.0, 9))
    first = found.suspicions[0]
    assert (first.service, first.kind, first.resource, first.instance) == ("pay", "resource", "cpu", "pay-1")
    assert first.score > 0.5
    assert found.findings[0].statement == "pay (pay-1) uses 60 % of its CPU (before: 3 %)."


def test_a_small_rise_is_not_blamed_however_unusual() -> None:
    found = report(*OTHERS, cpu("pay", 1.0, 4.0, 9))
    assert found.suspicions == ()
    assert all(finding.fine for finding in found.findings)


def test_what_was_checked_and_is_as_usual_is_said() -> None:
    [finding] = report(*OTHERS).findings
    assert finding.fine
    assert finding.statement == "CPU: as usual in a, b, c and d."


def test_a_pool_is_measured_against_its_limit() -> None:
    found = report(
        series("hikaricp_connections_active", noisy(3.0, 10.0, 4, 0.02), service="pay", instance="1"),
        series("hikaricp_connections_max", [10.0] * (NORMAL + WRONG), service="pay", instance="1"),
    )
    assert found.suspicions[0].resource == "connections"
    assert "of its connections (before: 30 %)" in found.findings[0].statement


def test_a_queue_that_grows_is_blamed_as_a_queue() -> None:
    found = report(*OTHERS, series("kafka_consumergroup_lag", noisy(10.0, 5000.0), service="mailer"))
    assert (found.suspicions[0].service, found.suspicions[0].kind) == ("mailer", "queue")
    assert found.findings[0].statement.startswith("mailer: the amount that waits for its queue rose from 10 to 4,")


def test_a_counter_of_refusals_is_read_as_a_rate() -> None:
    refused = [float(place) * 0 for place in range(NORMAL)] + [60.0 * (place + 1) for place in range(WRONG)]
    found = report(series("redis_rejected_connections_total", refused, "counter", service="cache"))
    assert found.findings[0].numbers["aspect"] == "errors"
    assert found.suspicions[0].service == "cache"


def test_use_without_a_known_limit_is_only_a_hint() -> None:
    found = report(*OTHERS, series("app_memory_usage_bytes", noisy(1e6, 9e6), service="pay"))
    assert all(one.score < 0.3 for one in found.suspicions)


def test_only_services_under_the_flow_are_candidates() -> None:
    found = report(cpu("pay", 3.0, None), cpu("elsewhere", 3.0, 80.0, 5), edges=[("shop", "pay")])
    assert found.suspicions == ()


def test_a_metric_of_the_host_is_not_one_of_the_service() -> None:
    with pytest.raises(NotInvestigated, match="CPU, memory, pools or queues"):
        report(series("node_cpu_usage_percent", noisy(3.0, 80.0), service="pay"))


def test_a_single_value_may_be_a_blip() -> None:
    whole = cpu("pay", 3.0, 60.0, 9)
    one = Series(whole.name, whole.labels, whole.times[: NORMAL + 1], whole.values[: NORMAL + 1], "gauge")
    assert all(suspicion.score < 0.7 for suspicion in report(*OTHERS, one).suspicions)
    assert report(*OTHERS, whole).suspicions[0].score > 0.9
