"""Run as a program inside a deployment: makes what it evaluates, and tells what came of it."""

import json
import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import django
from django.utils import timezone

from tests.servers import wait_until


def seed(store: str, webhook: str) -> None:
    from django.core.management import call_command

    from alerts.models import Channel
    from tests.make import make_flow, make_objective, make_source, tier

    for database in ("default", "telemetry"):
        call_command("migrate", database=database, verbosity=0)
    make_objective(
        target="0.9",
        window=timedelta(hours=1),
        tiers=[tier(long=timedelta(minutes=1), short=timedelta(seconds=10), budget_share="0.02")],
        flow=make_flow("Checkout"),
        source=make_source(store),
        metric="",
        bad_matchers=[],
        bad_expression="bad{{window}}",
        total_expression="total{{window}}",
    )
    Channel.objects.create(name="chat", kind=Channel.Kind.WEBHOOK, config={"url": webhook})


def recorded() -> list[list[str]]:
    from alerts.models import Transition

    moves = Transition.objects.order_by("at").values_list("at", "old", "new")
    return [[at.isoformat(), old, new] for at, old, new in moves]


def replayed() -> list[list[str]]:
    from slo import ledger
    from slo.definitions import definition_of
    from slo.models import Objective
    from slo.replay import replay

    objective = Objective.objects.get()
    [book] = ledger.books(objective)
    begins, until = objective.measured_from, objective.measured_until
    assert begins is not None
    assert until is not None
    history = ledger.history(book, begins, until)
    return [
        [move.at.isoformat(), move.old, move.new] for move in replay(definition_of(objective), history, begins, until)
    ]


def slices() -> list[tuple[float, float, float | None, float | None]]:
    from slo.models import Slice

    rows = Slice.objects.order_by("start")
    return [(one.start.timestamp(), one.end.timestamp(), one.bad, one.total) for one in rows]


# -- What is waited for
def caught_up() -> bool:
    from slo.models import Objective

    return Objective.objects.filter(measured_until__gt=timezone.now() - timedelta(seconds=4)).exists()


def told() -> bool:
    from alerts.models import Delivery

    return Delivery.objects.filter(state="sent").exists()


def main(arguments: list[str]) -> None:
    django.setup()
    answers: Mapping[str, Callable[[], Any]] = {"recorded": recorded, "replayed": replayed, "slices": slices}
    match arguments:
        case ["seed", store, webhook]:
            seed(store, webhook)
        case ["watch", what]:
            wait_until({"caught-up": caught_up, "told": told}[what], 300, what)
        case [what]:
            print(json.dumps(answers[what]()))


if __name__ == "__main__":
    main(sys.argv[1:])
