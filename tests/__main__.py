"""Runs all tests: everything on SQLite, then what touches the database once more on PostgreSQL.

`make test` calls it. Arguments go to both runs of pytest.
"""

import os
import subprocess
import sys

from tests.servers import postgres_server

TOUCH_THE_DATABASE = ("tests/telemetry", "tests/slo", "tests/alerts", "tests/dashboards")


def pytest(*arguments: str, **environment: str) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, env=os.environ | environment, check=False).returncode


def main(arguments: list[str]) -> int:
    print("== All tests, with SQLite", flush=True)
    with_sqlite = pytest(*arguments)
    print("\n== What touches the database, with PostgreSQL", flush=True)
    with postgres_server() as server:
        present = [directory for directory in TOUCH_THE_DATABASE if os.path.isdir(directory)]
        with_postgres = pytest("-m", "not e2e", *arguments, *present, DATABASE_URL=server.url)
    return with_sqlite or with_postgres


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
