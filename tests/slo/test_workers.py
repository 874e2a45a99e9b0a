"""Workers in processes of their own, killed or without their store: ledger and alerts as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.make import HOUR, MINUTE, NOON
from tests.servers import prometheus_server
from tests.slo.scrapes import Target, labels, openmetrics, samples

pytestmark = pytest.mark.real

MINUTES = 45

type Environment = Mapping[str, str]


@contextmanager
def database(directory: Path) -> Iterator[Environment]:
    """The surroundings of a database of its own: a file, or on the PostgreSQL that the tests run on."""
    name = f"workers_{uuid.uuid4().hex}"
    mine = os.environ | {"FIRELINE_VAR": str(directory), "FIRELINE_SLICE_SECONDS": "60"}
    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if not url.scheme.startswith("postgres"):
        yield mine | {"DATABASE_URL": f"sqlite:///{directory / name}.sqlite3"}
        return
    with psycopg.connect(url.geturl(), autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield mine | {"DATABASE_URL": url._replace(path=f"/{name}").geturl()}
        connection.execute(f"drop database {name} with (force)".encode())


def started(environment: Environment, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.slo.worker", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output


def ran(environment: Environment, *arguments: object) -> str:
    return said(started(environment, *arguments)).strip()


def shown(environment: Environment) -> Any:
    return json.loads(ran(environment, "show"))


def undisturbed(directory: Path, url: str = "") -> Any:
    """What one worker alone leaves behind."""
    with database(directory) as environment:
        objective = ran(environment, "prepare", url)
        ran(environment, "run", objective, 1, MINUTES, "at its source" if url else "scripted")
        slices, moves = shown(environment)
    assert len(slices) == MINUTES
    assert [(old, new) for _, old, new, _ in moves] == [("inactive", "firing"), ("firing", "resolved")]
    return [slices, moves]


def test_three_workers_of_which_one_is_killed_do_what_one_alone_does(tmp_path: Path) -> None:
    with database(tmp_path) as environment:
        objective = ran(environment, "prepare")
        workers = [started(environment, "run", objective, 1, MINUTES) for _ in range(3)]
        victim = workers.pop()
        assert victim.stdout is not None
        for _ in range(17):
            victim.stdout.readline()
        victim.send_signal(signal.SIGKILL)
        victim.communicate(timeout=10)
        for worker in workers:
            said(worker)
        assert shown(environment) == undisturbed(tmp_path)


def history() -> str:
    """Two hours of a shop that is scraped every 15 seconds; for a while two of four requests in between fail."""
    shop = Target("a", first=NOON - HOUR)
    bad = good = 0
    for n in range(2 * HOUR // shop.every + 1):
        failing = n * shop.every - HOUR
        fails = 2 if 15 * MINUTE < failing <= 25 * MINUTE else 0
        bad, good = bad + fails, good + 4 - fails
        shop.sees({labels(code="500"): bad, labels(code="200"): good})
    return openmetrics(samples("requests_total", [shop], stale=False))


def test_half_an_hour_without_prometheus_leaves_no_trace(tmp_path: Path) -> None:
    with prometheus_server(openmetrics=history()) as store, database(tmp_path) as environment:
        objective = ran(environment, "prepare", store.url)
        ran(environment, "run", objective, 1, 9, "at its source")
        store.stop(signal.SIGKILL)
        ran(environment, "run", objective, 10, 39, "at its source")
        assert len(shown(environment)[0]) == 9
        store.start()
        ran(environment, "run", objective, 40, MINUTES, "at its source")
        assert shown(environment) == undisturbed(tmp_path, store.url)
