"""The children's logs: one earlier file is kept of each, and none grows without end."""

import os
import shutil
from pathlib import Path

MOST_BYTES = 20 * 1024 * 1024


def rotate(directory: Path) -> None:
    """Put the last run's logs aside."""
    directory.mkdir(parents=True, exist_ok=True)
    for log in directory.glob("*.log"):
        log.replace(_earlier(log))


def bound(directory: Path, most: int = MOST_BYTES) -> None:
    """Put aside what is in a log of more than `most` bytes.

    Whoever writes it keeps it open, so it is emptied in place; a line written between copy and cut is lost.
    """
    for log in directory.glob("*.log"):
        if log.stat().st_size > most:
            shutil.copyfile(log, _earlier(log))
            os.truncate(log, 0)


def _earlier(log: Path) -> Path:
    return log.with_suffix(".log.1")
