"""Addresses that work from outside: in messages, not on pages."""

from urllib.parse import urlencode

from django.conf import settings
from django.urls import reverse

from alerts.models import Example, Incident
from slo.models import Flow, Objective


def incident(row: Incident) -> str:
    return _absolute(reverse("incident", args=[row.pk]))


def example(row: Example) -> str:
    """The trace, with the span that failed selected and the way back to its incident."""
    query = {"incident": row.incident_id} | ({"span": row.span_id} if row.span_id else {})
    return f"{_absolute(reverse('trace', args=[row.trace_id]))}?{urlencode(query)}"


def flow(row: Flow) -> str:
    return _absolute(reverse("flow", args=[row.slug]))


def objective(row: Objective) -> str:
    return _absolute(reverse("objective", args=[row.pk]))


def _absolute(path: str) -> str:
    return f"{settings.BASE_URL}{path}"
