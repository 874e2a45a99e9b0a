"""Requests for the tests of pages: spans and log lines as services send them, and an incident that kept some."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from alerts import frozen
from alerts.models import Alert, Example, Incident, Transition
from connectors.telemetry import LogLine, Span, to_ns
from evidence.spans import tree
from slo.models import Objective
from telemetry import store
from tests.make import NOON, make_flow, make_objective, make_slices, make_tier

MS = 1_000_000
TRACE = "7f3a1c9e" * 4


def span(
    span_id: str,
    parent: str = "",
    *,
    start_ms: float = 0,
    ms: float = 100,
    trace_id: str = TRACE,
    base: datetime | None = None,
    **fields: Any,
) -> Span:
    """A span that starts `start_ms` after `base` (now) and takes `ms`."""
    service = fields.pop("service", "shop")
    resource = {"service.name": service} | fields.pop("resource", {})
    given: dict[str, Any] = {"name": f"op {span_id}", "kind": "internal", "service": service} | fields
    start = to_ns(base or NOON) + round(start_ms * MS)
    return Span(
        trace_id=trace_id,
        span_id=span_id.zfill(16),
        parent_id=parent and parent.zfill(16),
        start_ns=start,
        duration_ns=round(ms * MS),
        resource=resource,
        **given,
    )


def line(body: str, span_id: str = "", *, severity: int = 9, after_ms: float = 0, **fields: Any) -> LogLine:
    given: dict[str, Any] = {"service": "shop", "trace_id": TRACE} | fields
    at = to_ns(given.pop("base", NOON)) + round(after_ms * MS)
    return LogLine(at_ns=at, severity=severity, body=body, span_id=span_id and span_id.zfill(16), **given)


def failed_request(trace_id: str = TRACE, base: datetime | None = None) -> list[Span]:
    """A checkout whose payment fails at its provider, two calls down."""
    shared: dict[str, Any] = {"trace_id": trace_id, "base": base, "status": "error"}
    return [
        span("1", ms=4000, service="gateway", name="POST /checkout", kind="server", **shared),
        span("2", "1", start_ms=10, ms=20, service="inventory", name="reserve", trace_id=trace_id, base=base),
        span("3", "1", start_ms=40, ms=3900, service="payment", name="POST /authorize", kind="server", **shared),
        span(
            "4",
            "3",
            start_ms=50,
            ms=3800,
            service="payment",
            name="call provider",
            kind="client",
            status_message="503 from provider-b",
            attributes={"peer.service": "provider-b"},
            resource={"service.version": "2026.11.3"},
            **shared,
        ),
    ]


def words(trace_id: str = TRACE, base: datetime | None = None) -> list[LogLine]:
    """What that request said: an error at its provider, a line at its gateway."""
    fields: dict[str, Any] = {"trace_id": trace_id, "base": base or NOON}
    return [
        line("provider-b timed out", "4", severity=17, after_ms=3840, service="payment", **fields),
        line("order not placed", "1", severity=13, after_ms=3990, service="gateway", **fields),
    ]


def stored(spans: Sequence[Span], lines: Sequence[LogLine] = ()) -> None:
    store.record_spans(spans, timezone.now())
    store.record_logs(lines)


def make_incident(objective: Objective | None = None, group: str = "", **fields: Any) -> Incident:
    """Open since noon, five minutes after its onset: 30 of 100 requests a minute fail."""
    objective = objective or make_objective(flow=make_flow("Checkout", team="payments"))
    tier = make_tier(objective)
    if objective.measured_until is None:
        make_slices(objective, NOON - timedelta(minutes=60), [(0, 100)] * 55 + [(30, 100)] * 10)
    given: dict[str, Any] = {
        "flow": objective.flow,
        "severity": "page",
        "title": "Checkout is failing",
        "opened_at": NOON,
        "onset_at": NOON - timedelta(minutes=5),
    }
    incident = Incident.objects.create(**given | fields)
    numbers = {"burn_long": 50.0, "burn_short": 300.0, "factor": 14.4}
    alert = Alert.objects.create(
        tier=tier,
        group=group,
        state="firing",
        since=NOON,
        numbers=numbers,
        reason="50× over 1 h, above 14.4×",
        incident=incident,
    )
    Transition.objects.create(
        alert=alert, incident=incident, at=NOON, old="inactive", new="firing", numbers=numbers, reason=alert.reason
    )
    return incident


def make_example(incident: Incident, trace_id: str = TRACE, role: str = "bad", **fields: Any) -> Example:
    spans, lines = failed_request(trace_id), words(trace_id)
    given: dict[str, Any] = {
        "found_by": "exemplar",
        "started_at": NOON,
        "duration": timedelta(seconds=4),
        "what": "payment call provider: 503 from provider-b",
        "span_id": "4".zfill(16),
        "spans": frozen.spans_of(tree(spans)),
        "lines": frozen.lines_of(lines),
    }
    return Example.objects.create(incident=incident, trace_id=trace_id, role=role, **given | fields)
