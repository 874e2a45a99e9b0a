"""Several web processes take the same telemetry at the same time: nothing is lost, counted twice, or stuck."""

import os
import random
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from connectors.telemetry import to_ns
from tests import servers
from tests.telemetry import messages

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
TRACES, SPANS, SENDERS, REQUESTS = 40, 40, 16, 2
START = datetime.now(UTC) - timedelta(minutes=1)

# Judges traces again and again beside the writers; all of them stay, because each has an error.
JUDGE = """
import django; django.setup()
from datetime import timedelta
from django.utils import timezone
from telemetry import retention
for _ in range(60): retention.settle(timezone.now() + timedelta(hours=1)), retention.expire(timezone.now())
"""


class Web(servers.Server):
    """Fireline's web processes as they are deployed: gunicorn with two workers of several threads."""

    name = "web"

    def __init__(self, directory: Path, environment: dict[str, str]) -> None:
        super().__init__(directory)
        self.environment = os.environ | environment
        (directory / "static").mkdir()
        for database in ("default", "telemetry") if "DATABASE_URL" not in environment else ("default",):
            migrate = [sys.executable, "manage.py", "migrate", "--database", database, "--verbosity", "0"]
            subprocess.run(migrate, env=self.environment, check=True, cwd=ROOT)

    def command(self) -> list[str]:
        words = ("env", *(f"{name}={value}" for name, value in self.environment.items() if name.startswith("FIRELINE")))
        database = (f"DATABASE_URL={self.environment['DATABASE_URL']}",) if "DATABASE_URL" in self.environment else ()
        gunicorn = (sys.executable, "-m", "gunicorn", "config.wsgi", "--chdir", str(ROOT))
        return [*words, *database, *gunicorn, f"--bind=127.0.0.1:{self.port}", "--workers=2", "--threads=4"]

    def answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/traces", timeout=1)
        except urllib.error.HTTPError as answer:
            return answer.code == 405
        except OSError:
            return False
        return False

    def post(self, body: Any, **headers: str) -> requests.Response:
        headers = {"Authorization": "Bearer t", "Content-Type": "application/x-protobuf", **headers}
        return requests.post(f"http://127.0.0.1:{self.port}/v1/traces", body, headers=headers, timeout=60)


@contextmanager
def web(directory: Path, **environment: str) -> Iterator[Web]:
    settings = {"FIRELINE_SECRET_KEY": "t", "FIRELINE_VAR": str(directory), "FIRELINE_INGEST_TOKEN": "t"}
    server = Web(directory, settings | environment)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def deployment(request, tmp_path, monkeypatch):
    """The web processes, and how to ask their database."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if request.param == "sqlite":
        with web(tmp_path) as server:
            connection = sqlite3.connect(tmp_path / "telemetry.sqlite3")
            yield server, lambda sql: connection.execute(sql).fetchall()
            connection.close()
    else:
        with (
            servers.postgres_server() as postgres,
            web(tmp_path, DATABASE_URL=postgres.url) as server,
            psycopg.connect(postgres.url, autocommit=True) as connected,
        ):
            yield server, lambda sql: connected.execute(sql).fetchall()


def every_span() -> list[Any]:
    """Each trace's spans follow each other, a millisecond each; the root is the first, one in the middle failed."""
    return [
        messages.span(
            START + timedelta(milliseconds=number),
            trace=f"{trace:032x}",
            span_id=f"{number:016x}",
            parent=f"{number - 1:016x}" if number > 1 else "",
            name=f"step {number}",
            ms=1,
            error=number == SPANS // 2,
        )
        for trace in range(1, TRACES + 1)
        for number in range(1, SPANS + 1)
    ]


def shuffled_requests(seed: int) -> list[bytes]:
    spans = every_span()
    random.Random(seed).shuffle(spans)
    size = len(spans) // REQUESTS
    return [messages.traces(*spans[at : at + size]).SerializeToString() for at in range(0, len(spans), size)]


def test_the_same_spans_from_many_senders_at_once_are_stored_once(deployment):
    server, ask = deployment
    bodies = [body for seed in range(SENDERS) for body in shuffled_requests(seed)]
    environment = server.environment | {"DJANGO_SETTINGS_MODULE": "config.settings"}
    judge = subprocess.Popen([sys.executable, "-c", JUDGE], cwd=ROOT, env=environment)
    with ThreadPoolExecutor(8) as senders:
        answers = list(senders.map(server.post, bodies))
    assert judge.wait(timeout=60) == 0
    assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"")] * SENDERS * REQUESTS
    assert ask("SELECT count(*) FROM telemetry_storedspan") == [(TRACES * SPANS,)]
    first, last = to_ns(START + timedelta(milliseconds=1)), to_ns(START + timedelta(milliseconds=SPANS + 1))
    columns = "name, start_ns, end_ns, span_count, failed, error, slowest_ns"
    rows = ask(f"SELECT {columns} FROM telemetry_storedtrace")
    assert rows == [("step 1", first, last, SPANS, True, False, 1_000_000)] * TRACES


def test_a_chunked_body_is_taken_and_one_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    body = messages.traces(messages.span(START)).SerializeToString()
    with web(tmp_path, FIRELINE_OTLP_MAX_BYTES="1000") as server:
        assert server.post(iter([body[:10], body[10:]])).status_code == 200
        assert server.post(iter([bytes(400)] * 3)).status_code == 413
        assert server.post(bytes(1001)).status_code == 413
        assert server.post(b"").status_code == 200
