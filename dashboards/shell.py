"""What every page's frame shows: where we are, how many incidents are open, and as of when."""

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from alerts.models import Incident

# The entry of the main navigation that a page belongs to, by the first part of its URL name.
SECTIONS = {
    "overview": "overview",
    "incident": "incidents",
    "incidents": "incidents",
    "flow": "flows",
    "flows": "flows",
    "objective": "flows",
    "changes": "changes",
    "maintenance": "maintenance",
    "trace": "traces",
    "traces": "traces",
    "logs": "logs",
    "settings": "settings",
    "source": "settings",
    "channel": "settings",
    "token": "settings",
}


def shell(request: HttpRequest) -> dict[str, Any]:
    match = request.resolver_match
    name = (match.url_name or "") if match else ""
    return {
        "section": SECTIONS.get(name.split("-")[0], ""),
        "as_of": timezone.now(),
        # Lazy: fragments and the login page do not pay for it.
        "open_incidents": SimpleLazyObject(lambda: Incident.objects.unresolved().count()),
    }
