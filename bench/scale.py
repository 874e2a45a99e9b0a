"""How Fireline bears many objectives: a whole round, the ledger's share of it, memory, bytes a slice, and windows.

uv run python -m bench.scale [--objectives 1000] [--series 300] [--only sqlite|postgres]

One objective in ten has `--series` series behind it, the others three. A private Prometheus is fed by remote write.
The targets are those of 10,000 objectives on two cores; `--objectives 10000` takes some minutes and 3 GB.
"""

import argparse
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import batched
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django

from bench.remote_write import Writer
from tests import servers

if TYPE_CHECKING:
    from slo.models import Objective

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SCRAPE = timedelta(seconds=30)
# As many objectives as one task measures.
TOGETHER = 500
ROUNDS = 3
WORKERS = 2


def main() -> int:
    options = _options()
    if options.database:
        _one_database(options)
        return 0
    start = datetime.now(UTC).replace(second=0, microsecond=0) - 30 * MINUTE
    with servers.prometheus_server() as prometheus:
        _feed(prometheus.url, options, start)
        for name, url in _databases(options.only):
            with url as address:
                print(f"\n{options.objectives:,} objectives on {name}", flush=True)
                _run_apart(options, address, prometheus.url, start)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objectives", type=int, default=1000)
    parser.add_argument("--series", type=int, default=300, help="behind each tenth objective")
    parser.add_argument("--only", choices=["sqlite", "postgres"])
    # What a run in a process of its own is given, so that its memory is its own.
    parser.add_argument("--database", help=argparse.SUPPRESS)
    parser.add_argument("--prometheus", help=argparse.SUPPRESS)
    parser.add_argument("--start", type=datetime.fromisoformat, help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory:
        yield f"sqlite:///{directory}/scale.sqlite3"


@contextmanager
def _postgres() -> Iterator[str]:
    with servers.postgres_server() as server:
        yield server.url


def _databases(only: str | None) -> list[tuple[str, AbstractContextManager[str]]]:
    both = [("SQLite", _sqlite()), ("PostgreSQL", _postgres())]
    return [one for one in both if only in (None, one[0].lower().replace("postgresql", "postgres"))]


def _run_apart(options: argparse.Namespace, database: str, prometheus: str, start: datetime) -> None:
    command = [sys.executable, "-m", "bench.scale", "--database", database, "--prometheus", prometheus]
    command += ["--objectives", str(options.objectives), "--series", str(options.series), "--start", start.isoformat()]
    with tempfile.TemporaryDirectory() as var:
        surroundings = os.environ | {
            "DATABASE_URL": database,
            "FIRELINE_VAR": var,
            "FIRELINE_SECRET_KEY": "bench",
            "FIRELINE_INTERNAL_ADDRESSES": "127.0.0.0/8",
            "FIRELINE_LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }
        subprocess.run(command, env=surroundings, check=True)


# -- What Prometheus knows
def _feed(url: str, options: argparse.Namespace, start: datetime) -> None:
    """Counters of every service from six minutes before `start` to the last round."""
    labels = [one for n in range(options.objectives) for one in _series_of(n, options.series)]
    writer, began = Writer(url, labels), time.perf_counter()
    scrapes = (6 * MINUTE + ROUNDS * MINUTE) // SCRAPE + 1
    for n in range(scrapes):
        writer.write(start - 6 * MINUTE + n * SCRAPE, [float(n * 20)] * len(labels))
    print(f"fed {len(labels):,} series, {scrapes} scrapes in {time.perf_counter() - began:.0f} s", flush=True)


def _series_of(n: int, many: int) -> list[dict[str, str]]:
    replicas = max(1, many // 3) if n % 10 == 0 else 1
    return [
        {
            "__name__": "requests_total",
            "service": f"service-{n}",
            "job": f"service-{n}",
            "instance": f"replica-{replica}",
            "code": code,
        }
        for replica in range(replicas)
        for code in ("200", "404", "500")
    ]


# -- One database
def _one_database(options: argparse.Namespace) -> None:
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    objectives = _objectives(options.objectives, options.prometheus)
    size = _size()
    _ledger_rounds(objectives, options.start)
    rows = len(objectives) * 60
    print(f"bytes a slice: {(_size() - size) / rows:.0f}")
    _whole_rounds([one.pk for one in objectives], options.start)
    _windows()


def _objectives(count: int, prometheus: str) -> "list[Objective]":
    """Copies of one objective with the usual rules, each counting a service of its own."""
    from slo.models import AlertRule, Objective
    from tests.make import make_source

    first = _usual(source=make_source(prometheus))
    rules = list(first.rules.all())
    fields = [field.attname for field in Objective._meta.concrete_fields if not field.primary_key]
    same = {name: getattr(first, name) for name in fields}
    made = Objective.objects.bulk_create(
        Objective(**same | {"name": f"Objective {n} of many", "matchers": [_service(n)]}) for n in range(count)
    )
    given = [field.attname for field in AlertRule._meta.concrete_fields if not field.primary_key]
    AlertRule.objects.bulk_create(
        AlertRule(**{name: getattr(rule, name) for name in given} | {"objective_id": one.pk})
        for one in made
        for rule in rules
    )
    return made


def _usual(**fields: Any) -> "Objective":
    """An objective over 30 days with the rules that a new one gets: tiers, budget alerts, no data."""
    from slo.definition import USUAL_BUDGET_ALERTS, USUAL_NO_DATA
    from slo.definitions import save_objective
    from slo.tiers import scaled_for
    from tests.make import make_objective

    objective = make_objective(window=30 * DAY, **fields)
    return save_objective(objective, [*scaled_for(objective.window), *USUAL_BUDGET_ALERTS, USUAL_NO_DATA])


def _service(n: int) -> dict[str, str]:
    return {"label": "service", "op": "=", "value": f"service-{n}"}


def _ledger_rounds(objectives: "list[Objective]", start: datetime) -> None:
    """An hour of slices until `start`: most at once, the last minutes as in single rounds."""
    from alerts import evaluation
    from slo import ledger
    from slo.ledger import Batch
    from tests.make import measured

    begins = start - HOUR
    appended, evaluated = [], []
    for first, count in ((0, 55), *((n, 1) for n in range(55, 60))):
        slices = measured(begins + first * MINUTE, [(0, 20)] * count)
        appending, evaluating = 0.0, 0.0
        for some in batched(objectives, TOGETHER, strict=False):
            began = time.perf_counter()
            ledger.append([Batch(one, {(): slices}) for one in some])
            appending += time.perf_counter() - began
            began = time.perf_counter()
            evaluation.evaluate([one.pk for one in some], slices[-1].end)
            evaluating += time.perf_counter() - began
        if count == 1:
            appended.append(appending / len(objectives))
            evaluated.append(evaluating / len(objectives))
    print(
        f"append: {statistics.median(appended) * 1e6:.0f} µs an objective and round (target: with evaluation < 1,000)"
    )
    print(f"evaluate: {statistics.median(evaluated) * 1e6:.0f} µs an objective and round")


def _whole_rounds(ids: list[int], start: datetime) -> None:
    """Rounds as two workers do them, each in a process of its own."""
    from django.conf import settings

    from slo.models import Objective

    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"), django.setup) as workers:
        for n in range(1, ROUNDS + 1):
            now, began = start + n * MINUTE + settings.SETTLE, time.perf_counter()
            portions = list(batched(ids, TOGETHER, strict=False))
            used = sum(workers.map(_measure, portions, [now] * len(portions)))
            wall = time.perf_counter() - began
            done = Objective.objects.filter(pk__in=ids, measured_until=start + n * MINUTE).count()
            print(
                f"round {n}: {wall:.1f} s, CPU of the workers {used:.1f} s; {done:,} measured (target: 30 s)",
                flush=True,
            )
        print(f"memory of a worker: {max(workers.map(_memory, range(WORKERS))):.0f} MB at most (target: 500)")


def _measure(ids: tuple[int, ...], now: datetime) -> float:
    """What a task does, in a worker; the CPU seconds that it took."""
    from alerts import evaluation
    from slo import measurement

    began = time.process_time()
    measurement.advance(ids, now)
    evaluation.evaluate(ids, now)
    return time.process_time() - began


def _memory(_turn: int) -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _size() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_total_relation_size('slo_slice')")
            return int(cursor.fetchone()[0])
    name = Path(str(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return name.stat().st_size


def _windows() -> None:
    """Every window that an objective's rules look at, on a day and on a quarter of a year of minutes."""
    from slo import judgement, ledger
    from slo.definitions import definition_of
    from tests.make import book_of, make_slices

    end = datetime(2026, 3, 1, tzinfo=UTC)
    for days in (1, 90):
        objective = _usual()
        make_slices(objective, end - days * DAY, [(1, 1000)] * (days * DAY // MINUTE))
        book, definition = book_of(objective), definition_of(objective)
        wanted = judgement.instants(definition, end)
        taken = _median(partial(ledger.histories, [book], wanted))
        print(f"all windows of one objective on {days} d of ledger: {taken * 1e3:.2f} ms (target: 5)")


def _median(work: Callable[[], object], rounds: int = 200) -> float:
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    sys.exit(main())
