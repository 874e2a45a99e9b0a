"""Several days of the shop's metrics, imported into a Prometheus data directory.

    python -m demo.history --out var/prometheus --days 7 --until 2026-01-31T12:00:00Z

The series have the names and labels under which the live processes are scraped. Prints what happened in those days,
as JSON: `changes` in the shape that Fireline takes, and `episodes`.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo import openmetrics
from demo.past import Past, past
from demo.shop_series import write

STEP = 60
PROMTOOL = "promtool"


class ImportFailed(Exception):
    """promtool is missing or refused the history."""


def make(out: Path, since: datetime, until: datetime, step: int = STEP, parallel: int = 2) -> Past:
    """Import the history from `since` to `until` into the data directory `out`. Raises ImportFailed."""
    if shutil.which(PROMTOOL) is None:
        raise ImportFailed("promtool is not on the PATH. It comes with Prometheus: install the package `prometheus`.")
    happened = past(since, until)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="history-", dir=out) as directory:
        with openmetrics.Writer(Path(directory), openmetrics.moments(since, until, step)) as writer:
            write(writer, happened, step)
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(lambda path: import_blocks(path, out), writer.paths))
    return happened


def import_blocks(path: Path, out: Path) -> None:
    limit = f"--max-block-duration={openmetrics.MAX_BLOCK}"
    command = [PROMTOOL, "tsdb", "create-blocks-from", limit, "--quiet", "openmetrics", str(path), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ImportFailed(f"promtool did not take {path.name}: {done.stderr.strip()[-500:]}")


def report(happened: Past) -> str:
    episodes = [
        {
            "name": episode.name,
            "what": episode.what,
            "flows": sorted(episode.failing),
            "begin": episode.begin.isoformat(),
            "end": episode.end.isoformat(),
        }
        for episode in happened.episodes
    ]
    return json.dumps(
        {
            "since": happened.since.isoformat(),
            "until": happened.until.isoformat(),
            "changes": [change.event() for change in happened.deploys],
            "episodes": episodes,
        },
        indent=2,
    )


def moment(text: str) -> datetime:
    """RFC 3339 or Unix seconds."""
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except ValueError:
        parsed = datetime.fromisoformat(text)
        return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Import several days of the shop's metrics into Prometheus.")
    parser.add_argument(
        "--out", type=Path, required=True, help="the data directory of a Prometheus that is not running"
    )
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--until", type=moment, default=None, help="RFC 3339 or Unix seconds; now if left out")
    chosen = parser.parse_args(arguments)
    until = (chosen.until or datetime.now(UTC)).replace(microsecond=0)
    try:
        print(report(make(chosen.out, until - timedelta(days=chosen.days), until)))
    except ImportFailed as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
