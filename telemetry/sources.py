"""Configured sources: how to ask a Prometheus, and what is remembered of how each answered."""

from datetime import datetime

from django.conf import settings
from django.utils import timezone

from connectors.errors import StoreError
from connectors.prometheus import Prometheus
from telemetry import stores
from telemetry.models import Source


def client(source: Source) -> Prometheus:
    """A client with the source's credentials, headers and time limit. It connects when it is first asked."""
    credentials = source.credentials
    name, password = credentials.get("username", ""), credentials.get("password", "")
    return Prometheus(
        source.url,
        allowed=settings.INTERNAL_ADDRESSES,
        headers=source.headers,
        auth=(name, password) if name or password else None,
        token=credentials.get("token", ""),
        timeout=source.timeout,
        verify=source.verify_tls,
    )


def check(source: Source) -> str:
    """Asks the source who it is and remembers what it said: `answers, version 2.42.0, exemplars on`.

    Never raises for a store's fault: that is remembered as `last_error`, and its sentence returned.
    """
    try:
        said = _introduction(source)
    except StoreError as error:
        record_error(source, error, timezone.now())
        return str(error)
    record_answer(source, timezone.now(), said)
    return said


def _introduction(source: Source) -> str:
    if source.kind == Source.Kind.PROMETHEUS:
        with client(source) as prometheus:
            return _of_prometheus(prometheus)
    # Both indices or tables of a store that holds traces and log lines have to be there.
    versions = {role: store.probe() for role, store in stores.of(source).items()}
    version = next(filter(None, versions.values()), "")
    parts = ("answers", f"version {version}" if version else "", f"holds {' and '.join(versions)}")
    return ", ".join(part for part in parts if part)[:200]


def _of_prometheus(prometheus: Prometheus) -> str:
    # A query first: some compatible stores answer nothing but queries.
    prometheus.instant("1", timezone.now())
    version = prometheus.build_info().get("version")
    exemplars = {True: "exemplars on", False: "exemplars off", None: ""}[prometheus.exemplars_on()]
    parts = ("answers", f"version {version}" if version else "", exemplars)
    return ", ".join(part for part in parts if part)[:200]


def record_answer(source: Source, at: datetime, said: str = "") -> None:
    """Remember that the source answered at `at`; `said` only when it was asked who it is."""
    source.last_answered_at, source.last_error, source.last_error_at = at, "", None
    source.answer = said or source.answer
    _remember(source, "last_answered_at", "last_error", "last_error_at", *(["answer"] if said else []))


def record_error(source: Source, error: StoreError, at: datetime) -> None:
    """Remember why the source did not answer; when it last did stays."""
    source.last_error, source.last_error_at = str(error), at
    _remember(source, "last_error", "last_error_at")


def _remember(source: Source, *fields: str) -> None:
    # An update by name, so that nothing a person edits meanwhile is written back.
    Source.objects.filter(pk=source.pk).update(**{field: getattr(source, field) for field in fields})


def default_prometheus() -> Source | None:
    """The Prometheus that a new objective starts with: the first one that was set up."""
    return Source.objects.filter(kind=Source.Kind.PROMETHEUS).order_by("created_at", "pk").first()
