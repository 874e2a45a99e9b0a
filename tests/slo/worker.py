"""A worker in a process of its own, for tests that kill one: `python -m tests.slo.worker prepare|run|show`."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
django.setup()

from django.core.management import call_command  # noqa: E402

from alerts import evaluation  # noqa: E402
from alerts.models import Transition  # noqa: E402
from slo.measurement import advance  # noqa: E402
from slo.models import Objective, Slice  # noqa: E402
from tests.make import HOUR, MINUTE, NOON, make_objective, make_slices, make_source, tier  # noqa: E402
from tests.slo.stores import Scripted  # noqa: E402

# From here to there, in minutes after noon, most requests fail.
FAILS = range(15, 25)
PAGE = tier(long=10 * MINUTE, short=2 * MINUTE, budget_share="0.001")


def prepare(url: str = "") -> None:
    """A database with an objective whose ledger ends at noon, counted by the Prometheus at `url`; prints its id."""
    call_command("migrate", verbosity=0)
    objective = make_objective("0.9", tiers=[PAGE], source=make_source(url) if url else None)
    make_slices(objective, NOON - HOUR, [(1, 10)] * 60)
    # Its past is known.
    Objective.objects.update(history_goal=NOON - HOUR)
    print(objective.pk)


def run(objective_id: str, first: str, last: str, where: str = "scripted") -> None:
    """Measure and evaluate minute after minute, in slices of a minute; prints each."""
    for n in range(int(first), int(last) + 1):
        now = NOON + n * MINUTE + timedelta(seconds=10)
        advance([int(objective_id)], now, Scripted(counted) if where == "scripted" else None)
        evaluation.evaluate([int(objective_id)], now)
        print(n, flush=True)


def show() -> None:
    """Print each slice (start and end in minutes since noon, bad, total and running total) and each transition."""
    slices = [
        [_minute(one.start), _minute(one.end), one.bad, one.total, one.running_total]
        for one in Slice.objects.filter(start__gte=NOON).order_by("start")
    ]
    moves = [[_minute(one.at), one.old, one.new, one.numbers] for one in Transition.objects.order_by("at")]
    print(json.dumps([slices, moves]))


def counted(at: datetime) -> tuple[float, float]:
    """Of ten requests of a minute, those that failed."""
    return (9 if _minute(at) - 1 in FAILS else 0), 10


def _minute(at: datetime) -> float:
    return (at - NOON) / MINUTE


if __name__ == "__main__":
    commands: Mapping[str, Callable[..., None]] = {"prepare": prepare, "run": run, "show": show}
    commands[sys.argv[1]](*sys.argv[2:])
