"""Which metrics tell how full a resource is, how much waits for it, and how often it failed: a table of patterns.

The three aspects are those of Gregg's USE method (Systems Performance, 2nd ed., 2020, section 2.5.9). Names follow
OpenTelemetry's semantic conventions (dots become underscores in Prometheus) and the common exporters.
"""

import re
from dataclasses import dataclass
from typing import Literal

from evidence.series import Series

type Aspect = Literal["utilisation", "saturation", "errors"]
# A share of what there is (0…1 or percent), something used of which a limit may be known, or a mere number.
type Measure = Literal["share", "used", "number"]


@dataclass(frozen=True)
class Meter:
    """What one kind of metric measures. `limit` names the metric of its limit, with `\\1` for what the pattern kept."""

    resource: str
    aspect: Aspect
    measure: Measure
    pattern: re.Pattern[str]
    limit: str = ""


def _meter(resource: str, aspect: Aspect, measure: Measure, pattern: str, limit: str = "") -> Meter:
    return Meter(resource, aspect, measure, re.compile(pattern), limit)


# The first that fits counts, so what is special stands before what is general.
METERS = (
    # cAdvisor and kube-state-metrics: containers and their limits; throttling is CPU that was refused.
    _meter("cpu", "saturation", "number", r"container_cpu_cfs_throttled_(periods|seconds)_total$"),
    _meter("memory", "errors", "number", r"container_oom_events_total$|kube_pod_container_status_restarts_total$"),
    _meter("cpu", "utilisation", "used", r"container_cpu_usage_seconds_total$", "container_cpu_limit_cores"),
    _meter(
        "memory",
        "utilisation",
        "used",
        r"container_memory_(working_set|usage|rss)_bytes$",
        "container_spec_memory_limit_bytes",
    ),
    _meter("network", "errors", "number", r"_network_(receive|transmit)_(errors|errs|drop|packets_dropped)\w*$"),
    # node_exporter: hosts. Load and pressure are what waits; retransmitted segments are a network that loses.
    _meter("cpu", "saturation", "number", r"node_load1$|node_pressure_cpu_waiting_seconds_total$"),
    _meter("memory", "saturation", "number", r"node_(pressure_memory_\w+|vmstat_pgmajfault|vmstat_oom_kill)"),
    _meter("disk", "saturation", "number", r"node_(pressure_io_\w+|disk_io_time_weighted_seconds_total)$"),
    _meter("disk", "utilisation", "number", r"node_disk_io_time_seconds_total$"),
    _meter("network", "errors", "number", r"node_netstat_Tcp_RetransSegs$|tcp_retrans\w*$"),
    # Process metrics of Prometheus clients and OpenTelemetry (process.*, system.*, k8s.pod.*, container.*).
    _meter("files", "utilisation", "used", r"process_open_fds$", "process_max_fds"),
    _meter("cpu", "utilisation", "number", r"process_cpu_(seconds_total|time\w*)$"),
    _meter("memory", "utilisation", "number", r"process_(resident_memory_bytes|memory_usage\w*)$"),
    # JVM: OpenTelemetry (jvm.*) and Micrometer.
    _meter("memory", "utilisation", "used", r"jvm_memory_used(_bytes)?$", "jvm_memory_(max|limit)(_bytes)?"),
    _meter("memory", "saturation", "number", r"jvm_gc_(duration|pause)_seconds_sum$"),
    _meter("threads", "utilisation", "number", r"jvm_threads?_(live|count|current)\w*$"),
    _meter(
        "threads", "utilisation", "used", r"(tomcat|jetty)_threads_busy\w*$", r"\1_threads_config_max\w*|\1_threads_max"
    ),
    _meter("threads", "utilisation", "used", r"executor_active_threads$", "executor_pool_max_threads"),
    _meter("threads", "saturation", "number", r"executor_queued_tasks$"),
    # Connection pools: OpenTelemetry (db.client.connection*), HikariCP, Go's database/sql and PgBouncer.
    _meter("connections", "saturation", "number", r"db_client_connections?_(pending_requests|wait_time_\w*sum)$"),
    _meter(
        "connections", "errors", "number", r"db_client_connections?_timeouts\w*$|hikaricp_connections_timeout_total$"
    ),
    _meter(
        "connections", "utilisation", "used", r"db_client_connections?_(usage|count)$", "db_client_connections?_max"
    ),
    _meter(
        "connections", "saturation", "number", r"hikaricp_connections_pending$|go_sql_(stats_connections_)?wait\w*$"
    ),
    _meter("connections", "utilisation", "used", r"hikaricp_connections_active$", "hikaricp_connections_max"),
    _meter("connections", "saturation", "number", r"pgbouncer_pools_client_(waiting\w*|maxwait\w*)$"),
    _meter(
        "connections", "utilisation", "used", r"go_sql_stats_connections_in_use$", "go_sql_stats_connections_max_open"
    ),
    # postgres_exporter and mysqld_exporter.
    _meter(
        "connections",
        "utilisation",
        "used",
        r"pg_stat_(activity_count|database_numbackends)$",
        "pg_settings_max_connections",
    ),
    _meter(
        "locks", "saturation", "number", r"pg_locks_(waiting|count)$|mysql_global_status_innodb_row_lock_current_waits$"
    ),
    _meter("locks", "errors", "number", r"pg_stat_database_deadlocks(_total)?$"),
    _meter(
        "connections",
        "utilisation",
        "used",
        r"mysql_global_status_threads_connected$",
        "mysql_global_variables_max_connections",
    ),
    # redis_exporter: what was thrown out is memory that was missing.
    _meter("memory", "utilisation", "used", r"redis_memory_used_bytes$", "redis_memory_max_bytes"),
    _meter("memory", "saturation", "number", r"redis_evicted_keys_total$"),
    _meter("connections", "utilisation", "used", r"redis_connected_clients$", "redis_config_maxclients"),
    _meter("connections", "errors", "number", r"redis_rejected_connections_total$"),
    _meter("connections", "saturation", "number", r"redis_blocked_clients$"),
    # Queues: kafka_exporter and Kafka's own, RabbitMQ, OpenTelemetry's messaging, Celery.
    _meter(
        "queue", "saturation", "number", r"kafka_consumer(group)?_(lag\w*|fetch_manager_records_lag\w*|records_lag\w*)$"
    ),
    _meter("queue", "saturation", "number", r"rabbitmq_queue_messages(_ready|_unacked|_unacknowledged)?$"),
    _meter("queue", "saturation", "number", r"(celery|sidekiq)_(queue|jobs)_(length|size|waiting|latency)\w*$"),
    # Anything that is named by the practice: a share first, then what waits, then what is used.
    _meter("cpu", "saturation", "number", r"cpu\w*(throttl|steal|wait|pressure)\w*$"),
    _meter("cpu", "utilisation", "share", r"cpu\w*(percent|pct|ratio|utili[sz]ation)\w*$|(^|_)cpu_load_short$"),
    _meter("memory", "utilisation", "share", r"mem(ory)?\w*(percent|pct|ratio|utili[sz]ation)\w*$"),
    _meter("disk", "utilisation", "share", r"(disk|filesystem|volume)\w*(percent|pct|ratio|utili[sz]ation)\w*$"),
    _meter("connections", "utilisation", "share", r"(pool|connections?)\w*(percent|pct|ratio|utili[sz]ation)\w*$"),
    _meter("network", "errors", "number", r"(network|tcp|net)_\w*(drop|error|retransmi|loss)\w*$"),
    _meter("connections", "errors", "number", r"(pool|connections?)_\w*(timeout|reject|error|exhaust|refused)\w*$"),
    _meter("connections", "saturation", "number", r"(pool|connections?)_\w*(wait|pending|queue|blocked)\w*$"),
    _meter("queue", "errors", "number", r"queue_\w*(drop|reject|dead|expired|overflow)\w*$"),
    _meter(
        "queue",
        "saturation",
        "number",
        r"(queue|backlog|mailbox|buffer)_?\w*(length|size|depth|messages|lag|count|age\w*)$",
    ),
    _meter("queue", "saturation", "number", r"(queue_depth|queue_length|queued|backlog|consumer_lag)$"),
    _meter(
        "connections",
        "utilisation",
        "used",
        r"^(\w*pool\w*?)_(active|used|in_use|busy|borrowed)$",
        r"\1_(max|size|limit|capacity)",
    ),
    _meter("threads", "utilisation", "number", r"(threads?|goroutines)(_count|_active|_busy)?$"),
    _meter("cpu", "utilisation", "number", r"cpu\w*(usage|used|seconds|cores|millicores|time)\w*$"),
    _meter("memory", "utilisation", "number", r"mem(ory)?\w*(usage|used|bytes|rss|working_set)\w*$"),
)

