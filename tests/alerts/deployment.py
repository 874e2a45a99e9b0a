"""Fireline as it is run: a worker and beat as processes of their own, on a real Redis, with a database file between."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from launcher import commands
from tests.servers import RedisServer, wait_until

ROOT = Path(__file__).parents[2]


@dataclass
class Deployment:
    directory: Path
    redis: RedisServer
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "FIRELINE_SECRET_KEY": "only for tests",
            "FIRELINE_VAR": str(self.directory),
            "DATABASE_URL": f"sqlite:///{self.directory / 'fireline.sqlite3'}",
            "FIRELINE_TELEMETRY_DATABASE_URL": f"sqlite:///{self.directory / 'telemetry.sqlite3'}",
            "FIRELINE_REDIS_URL": self.redis.url,
            "FIRELINE_SLICE_SECONDS": "1",
            "FIRELINE_SETTLE_SECONDS": "0.5",
            "FIRELINE_INTERNAL_ADDRESSES": "127.0.0.1",
        }

    def prepare(self, store: str, webhook: str) -> None:
        """Make the databases, and in them an objective counted by `store` and a channel to `webhook`."""
        self._run("-m", "tests.alerts.seed", store, webhook)

    def moves(self) -> list[list[str]]:
        """The alert's transitions as they are in the database."""
        return self._inside("recorded")

    def replayed(self) -> list[list[str]]:
        """What they should be: the pure replay of the ledger, which knows no worker."""
        return self._inside("replayed")

    def _inside(self, what: str) -> list[list[str]]:
        found: list[list[str]] = json.loads(self._run("-m", "tests.alerts.seed", what))
        return found

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
        return done.stdout

    # -- Processes
    def start(self, *names: str) -> None:
        for name in names:
            command = {"worker": commands.worker, "beat": commands.beat}[name](sys.executable)
            with (self.directory / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )

    def kill(self, name: str) -> None:
        """SIGKILL for the process and its children: nothing gets to clean up."""
        process = self.processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")

    # -- What is in the database
    def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.directory / "fireline.sqlite3", timeout=10)
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()

    def one(self, query: str) -> Any:
        return self.rows(query)[0][0]

    def wait_for(self, query: str, seconds: float = 60) -> None:
        """Until the first value that the query answers is true."""
        wait_until(lambda: self.one(query), seconds, query)


@contextmanager
def deployment(directory: Path, redis: RedisServer) -> Iterator[Deployment]:
    running = Deployment(directory, redis)
    try:
        yield running
    finally:
        for name in list(running.processes):
            running.kill(name)
