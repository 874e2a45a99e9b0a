"""One of everything that a page can show, and the address of every page, fragment and chart."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from alerts.models import Alert, Channel, Example, Incident, TimelineEntry
from connectors.telemetry import LogLine, Span, to_ns
from slo import maintenance
from slo.instants import floor
from slo.models import Flow, Maintenance, Objective
from telemetry import store
from telemetry.models import Change, IngestToken, Source
from tests.make import DAY, HOUR, MINUTE, make_flow, make_objective, make_slices, make_source, make_tier

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
HOSTILE = "<script>alert(1)</script>\"' onmouseover=x"


def lately(back: timedelta = timedelta()) -> datetime:
    """The end of the last whole slice, or some time before."""
    return floor(timezone.now(), settings.SLICE) - back


@dataclass(frozen=True)
class Shop:
    flow: Flow
    objective: Objective
    source: Source
    incident: Incident
    channel: Channel
    token: IngestToken
    maintenance: Maintenance


def make_shop(user: User | None = None) -> Shop:
    """A flow that pages since five minutes, with everything that hangs on it; names carry hostile markup."""
    source = make_source(name="Prometheus eu", credentials={"token": "do-not-show-me"})
    flow = make_flow(f"Checkout {HOSTILE}", slug="checkout", selector="checkout", team="payments")
    objective = make_objective(name="Checkout succeeds", flow=flow, source=source)
    tier = make_tier(objective)
    make_slices(objective, lately(2 * HOUR), [(0, 100)] * 110 + [(60, 100)] * 10)
    incident = make_incident(flow)
    Alert.objects.create(tier=tier, state=Alert.State.FIRING, since=lately(5 * MINUTE), incident=incident)
    token = IngestToken.objects.create(name="shop", digest="d")
    upgrade = maintenance.declare(f"Upgrade {HOSTILE}", lately(-DAY), HOUR, flow=flow)
    return Shop(flow, objective, source, incident, make_channel(), token, upgrade)


def make_incident(flow: Flow, **fields: object) -> Incident:
    values = {"severity": "page", "title": f"{flow.name} fails {HOSTILE}", "opened_at": lately(5 * MINUTE)} | fields
    return Incident.objects.create(flow=flow, **values)


def make_channel(**fields: object) -> Channel:
    values = {"name": "On call", "kind": "webhook", "config": {"url": "https://hooks.example.org/do-not-show-me"}}
    return Channel.objects.create(**values | fields)


def make_change(title: str = "checkout 2026.11.3", at: datetime | None = None, **fields: object) -> Change:
    values = {"service": "checkout", "external_id": f"{title}-{Change.objects.count()}"} | fields
    return Change.objects.create(title=title, at=at or lately(7 * MINUTE), **values)


def make_evidence(incident: Incident) -> None:
    """A failed trace with a log line in the store, and as an example of the incident."""
    span = make_span()
    store.record_spans([span], timezone.now())
    line = LogLine(span.start_ns + 1000, 17, f"card refused {HOSTILE}", "payment", TRACE_ID, span.span_id)
    store.record_logs([line])
    Example.objects.create(
        incident=incident,
        trace_id=TRACE_ID,
        role="bad",
        found_by="search",
        started_at=span.start,
        duration=span.duration,
    )
    TimelineEntry.objects.create(incident=incident, at=lately(), kind="fl", title=f"Opened {HOSTILE}")


def make_span(trace_id: str = TRACE_ID, flow: str = "checkout", error: bool = True) -> Span:
    return Span(
        trace_id=trace_id,
        span_id="00f067aa0ba902b7",
        parent_id="",
        service="gateway",
        name=f"POST /checkout {HOSTILE}",
        kind="server",
        start_ns=to_ns(lately(2 * MINUTE)),
        duration_ns=2_000_000_000,
        status="error" if error else "unset",
        attributes={"user.flow": flow, "note": HOSTILE},
    )


def patterns(resolver: URLResolver | None = None) -> Iterator[URLPattern]:
    """Every named address of the site."""
    for one in (resolver or get_resolver()).url_patterns:
        if isinstance(one, URLResolver):
            yield from patterns(one)
        elif one.name:
            yield one


def address(pattern: URLPattern, shop: Shop) -> str:
    """The address of this page for the shop's own flow, objective, incident …"""
    known: dict[str, object] = {"slug": shop.flow.slug, "trace_id": TRACE_ID, "kind": "requests"}
    stem = str(pattern.name).split("-")[0]
    row = {name: getattr(shop, name) for name in ("objective", "source", "channel", "token", "maintenance")}
    known["pk"] = row.get(stem, shop.incident).pk
    return reverse(str(pattern.name), kwargs={name: known[name] for name in pattern.pattern.converters})