# Shared by all that runs on it: a node's metric says nothing about one service.
SHARED = re.compile(r"^(node|host|system|machine)_")


def meter_of(series: Series) -> Meter | None:
    """What a series measures of a resource; None when it is not one, or belongs to no service."""
    name = series.name.replace(".", "_")
    if not (series.service or series.destination) or name.endswith(("_max", "_limit", "_bucket", "_created", "_info")):
        return None
    return next((meter for meter in METERS if meter.pattern.search(name)), None)


def limit_of(meter: Meter, name: str) -> re.Pattern[str] | None:
    """What the metric of its limit is called; None when it has none."""
    found = meter.pattern.search(name.replace(".", "_"))
    if not meter.limit or found is None:
        return None
    kept = found.group(1) if meter.pattern.groups else ""
    return re.compile(meter.limit.replace(r"\1", re.escape(kept)) + "$")


def measures(name: str) -> bool:
    """Whether a metric of this name may tell of a resource, or of a resource's limit."""
    plain = name.replace(".", "_")
    if plain.endswith(("_bucket", "_created", "_info")):
        return False
    limits = (meter.limit.replace(r"\1", r"\w+") for meter in METERS if meter.limit)
    return any(meter.pattern.search(plain) for meter in METERS) or any(re.fullmatch(one, plain) for one in limits)
