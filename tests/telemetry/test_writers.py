"""Several web processes take the same telemetry at the same time: nothing is lost, counted twice, or stuck."""

import random
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from connectors.telemetry import to_ns
from tests import servers
from tests.telemetry import messages
from tests.telemetry.deployment import ROOT, web

pytestmark = pytest.mark.real

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
