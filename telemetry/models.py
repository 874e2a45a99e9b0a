"""Configured stores, announced changes, ingest tokens, and the embedded store's spans and log lines."""

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum

from django.conf import settings
from django.db import models
from django.utils import timezone

from telemetry.secrets import SealedField


class Role(StrEnum):
    """What a source is asked for."""

    METRICS = "metrics"
    TRACES = "traces"
    LOGS = "log lines"


class Source(models.Model):
    """A telemetry store that Fireline asks: where it is, how to get in, and when it last answered."""

    class Kind(models.TextChoices):
        PROMETHEUS = "prometheus", "Prometheus"
        TEMPO = "tempo", "Grafana Tempo"
        JAEGER = "jaeger", "Jaeger"
        VICTORIATRACES = "victoriatraces", "VictoriaTraces"
        LOKI = "loki", "Grafana Loki"
        VICTORIALOGS = "victorialogs", "VictoriaLogs"
        ELASTICSEARCH = "elasticsearch", "Elasticsearch or OpenSearch"
        CLICKHOUSE = "clickhouse", "ClickHouse"
        EMBEDDED = "embedded", "Embedded store"

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.PROMETHEUS)
    # Not a URLField: that refuses host names without a dot, which is what most stores have inside a cluster.
    url = models.CharField(max_length=500, blank=True)
    # {"username": …, "password": …} or {"token": …}; never shown again.
    credentials = SealedField(default=dict, blank=True)
    # Sent with every request, e.g. X-Scope-OrgID; values may be secret, so they are sealed too.
    headers = SealedField(default=dict, blank=True)
    verify_tls = models.BooleanField(default=True)
    timeout = models.DurationField(default=timedelta(seconds=10))
    # Of Elasticsearch and ClickHouse: which of the two it holds, and in which index or table; empty means the usual.
    has_traces = models.BooleanField(default=True)
    has_logs = models.BooleanField(default=True)
    traces_in = models.CharField(max_length=200, blank=True)
    logs_in = models.CharField(max_length=200, blank=True)
    # Where its own user interface shows a trace; telemetry.links says what may stand in it.
    link = models.CharField(max_length=1000, blank=True)
    last_answered_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)
    # What the last test said: "answers, version 2.42.0, exemplars on".
    answer = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def roles(self) -> tuple[Role, ...]:
        switched_off = {Role.TRACES: not self.has_traces, Role.LOGS: not self.has_logs}
        roles = ROLES[Source.Kind(self.kind)]
        return tuple(role for role in roles if len(roles) == 1 or not switched_off.get(role))


ROLES: Mapping[Source.Kind, tuple[Role, ...]] = {
    Source.Kind.PROMETHEUS: (Role.METRICS,),
    Source.Kind.TEMPO: (Role.TRACES,),
    Source.Kind.JAEGER: (Role.TRACES,),
    Source.Kind.VICTORIATRACES: (Role.TRACES,),
    Source.Kind.LOKI: (Role.LOGS,),
    Source.Kind.VICTORIALOGS: (Role.LOGS,),
    Source.Kind.ELASTICSEARCH: (Role.TRACES, Role.LOGS),
    Source.Kind.CLICKHOUSE: (Role.TRACES, Role.LOGS),
    Source.Kind.EMBEDDED: (Role.TRACES, Role.LOGS),
}


class IngestToken(models.Model):
    """Lets one sender post OTLP data and changes. Only the hash is kept."""

    name = models.CharField(max_length=80, unique=True)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, editable=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Change(models.Model):
    """A deploy, flag flip, config edit or other event that may have caused something."""

    class Kind(models.TextChoices):
        DEPLOY = "deploy", "Deploy"
        FLAG = "flag", "Flag"
        CONFIG = "config", "Config"
        OTHER = "other", "Other"

    kind = models.CharField(max_length=10, choices=Kind, default=Kind.DEPLOY)
    title = models.CharField(max_length=200)
    service = models.CharField(max_length=120, blank=True)
    version = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()
    attributes = models.JSONField(default=dict, blank=True)
    url = models.URLField(max_length=500, blank=True)
    # The sender's own name for the event: a change that is announced twice is stored once.
    external_id = models.CharField(max_length=200, unique=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("-at",)
        indexes = [models.Index(fields=["-at"], name="change_recent")]

    def __str__(self) -> str:
        return self.title


class StoredTrace(models.Model):
    """What is known of a trace as a whole; grows as its spans arrive. telemetry.summaries says how."""

    trace_id = models.CharField(max_length=32, primary_key=True)
    flow = models.CharField(max_length=120, blank=True)
    # Of the entry span: where the request came in.
    service = models.CharField(max_length=120, blank=True)
    name = models.CharField(max_length=250, blank=True)
    start_ns = models.BigIntegerField()
    end_ns = models.BigIntegerField()
    # How long the caller waited: the entry span's duration, or the whole extent while no entry span is known.
    duration_ns = models.BigIntegerField(default=0)
    # Whether the request failed for its caller: the entry span's status, or any error while no entry span is known.
    error = models.BooleanField(default=False)
    # Any span in error, also one that was retried with success.
    failed = models.BooleanField(default=False)
    slowest_ns = models.BigIntegerField(default=0)
    # How sure it is that the entry span is the entry (see telemetry.summaries.Rank), and when that span started.
    entry_rank = models.PositiveSmallIntegerField(default=0)
    entry_ns = models.BigIntegerField(default=0)
    span_count = models.PositiveIntegerField(default=0)
    # None until decided: errors, slow traces and the sample stay, the rest is dropped once the trace has settled.
    kept = models.BooleanField(null=True)
    # When its last span arrived; it settles from then on.
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["flow", "start_ns"], name="trace_of_flow"),
            models.Index(fields=["start_ns"], name="trace_by_time"),
            models.Index(fields=["received_at"], name="trace_undecided", condition=models.Q(kept=None)),
        ]

    def __str__(self) -> str:
        return self.trace_id


class StoredSpan(models.Model):
    """One span as it arrived. No foreign key: spans come before, after and without their trace's other spans."""

    trace_id = models.CharField(max_length=32)
    span_id = models.CharField(max_length=16)
    parent_id = models.CharField(max_length=16, blank=True)
    service = models.CharField(max_length=120)
    name = models.CharField(max_length=250)
    kind = models.CharField(max_length=12)
    start_ns = models.BigIntegerField()
    duration_ns = models.BigIntegerField()
    status = models.CharField(max_length=6)
    status_message = models.TextField(blank=True)
    attributes = models.JSONField(default=dict)
    resource = models.JSONField(default=dict)
    events = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trace_id", "span_id"], name="span_once")]

    def __str__(self) -> str:
        return f"{self.service} {self.name}"


class StoredLog(models.Model):
    """One log line. `digest` names its content, so that a batch which is sent twice is stored once."""

    at_ns = models.BigIntegerField()
    severity = models.PositiveSmallIntegerField(default=0)
    body = models.TextField()
    service = models.CharField(max_length=120, blank=True)
    trace_id = models.CharField(max_length=32, blank=True)
    span_id = models.CharField(max_length=16, blank=True)
    attributes = models.JSONField(default=dict)
    resource = models.JSONField(default=dict)
    digest = models.CharField(max_length=32, unique=True)

    class Meta:
        indexes = [
            models.Index(fields=["trace_id", "at_ns"], name="log_of_trace", condition=~models.Q(trace_id="")),
            models.Index(fields=["service", "at_ns"], name="log_of_service"),
            models.Index(fields=["at_ns"], name="log_by_time"),
        ]

    def __str__(self) -> str:
        return self.body[:80]
