"""Changes: what was deployed, flipped or edited, and which incidents came soon after."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from alerts.models import Incident
from telemetry.models import Change

ICONS = {Change.Kind.DEPLOY: "deploy", Change.Kind.FLAG: "flag", Change.Kind.CONFIG: "doc", Change.Kind.OTHER: "change"}
# An incident that opens later than this after a change is not shown beside it.
NEAR = timedelta(minutes=30)
PER_PAGE = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A change, and the incident that opened soonest after it, if one did within `NEAR`."""

    change: Change
    icon: str
    incident: Incident | None

    @property
    def ahead(self) -> timedelta | None:
        return self.incident.opened_at - self.change.at if self.incident else None


def rows(changes: Iterable[Change]) -> list[Row]:
    """Changes with the incidents that followed: one query however many there are."""
    found = list(changes)
    if not found:
        return []
    incidents = _incidents_between(min(c.at for c in found), max(c.at for c in found) + NEAR)
    return [Row(change, _icon(change), _next(incidents, change.at)) for change in found]


def _icon(change: Change) -> str:
    return ICONS.get(Change.Kind(change.kind), "change") if change.kind in Change.Kind.values else "change"


def _incidents_between(start: datetime, end: datetime) -> Sequence[Incident]:
    return list(Incident.objects.filter(opened_at__gte=start, opened_at__lte=end).order_by("opened_at")[:500])


def _next(incidents: Sequence[Incident], at: datetime) -> Incident | None:
    return next((incident for incident in incidents if at <= incident.opened_at <= at + NEAR), None)


def recent(now: datetime, limit: int = 6) -> list[Row]:
    return rows(Change.objects.filter(at__lte=now)[:limit])


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    kind, service = request.GET.get("kind", ""), request.GET.get("service", "").strip()
    changes = Change.objects.all()
    if kind in Change.Kind.values:
        changes = changes.filter(kind=kind)
    if service:
        changes = changes.filter(service__icontains=service)
    shown = Paginator(changes, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "page": shown,
        "rows": rows(shown.object_list),
        "kinds": Change.Kind.choices,
        "kind": kind,
        "service": service,
        "now": timezone.now(),
    }
    return render(request, "changes.html", context)
