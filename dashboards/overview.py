"""The overview: open incidents, flows worst first, recent changes. Its live part has a URL of its own."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from alerts.models import Incident
from dashboards import changes, standing
from dashboards.incident_facts import Gist
from dashboards.standing import FlowStanding

WORDS = {
    "paging": "paging",
    "burning": "burning",
    "no-data": "without data",
    "maintenance": "in maintenance",
    "unset": "without an objective",
    "ok": "fine",
}
SORTS: dict[str, Callable[[FlowStanding], Any]] = {
    "flow": lambda one: one.flow.name.casefold(),
    "budget": lambda one: 2.0 if one.least_budget is None else one.least_budget,
}


def _banners(flows: Sequence[FlowStanding], now: datetime) -> list[Gist]:
    """Paging ones first, then the longest open."""
    found = [banner for one in flows if (banner := standing.banner_of(one, now))]
    return sorted(found, key=lambda banner: (banner.pill != "paging", banner.incident.opened_at))


def _summary(flows: Sequence[FlowStanding]) -> str:
    if not flows:
        return "Nothing is measured yet."
    objectives = sum(len(one.objectives) for one in flows)
    counted = Counter(one.status for one in flows)
    head = f"{_plural(len(flows), 'flow')}, {_plural(objectives, 'objective')}"
    if set(counted) == {"ok"}:
        return f"{head}, all measured. Nothing burns."
    return f"{head}. {', '.join(f'{counted[status]} {word}' for status, word in WORDS.items() if counted[status])}."


def _plural(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing is open: for how long, and what was last."""

    last: Incident | None
    # "9 days": nobody counts the minutes of it.
    for_: str
    coverage: float | None


def _quiet(flows: Sequence[FlowStanding], now: datetime) -> Quiet:
    last = Incident.objects.exclude(resolved_at=None).order_by("-resolved_at").first()
    known = [one.coverage for flow in flows for one in flow.objectives if one.coverage is not None]
    ended = last.resolved_at if last else None
    return Quiet(last, _long(now - ended) if ended else "", min(known, default=None))


def _long(passed: timedelta) -> str:
    if passed >= timedelta(days=2):
        return f"{passed.days} days"
    hours = passed // timedelta(hours=1)
    return _plural(hours, "hour") if hours else _plural(max(1, passed // timedelta(minutes=1)), "minute")


def _context(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    flows = standing.of_all(now)
    sort = request.GET.get("sort", "")
    banners = _banners(flows, now)
    return {
        "as_of": now,
        "flows": sorted(flows, key=SORTS[sort]) if sort in SORTS else flows,
        "sort": sort if sort in SORTS else "status",
        "banners": banners,
        "quiet": None if banners else _quiet(flows, now),
        "summary": _summary(flows),
        "unmeasured": [one for flow in flows for one in flow.objectives if one.stale][:3],
        "changes": changes.recent(now),
    }


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    return render(request, "overview.html", _context(request))


@require_GET
def live(request: HttpRequest) -> HttpResponse:
    return render(request, "overview.html#live", _context(request) | {"fragment": True})
