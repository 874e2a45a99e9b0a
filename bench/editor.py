"""How long the editor takes to answer: 30 days of one objective in slices of a minute, once they were fetched.

    uv run python -m bench.editor [--rate 5] [--days 30]

Feeds a private Prometheus a scrape every 30 s, and sends the form as a browser does with every change: first until the
past is read, then with other targets. The service fails steadily at 0.06 %, with an outage a week, so that of the
targets some burn now and then, and 99.99 % all the time, about as fast as a tier allows: the hardest to judge. The
editor must answer within 2 s.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import django
import numpy as np

from bench.remote_write import Writer
from tests.servers import prometheus_server

if TYPE_CHECKING:
    from django.test import Client

SCRAPE, STRETCH = timedelta(seconds=30), timedelta(minutes=30)
FAILING, OUTAGE = 0.0006, 0.2
TARGETS = ("99", "99.5", "99.9", "99.95", "99.99")
# The slowest of so many answers counts.
ROUNDS = 3
LIMIT = 2.0
# While this stands on the page, it asks again by itself.
READING = "Reading the past"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=5, help="requests a second")
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as var, prometheus_server() as server:
        _prepare(var)
        _feed(server.url, options)
        return _print(server.url, options)


def _prepare(var: str) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": f"sqlite:///{var}/editor.sqlite3",
        "FIRELINE_VAR": var,
        "FIRELINE_SECRET_KEY": "bench",
        "FIRELINE_INTERNAL_ADDRESSES": "127.0.0.1",
        "FIRELINE_ALLOWED_HOSTS": "testserver",
        "FIRELINE_LOG_LEVEL": "ERROR",
    }
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


def _feed(url: str, options: argparse.Namespace) -> None:
    """Two counters of one target, from before the first slice until a little after now."""
    target = {"job": "shop", "instance": "shop:80", "service": "checkout"}
    labels = [{"__name__": "requests_total", "code": code, **target} for code in ("200", "500")]
    writer, random = Writer(url, [*labels, {"__name__": "up", **target}]), np.random.default_rng(7)
    begin = datetime.now(UTC) - timedelta(days=options.days, hours=1)
    times = begin.timestamp() + SCRAPE.total_seconds() * np.arange((options.days + 1 / 12) * 86_400 // 30)
    failing = np.where(times % (7 * 86_400) < 1_800, OUTAGE, FAILING)
    total = random.poisson(options.rate * SCRAPE.total_seconds(), len(times))
    bad = random.binomial(total, failing)
    values = np.vstack([np.cumsum(total - bad), np.cumsum(bad), np.ones(len(times))]).astype(float)
    # Prometheus takes nothing that is an hour older than the newest.
    for first in range(0, len(times), STRETCH // SCRAPE):
        part = slice(first, first + STRETCH // SCRAPE)
        writer.stretch(times[part], values[:, part])


def _print(url: str, options: argparse.Namespace) -> int:
    client, address, form = _editor(url, options)
    asked, began = 1, time.perf_counter()
    while READING in _answer(client, address, form):
        asked += 1
    print(f"first fetch: {time.perf_counter() - began:.1f} s in {asked} answers, progress shown after each")
    print(f"\n{options.days} d of one objective in slices of a minute, the slowest of {ROUNDS} answers\n")
    print("| objective | seconds | CPU seconds | target |\n|---|---:|---:|---:|")
    slowest = 0.0
    for target in TARGETS:
        wall, used = max(_timed(client, address, form | {"target": target}) for _ in range(ROUNDS))
        slowest = max(slowest, wall)
        print(f"| {target} % | {wall:.2f} | {used:.2f} | {LIMIT:g} |", flush=True)
    print(f"\nthe slowest answer took {slowest:.2f} s; at most {LIMIT:g} s: {'held' if slowest <= LIMIT else 'missed'}")
    return int(slowest > LIMIT)


def _editor(url: str, options: argparse.Namespace) -> "tuple[Client, str, dict[str, Any]]":
    from django.contrib.auth.models import User
    from django.test import Client

    from tests.dashboards.objective_forms import filled
    from tests.make import make_flow, make_source

    make_flow("Checkout")
    client = Client()
    client.force_login(User.objects.create_superuser("owner"))
    form = filled(make_source(url), window=f"{options.days} d", **_usual_tiers(timedelta(days=options.days)))
    return client, "/flows/checkout/objectives/preview/", form


def _usual_tiers(window: timedelta) -> dict[str, list[str]]:
    from slo.tiers import scaled_for

    tiers = scaled_for(window)

    return {
        "tier_severity": [one.severity for one in tiers],
        "tier_long": [f"{one.long.total_seconds():.0f}" for one in tiers],
        "tier_short": [f"{one.short.total_seconds():.0f}" for one in tiers],
        "tier_share": [f"{one.budget_share * 100:f}" for one in tiers],
    }


def _timed(client: "Client", address: str, form: Mapping[str, Any]) -> tuple[float, float]:
    began, used = time.perf_counter(), time.process_time()
    _answer(client, address, form)
    return time.perf_counter() - began, time.process_time() - used


def _answer(client: "Client", address: str, form: Mapping[str, Any]) -> str:
    response = client.post(address, form)
    page = response.content.decode()
    if response.status_code != 200 or "with this draft" not in page:
        raise RuntimeError(f"The editor answered {response.status_code}: {page[:500]}")
    return page


if __name__ == "__main__":
    sys.exit(main())
