"""The log list: every line that was received, filtered by trace, service, severity, text and time."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from connectors.errors import StoreError
from connectors.telemetry import LogLine, LogQuery
from dashboards import paging
from dashboards.telemetry_filters import LogFilter
from telemetry import stores

PER_PAGE = 200
# What an address without any filter means.
USUAL_RANGE = "1h"


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    form = LogFilter(_asked(request))
    if not form.is_valid():
        return render(request, "logs.html", {"form": form}, status=422)
    cursor = paging.parse(request.GET.get("older", ""))
    query = form.query(timezone.now(), cursor.until if cursor else None, paging.asked(cursor, PER_PAGE))
    context: dict[str, Any] = {"form": form, "cursor": cursor, "filtered": _filtered(form)}
    context["long_range"] = form.long_range
    found, errors = search(query)
    context["errors"] = errors
    if errors and not found:
        return render(request, "logs.html", context | {"error": " ".join(errors)}, status=503)
    shown = paging.cut(found, lambda line: line.at_ns, cursor, PER_PAGE)
    return render(request, "logs.html", context | {"page": shown})


def search(query: LogQuery) -> tuple[list[LogLine], list[str]]:
    """The lines of all stores together, newest first, and what the stores said that could not answer."""
    found: list[LogLine] = []
    # Each sentence once: two sources may be one server.
    errors: dict[str, None] = {}
    for store in stores.log_stores(stores.PAGE_PATIENCE):
        try:
            found += store.search(query)
        except StoreError as error:
            errors[str(error)] = None
    return sorted(found, key=lambda line: -line.at_ns)[: query.limit], list(errors)


def _asked(request: HttpRequest) -> dict[str, Any]:
    asked: dict[str, Any] = {name: str(value).replace("\0", "") for name, value in request.GET.items()}
    # The lines of one trace are wanted whenever they were written.
    return {"range": "" if asked.get("trace") else USUAL_RANGE} | asked


def _filtered(form: LogFilter) -> bool:
    return any(form.cleaned_data[name] for name in ("text", "severity", "service", "trace"))
