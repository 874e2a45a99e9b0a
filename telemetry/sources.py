"""Configured sources: how to ask a Prometheus, and what is remembered of how each answered."""

from datetime import datetime

from django.conf import settings

from connectors.errors import StoreError
from connectors.prometheus import Prometheus
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
