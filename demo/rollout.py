"""Deploys a service without dropping a request: the new version takes the same socket, then the old one drains.

This process holds the listening socket and serves nothing itself. While a fault that stands for a bad release is
on, that release runs; switching it off rolls back. Each deploy is announced once the new version serves.
"""

import logging
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from demo import changes, serving, telemetry
from demo.processes import Process, process
from demo.switches import switches

READY_WITHIN = 60.0
DRAINED_WITHIN = 15.0
logger = logging.getLogger("shop.rollout")


@dataclass(frozen=True, slots=True)
class Running:
    version: str
    child: subprocess.Popen[bytes]
    # Readable once it serves; at its end if it never will.
    ready: int

    def serves(self) -> bool:
        readable, _, _ = select.select([self.ready], [], [], READY_WITHIN)
        return bool(readable and os.read(self.ready, 1))

    def stop(self) -> None:
        """Let it finish its requests; end it the hard way if it does not."""
        self.child.terminate()
        try:
            self.child.wait(DRAINED_WITHIN)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        if self.child.stdin:
            self.child.stdin.close()
        os.close(self.ready)


class Rollout:
    """The one version of a service that runs, and how another takes over from it."""

    def __init__(self, service: Process, version: str) -> None:
        self.service = service
        self.socket = serving.listen(service)
        self.running = self._start(version)

    def to(self, version: str, why: str) -> None:
        """Replace what runs by `version`; a version that does not start changes nothing."""
        old = self.running
        if version == old.version:
            return
        new = self._start(version)
        if not new.serves():
            logger.error("%s %s does not start, %s stays", self.service.name, version, old.version)
            new.stop()
            return
        self.running = new
        at = datetime.now(UTC)
        old.stop()
        logger.warning("%s %s replaced %s", self.service.name, version, old.version)
        changes.announce(changes.deploy(self.service.name, version, old.version, at, why))

    def _start(self, version: str) -> Running:
        listening = self.socket.fileno()
        ready, serves = os.pipe()
        command = [sys.executable, *self.service.argv, "--version", version]
        command += ["--fd", str(listening), "--ready-fd", str(serves)]
        # The child ends when its standard input does: it never outlives this process.
        child = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=[listening, serves])
        os.close(serves)
        return Running(version, child, ready)


def run(name: str, version: str, faults: Mapping[str, str]) -> int:
    """Run `version` of a service, or the version of whichever of `faults` is on, until SIGTERM or SIGINT.

    Returns the exit code: 1 when the service ended by itself.
    """
    telemetry.log_to_stdout(name)
    awake, stopping = threading.Event(), threading.Event()

    def stop(*_: object) -> None:
        stopping.set()
        awake.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    switches.on_change(awake.set)
    rollout = Rollout(process(name), version)
    switches.follow()
    while True:
        awake.wait(1.0)
        awake.clear()
        if stopping.is_set():
            rollout.running.stop()
            return 0
        if (code := rollout.running.child.poll()) is not None:
            logger.error("%s %s ended by itself with code %d", name, rollout.running.version, code)
            return 1
        bad = next((faulty for fault, faulty in faults.items() if switches.is_on(fault)), None)
        rollout.to(bad or version, "Deploy" if bad else "Roll back")


def serve_as_child(ready: int) -> None:
    """In the child: say that it serves, and end with the parent."""
    os.write(ready, b"1")
    os.close(ready)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    # Not through the file object: a thread inside it at the end of the interpreter is a fatal error.
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)
