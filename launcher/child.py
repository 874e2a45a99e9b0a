"""One child process and everything it starts itself: a process group with a log file."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from launcher.errors import CannotStart
from launcher.settings import ROOT

_PR_SET_PDEATHSIG = 1
# Linux alone has it.
_prctl = getattr(ctypes.CDLL(None), "prctl", None)


def _end_with_parent() -> None:
    # Should the launcher be killed outright, the kernel still tells its children to end.
    if _prctl is not None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """A started program. Its output goes to `log`, or its standard output to `output` when one is given."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        output: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        self.started = time.monotonic()
        with log.open("ab") as errors, (output or log).open("wb" if output else "ab") as lines:
            try:
                self._process = subprocess.Popen(
                    command,
                    env=dict(environment),
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=lines,
                    stderr=errors,
                    # A group of its own: Ctrl-C in the terminal reaches the launcher only, which stops all in order.
                    start_new_session=True,
                    preexec_fn=_end_with_parent,  # noqa: PLW1509 (the launcher has one thread)
                )
            except FileNotFoundError:
                raise CannotStart(f"{command[0]} is not installed. `make setup` installs what is missing.") from None

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; `None` while it runs."""
        return self._process.poll()

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def written(self) -> str:
        """What it has logged since it was started."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def last_lines(self, count: int = 15) -> str:
        return "\n".join(f"    {line}" for line in self.written().splitlines()[-count:])

    def gone(self) -> bool:
        """Whether the process and all that it started have ended."""
        self._process.poll()
        return not self._signal(0)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> bool:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True
