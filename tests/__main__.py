"""Runs all tests: everything on SQLite, what touches the database once more on PostgreSQL, then the browser.

`make test` calls it. Arguments go to every run of pytest.
"""

import os
import subprocess
import sys

from tests.servers import postgres_server

TOUCH_THE_DATABASE = ("tests/telemetry", "tests/slo", "tests/alerts", "tests/dashboards")


def pytest(title: str, *arguments: str, **environment: str) -> int:
    print(f"\n== {title}", flush=True)
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, env=os.environ | environment, check=False).returncode


def main(arguments: list[str]) -> int:
    parallel = ("-m", "not e2e", "-n", "2", *arguments)
    codes = [pytest("All but the browser, on SQLite", *parallel)]
    with postgres_server() as server:
        codes.append(
            pytest("What touches the database, on PostgreSQL", *parallel, *TOUCH_THE_DATABASE, DATABASE_URL=server.url)
        )
    # Alone, because it measures how soon a fault becomes a notification.
    codes.append(pytest("The whole story, in a browser", "-m", "e2e", "-s", *arguments, "tests/e2e"))
    return max(codes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
