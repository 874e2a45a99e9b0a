"""What a load balancer and a supervisor ask: does the process live, and can it do its work?"""

from typing import Any

import redis
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from slo.models import Objective

# Redis only carries work, so a page must not wait long to learn that it is gone.
REDIS_TIMEOUT = 1.0


@login_not_required
@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as the process can answer at all; asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when pages can be served; 503 while a database is away or not migrated.

    Redis and a late evaluation only degrade: pages still show what is known, and as of when.
    """
    databases = {alias: _database(alias) for alias in connections}
    ready = all(said == "ok" for said in databases.values())
    carrier = _redis()
    evaluation = _evaluation() if ready else {"last_measured_seconds_ago": None}
    state = "ready" if ready else "not ready"
    if ready and carrier != "ok":
        state = "degraded"
    answer = {"state": state, "databases": databases, "redis": carrier, **evaluation}
    return JsonResponse(answer, status=200 if ready else 503)


def _database(alias: str) -> str:
    try:
        executor = MigrationExecutor(connections[alias])
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "does not answer"
    return f"{len(pending)} migrations are missing: run manage.py migrate" if pending else "ok"


def _redis() -> str:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
        ) as client:
            client.ping()
    except (redis.RedisError, OSError, ValueError):
        return "does not answer: nothing is measured until it is back"
    return "ok"


def _evaluation() -> dict[str, Any]:
    newest = Objective.objects.active().aggregate(newest=Max("measured_until"))["newest"]
    age = round((timezone.now() - newest).total_seconds()) if newest else None
    return {"last_measured_seconds_ago": age}
