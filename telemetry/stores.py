"""The stores of traces and of log lines: the embedded one, and those that people configured."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from connectors.clickhouse import ClickHouseLogs, ClickHouseTraces
from connectors.elasticsearch import ElasticsearchLogs, ElasticsearchTraces
from connectors.errors import StoreError, TooMuch
from connectors.http import Access, Bounds, Store
from connectors.jaeger import Jaeger
from connectors.loki import Loki
from connectors.telemetry import LogStore, TraceStore
from connectors.tempo import Tempo
from connectors.victorialogs import VictoriaLogs
from telemetry import sources
from telemetry.models import Role, Source
from telemetry.store import EmbeddedLogs, EmbeddedTraces

# How long a page waits for one answer, whatever a source allows: somebody is looking at it.
PAGE_PATIENCE = timedelta(seconds=5)
REMEMBER_EVERY = timedelta(minutes=1)
# Where VictoriaTraces answers Jaeger's API.
_JAEGER_IN_VICTORIA = "/select/jaeger"


def trace_stores(patience: timedelta | None = None) -> list[TraceStore]:
    """The embedded store first. Each may be asked as much as the settings say; so make them anew for each purpose."""
    return [EmbeddedTraces(), *(_made(_TRACES, source, patience) for source in sources_of(Role.TRACES))]


def log_stores(patience: timedelta | None = None) -> list[LogStore]:
    return [EmbeddedLogs(), *(_made(_LOGS, source, patience) for source in sources_of(Role.LOGS))]


def sources_of(role: Role) -> list[Source]:
    """Those that were set up for this role, oldest first; the embedded store is none of them."""
    known = Source.objects.exclude(kind=Source.Kind.EMBEDDED).order_by("created_at", "pk")
    return [source for source in known if role in source.roles]


def of(source: Source) -> dict[Role, Store]:
    """The stores of traces and of log lines that one source is."""
    makers = {Role.TRACES: _TRACES, Role.LOGS: _LOGS}
    return {role: _made(makers[role], source, None) for role in source.roles if role in makers}


def _made(makers: dict[str, Callable[[Access, Source], Any]], source: Source, patience: timedelta | None) -> Any:
    return makers[source.kind](_access(source, patience), source)


def _access(source: Source, patience: timedelta | None) -> Access:
    credentials = source.credentials
    name, password = credentials.get("username", ""), credentials.get("password", "")

    def told(fault: StoreError | None) -> None:
        _remember(source, fault)

    return Access(
        source.url,
        allowed=settings.INTERNAL_ADDRESSES,
        headers=source.headers,
        auth=(name, password) if name or password else None,
        token=credentials.get("token", ""),
        timeout=min(source.timeout, patience or source.timeout),
        verify=source.verify_tls,
        bounds=Bounds(
            traces=settings.STORE_MOST_TRACES,
            lines=settings.STORE_MOST_LINES,
            size=settings.STORE_MAX_BYTES,
            time=settings.STORE_TIME,
            questions=settings.STORE_MOST_QUESTIONS,
        ),
        told=told,
    )


def _remember(source: Source, fault: StoreError | None) -> None:
    """What the settings page says of the source; written when it changes, and otherwise once a minute."""
    now = timezone.now()
    if fault is None:
        if source.last_error or not source.last_answered_at or now - source.last_answered_at > REMEMBER_EVERY:
            sources.record_answer(source, now)
    # That Fireline has asked enough, or too much, is no fault of the store.
    elif not isinstance(fault, TooMuch) and str(fault) != source.last_error:
        sources.record_error(source, fault, now)


def _victoria_traces(access: Access, source: Source) -> Jaeger:
    url = source.url if _JAEGER_IN_VICTORIA in source.url else f"{source.url.rstrip('/')}{_JAEGER_IN_VICTORIA}"
    return Jaeger(replace(access, url=url))


def _elastic_traces(access: Access, source: Source) -> ElasticsearchTraces:
    events = (source.logs_in or ElasticsearchLogs.usual) if Role.LOGS in source.roles else ""
    return ElasticsearchTraces(access, source.traces_in, events)


_TRACES: dict[str, Callable[[Access, Source], Any]] = {
    Source.Kind.TEMPO: lambda access, _: Tempo(access),
    Source.Kind.JAEGER: lambda access, _: Jaeger(access),
    Source.Kind.VICTORIATRACES: _victoria_traces,
    Source.Kind.ELASTICSEARCH: _elastic_traces,
    Source.Kind.CLICKHOUSE: lambda access, source: ClickHouseTraces(access, source.traces_in),
}
_LOGS: dict[str, Callable[[Access, Source], Any]] = {
    Source.Kind.LOKI: lambda access, _: Loki(access),
    Source.Kind.VICTORIALOGS: lambda access, _: VictoriaLogs(access),
    Source.Kind.ELASTICSEARCH: lambda access, source: ElasticsearchLogs(access, source.logs_in),
    Source.Kind.CLICKHOUSE: lambda access, source: ClickHouseLogs(access, source.logs_in),
}
