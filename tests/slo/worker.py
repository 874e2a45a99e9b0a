"""A worker in a process of its own, for tests that kill one: `python -m tests.slo.worker prepare|run|show`."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.core.management import call_command  # noqa: E402

from slo.measurement import advance  # noqa: E402
from slo.models import Slice  # noqa: E402
from tests.make import MINUTE, NOON, make_objective, make_slices  # noqa: E402
from tests.slo.stores import Scripted  # noqa: E402


def prepare() -> None:
    """A database with an objective whose ledger ends at noon; prints its id."""
    call_command("migrate", verbosity=0)
    objective = make_objective()
    make_slices(objective, NOON - MINUTE, [(1, 10)])
    print(objective.pk)


def run(objective_id: int, minutes: int) -> None:
    """Measure minute after minute, in slices of a minute; prints each."""
    for n in range(1, minutes + 1):
        advance([objective_id], NOON + n * MINUTE + timedelta(seconds=10), Scripted())
        print(n, flush=True)


def show(objective_id: int) -> None:
    """Print start and end in minutes since noon, bad, total and running total of each slice."""
    rows = Slice.objects.filter(ledger__objective=objective_id).order_by("start")
    print(
        json.dumps(
            [
                [(row.start - NOON) / MINUTE, (row.end - NOON) / MINUTE, row.bad, row.total, row.running_total]
                for row in rows
            ]
        )
    )


if __name__ == "__main__":
    commands: Mapping[str, Callable[..., None]] = {"prepare": prepare, "run": run, "show": show}
    commands[sys.argv[1]](*map(int, sys.argv[2:]))
