"""The whole demo for a test: what `make demo` starts, on free ports, with its data in a directory of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers import free_ports, wait_until

ROOT = Path(__file__).resolve().parents[2]
# Seeding a week of history is most of it.
START_SECONDS = 240
STOP_SECONDS = 45
SHOP_PORTS = 10


@dataclass(frozen=True)
class Stack:
    """Where a running demo is found."""

    url: str
    control: str
    home: Path
    password: str

    def inbox(self) -> list[dict[str, Any]]:
        """The notifications that the shop's control desk has received, newest first."""
        with urllib.request.urlopen(f"{self.control}/inbox.json", timeout=10) as answer:
            received: list[dict[str, Any]] = json.load(answer)
        return received

    def mails(self) -> list[str]:
        return [path.read_text() for path in sorted((self.home / "mail").glob("*"))]

    def switch(self, fault: str, position: str) -> None:
        request = urllib.request.Request(f"{self.control}/faults/{fault}/{position}", method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200


@contextmanager
def running(directory: Path) -> Iterator[Stack]:
    """Start the demo, wait until it says that it runs, and stop it the way a person does."""
    printed = directory / "printed"
    web, redis, prometheus, *shop = free_ports(3 + SHOP_PORTS)
    environment = os.environ | {
        "FIRELINE_VAR": str(directory),
        "FIRELINE_WEB_PORT": str(web),
        "FIRELINE_REDIS_PORT": str(redis),
        "FIRELINE_PROMETHEUS_PORT": str(prometheus),
        "FIRELINE_SHOP_PORT": str(shop[0]),
        "PYTHONUNBUFFERED": "1",
    }
    # The tests' own settings must not reach the demo.
    for name in ("DJANGO_SETTINGS_MODULE", "FIRELINE_SECRET_KEY", "FIRELINE_INGEST_TOKEN", "DATABASE_URL"):
        environment.pop(name, None)
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "launcher", "demo"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until(lambda: says_running(process, printed), START_SECONDS, "make demo to say that it is running")
        yield read(printed.read_text(), directory)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise


def says_running(process: subprocess.Popen[bytes], printed: Path) -> bool:
    text = printed.read_text(errors="replace")
    assert process.poll() is None, f"The demo stopped by itself:\n{text}"
    return "Fireline is running." in text and "Stop  " in text


def read(text: str, directory: Path) -> Stack:
    """What the greeting tells a person."""
    found = {
        name: re.search(rf"^ *{name} +(.+)$", text, re.MULTILINE) for name in ("Open", "Sign in", "Break it", "Mail")
    }
    words = {name: match[1].split() for name, match in found.items() if match}
    assert len(words) == len(found), f"The greeting lacks a line:\n{text}"
    return Stack(
        url=words["Open"][0],
        control=words["Break it"][0],
        home=Path(words["Mail"][0]).parent,
        password=words["Sign in"][-1],
    )
