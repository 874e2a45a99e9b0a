"""Maintenance in the browser: the list, declaring it with a look at what it takes out, ending and cancelling it."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dashboards import maintenance_facts, moments
from dashboards.maintenance_form import MaintenanceForm
from slo import maintenance
from slo.instants import floor
from slo.models import Maintenance

PER_PAGE = 20
# Occurrences that a preview lists.
MOST_TIMES = 5
MINUTE = timedelta(minutes=1)


@require_GET
def list_page(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    page = Paginator(maintenance_facts.over(now), PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "open": maintenance_facts.open_ones(now),
        "page": page,
        "over": [maintenance_facts.entry(row, now) for row in page],
        "as_of": now,
    }
    return render(request, "maintenance.html", context)


# -- Declaring
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    if request.method == "GET":
        return render(request, "maintenance_form.html", {"form": MaintenanceForm(initial=_proposed(request, now))})
    form = MaintenanceForm(request.POST)
    valid = form.is_valid()
    if "look" in request.POST:
        # Without JavaScript: what the fragment would have fetched, within the page.
        return render(request, "maintenance_form.html", _preview(form, now))
    if not valid:
        return render(request, "maintenance_form.html", {"form": form}, status=422)
    row = form.draft()
    assert isinstance(request.user, User)  # noqa: S101 (every page asks for a login)
    row.created_by = request.user
    row.save()
    messages.success(request, f"{row.reason} is declared. Its time does not count.")
    return redirect("maintenance-entry", pk=row.pk)


@require_POST
@never_cache
def preview(request: HttpRequest) -> HttpResponse:
    """What the maintenance would take out, while it is being typed."""
    return render(request, "maintenance_form.html#preview", _preview(MaintenanceForm(request.POST), timezone.now()))


def _preview(form: MaintenanceForm, now: datetime) -> dict[str, Any]:
    if not form.is_valid():
        missing = [str(error) for errors in form.errors.values() for error in errors]
        return {"form": form, "missing": missing, "as_of": now}
    return {"form": form, "as_of": now, **_shown(form.draft(), now)}


def _shown(row: Maintenance, now: datetime) -> dict[str, Any]:
    """When it takes place, and what it takes out of the present windows."""
    return {
        "entry": maintenance_facts.entry(row, now),
        "times": maintenance.coming(row, min(row.start, now), MOST_TIMES),
        "effects": maintenance_facts.effects(row),
        "previewed": True,
    }


def _proposed(request: HttpRequest, now: datetime) -> dict[str, Any]:
    chosen = [f"{kind}:{request.GET[kind]}" for kind in ("flow", "objective") if request.GET.get(kind)]
    zone = "UTC"
    return {"scope": chosen[0] if chosen else "", "start": moments.written(floor(now, MINUTE), zone), "time_zone": zone}


# -- One of them
@require_GET
def entry(request: HttpRequest, pk: int) -> HttpResponse:
    return _entry(request, _row(pk))


def _entry(
    request: HttpRequest, row: Maintenance, problem: str = "", typed: str = "", status: int = 200
) -> HttpResponse:
    now = timezone.now()
    found = maintenance_facts.entry(row, now)
    context = {
        "entry": found,
        "row": row,
        "now": now,
        "as_of": now,
        "past": [(left, min(right, now)) for left, right in maintenance.occurrences(row, row.start, now)][-MOST_TIMES:],
        "problem": problem,
        "typed": typed or moments.written(floor(now, MINUTE), "UTC"),
    }
    return render(request, "maintenance_entry.html", context, status=status)


@require_POST
def shorten(request: HttpRequest, pk: int) -> HttpResponse:
    """End it at a moment, now unless told; what was before stays taken out."""
    row, typed = _row(pk), request.POST.get("at", "").strip()
    if row.cancelled_at:
        return _entry(request, row, "It has been cancelled meanwhile, so there is nothing to end.", typed, 422)
    try:
        at = moments.read(typed, request.POST.get("zone", "UTC")) if typed else timezone.now()
    except ValueError as problem:
        return _entry(request, row, str(problem), typed, status=422)
    maintenance.shorten(row, at)
    messages.success(request, f"{row.reason} is over. What was before stays taken out.")
    return redirect("maintenance")


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Take it back: all of its time counts again."""
    row = _row(pk)
    maintenance.cancel(row)
    messages.success(request, f"{row.reason} is cancelled. All of its time counts again.")
    return redirect("maintenance")


def _row(pk: int) -> Maintenance:
    return get_object_or_404(Maintenance.objects.select_related("flow", "objective__flow", "created_by"), pk=pk)
