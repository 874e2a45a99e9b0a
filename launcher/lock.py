"""Keeps a second launcher away from a stack's data. The lock ends with the process, however it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from launcher.errors import CannotStart


@contextmanager
def held(home: Path) -> Iterator[None]:
    """Raises `CannotStart` with the other launcher's process id when `home` is in use."""
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _take(descriptor, home)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, home: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.read(descriptor, 20).decode().strip() or "unknown"
        raise CannotStart(
            f"Fireline already runs with the data in {home} (process {pid}). "
            f"Stop it first: Ctrl-C where it runs, or `kill {pid}`."
        ) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
