"""Where senders post telemetry and changes; the first two paths are OpenTelemetry's own."""

from django.urls import path

from telemetry import receiver

urlpatterns = [
    path("v1/traces", receiver.traces, name="otlp-traces"),
    path("v1/logs", receiver.logs, name="otlp-logs"),
    path("api/changes", receiver.changes, name="change-announce"),
]
