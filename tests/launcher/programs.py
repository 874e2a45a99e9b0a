"""Small programs for the supervisor to run, and a look at the processes they leave."""

import sys
from collections.abc import Sequence
from pathlib import Path

# Ready, with a child of its own, until told to stop.
FAMILY = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
print("ready", child.pid, flush=True)
child.wait()
"""
# Neither it nor its child listens to TERM.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
print("ready", os.getpid(), flush=True)
while True:
    time.sleep(60)
"""
BROKEN = "print('no such database: orders', flush=True); raise SystemExit(3)"


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def alive(marker: str) -> Sequence[int]:
    """The processes with `marker` in their environment, zombies left out: also orphans, which no parent knows."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdecimal() and _carries(path, marker)]


def _carries(process: Path, marker: str) -> bool:
    try:
        # A zombie's environment reads as empty.
        return marker.encode() in (process / "environ").read_bytes()
    except OSError:
        return False
