"""The demo's past: written into the private Prometheus once, before it is started."""

import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from launcher.settings import Settings
from launcher.supervisor import Job


def told(settings: Settings) -> Path:
    """What the history says happened in it: its deploys and bad episodes, as JSON."""
    return settings.home / "history.json"


def data(settings: Settings) -> Path:
    return settings.home / "prometheus"


def jobs(settings: Settings, environment: Mapping[str, str]) -> list[Job]:
    """The job that writes the history, or nothing when it is there.

    The marker is made after success only: what an interrupted import left is thrown away and written again.
    """
    marker = data(settings) / "history-is-complete"
    if marker.exists():
        return []
    shutil.rmtree(data(settings), ignore_errors=True)
    data(settings).mkdir(parents=True)
    until = int(time.time()) // 60 * 60
    span = ["--days", str(settings.demo_days), "--until", str(until)]
    command = [sys.executable, "-m", "demo.history", "--out", str(data(settings)), *span]
    return [Job("history", command, environment, output=told(settings), then=marker.touch)]
