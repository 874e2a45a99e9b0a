"""Several workers in processes of their own on one database, one of them killed: the same ledger as one alone."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

pytestmark = pytest.mark.real

MINUTES = 60


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """A database of its own: a file, or on the PostgreSQL that the tests run on."""
    mine = os.environ | {"FIRELINE_VAR": str(tmp_path), "FIRELINE_SLICE_SECONDS": "60"}
    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if not url.scheme.startswith("postgres"):
        yield mine | {"DATABASE_URL": f"sqlite:///{tmp_path / 'fireline.sqlite3'}"}
        return
    name = f"workers_{uuid.uuid4().hex}"
    with psycopg.connect(url.geturl(), autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield mine | {"DATABASE_URL": url._replace(path=f"/{name}").geturl()}
        connection.execute(f"drop database {name} with (force)".encode())


def started(environment: Mapping[str, str], *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.slo.worker", *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output


def test_three_workers_of_which_one_is_killed_write_each_slice_once(environment: Mapping[str, str]) -> None:
    objective = said(started(environment, "prepare")).strip()
    workers = [started(environment, "run", objective, MINUTES) for _ in range(3)]
    victim = workers.pop()
    assert victim.stdout is not None
    for _ in range(10):
        victim.stdout.readline()
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=10)
    for worker in workers:
        said(worker)
    slices = json.loads(said(started(environment, "show", objective)))
    assert slices == [[n, n + 1, 1, 10, 10 * (n + 2)] for n in range(-1, MINUTES)]
