"""Fireline's web processes as they are deployed, for tests that need real requests."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests import servers

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "t"


class Web(servers.Server):
    """Fireline's web processes as they are deployed: gunicorn with two workers of several threads."""

    name = "web"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

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
            urllib.request.urlopen(f"{self.url}/v1/traces", timeout=1)
        except urllib.error.HTTPError as answer:
            return answer.code == 405
        except OSError:
            return False
        return False

    def post(self, body: Any, **headers: str) -> requests.Response:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/x-protobuf", **headers}
        return requests.post(f"{self.url}/v1/traces", body, headers=headers, timeout=60)


@contextmanager
def web(directory: Path, **environment: str) -> Iterator[Web]:
    settings = {"FIRELINE_SECRET_KEY": "t", "FIRELINE_VAR": str(directory), "FIRELINE_INGEST_TOKEN": TOKEN}
    server = Web(directory, settings | environment)
    try:
        server.start(seconds=90)
        yield server
    finally:
        server.stop()
