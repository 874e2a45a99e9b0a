"""What a window of 30 days costs compared with one of an hour, on a ledger of 30 days in slices of a minute.

uv run python -m bench.windows
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import django

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
END = datetime(2026, 3, 1, tzinfo=UTC)
ROUNDS = 300


def median_of(work: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> int:
    with tempfile.TemporaryDirectory() as var:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": f"sqlite:///{var}/windows.sqlite3",
            "FIRELINE_VAR": var,
            "FIRELINE_SECRET_KEY": "bench",
        }
        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        measure()
    return 0


def measure() -> None:
    from slo import ledger
    from tests.make import book_of, make_objective, make_slices

    objective = make_objective(window=30 * DAY)
    count = 30 * DAY // MINUTE
    began = time.perf_counter()
    make_slices(objective, END - 30 * DAY, [(1, 1000)] * count)
    print(f"append: {count / (time.perf_counter() - began):,.0f} slices/s")
    book = book_of(objective)
    hour = median_of(lambda: ledger.totals(book, END - HOUR, END))
    month = median_of(lambda: ledger.totals(book, END - 30 * DAY, END))
    chart = median_of(lambda: ledger.burn_series(book, 3 * DAY, END - 30 * DAY, END, 120))
    print(f"window of 1 h:  {hour * 1e3:.2f} ms")
    print(f"window of 30 d: {month * 1e3:.2f} ms, {month / hour:.2f} times as long")
    print(f"chart of 120 windows of 3 d over 30 d: {chart * 1e3:.1f} ms, as long as {chart / hour:.1f} windows")


if __name__ == "__main__":
    sys.exit(main())
