"""Fireline as it is run: workers and beats as processes of their own, on a real Redis, with a database between them."""

import json
import os
import signal
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
    # The URL of its database.
    database: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "FIRELINE_SECRET_KEY": "only for tests",
            "FIRELINE_VAR": str(self.directory),
            "DATABASE_URL": self.database,
            "FIRELINE_TELEMETRY_DATABASE_URL": f"sqlite:///{self.directory / 'telemetry.sqlite3'}",
            "FIRELINE_REDIS_URL": self.redis.url,
            "FIRELINE_SLICE_SECONDS": "1",
            "FIRELINE_SETTLE_SECONDS": "0.5",
            "FIRELINE_INTERNAL_ADDRESSES": "127.0.0.1",
        }

    def prepare(self, store: str, webhook: str) -> None:
        """Make the databases, and in them an objective counted by `store` and a channel to `webhook`."""
        self._run("seed", store, webhook)

    def moves(self) -> list[list[str]]:
        """The alert's transitions as they are in the database."""
        return [list(map(str, move)) for move in self._told("recorded")]

    def replayed(self) -> list[list[str]]:
        """What they should be: the pure replay of the ledger, which knows no worker."""
        return [list(map(str, move)) for move in self._told("replayed")]

    def slices(self) -> list[tuple[float, float, float, float]]:
        """Start and end in Unix seconds, bad and all events of each slice, in order."""
        return [(start, end, bad, total) for start, end, bad, total in self._told("slices")]

    def _told(self, what: str) -> Any:
        return json.loads(self._run(what))

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "tests.alerts.seed", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
        return done.stdout

    # -- Processes
    def start(self, *names: str) -> None:
        """Start `worker`, `beat`, and others of their kind: `another worker`, say."""
        for name in names:
            command = {"worker": commands.worker, "beat": commands.beat}[name.split()[-1]](sys.executable)
            if name.endswith("worker"):
                command += ["--hostname", f"{name.replace(' ', '-')}@%h"]
            with (self.directory / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
                )

    def kill(self, *names: str) -> None:
        """SIGKILL for the processes and their children: nothing gets to clean up."""
        for name in names:
            process = self.processes.pop(name)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def stop(self) -> None:
        self.kill(*self.processes)

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text(errors="replace")

    # -- Until
    def watch(self, what: str, seconds: float = 90) -> None:
        """Wait until `caught-up` or `told` is true: the ledger ends now, or the channel got a message."""
        with subprocess.Popen(
            [sys.executable, "-m", "tests.alerts.seed", "watch", what],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        ) as watching:
            try:
                wait_until(lambda: watching.poll() is not None, seconds, what)
            finally:
                watching.kill()
            assert watching.returncode == 0, watching.stderr and watching.stderr.read().decode()


@contextmanager
def deployment(directory: Path, redis: RedisServer, database: str = "") -> Iterator[Deployment]:
    running = Deployment(directory, redis, database or f"sqlite:///{directory / 'fireline.sqlite3'}")
    try:
        yield running
    finally:
        running.stop()
