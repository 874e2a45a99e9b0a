"""How soon a page follows an outage: when the scraped samples meet the rule's arithmetic, and when the alert fires.

    uv run python -m bench.detection [--rate 20] [--scrape 15]

Writes outages of known beginning to a private Prometheus and moves a clock through them, a tick at a time: at each the
schedule, measuring and evaluation of Fireline do what a worker does then. A page must follow within a slice and 5 s of
the first scrape after which a reader of every scrape would fire.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import django
import numpy as np
from numpy.typing import NDArray

from bench.remote_write import Writer
from tests.servers import prometheus_server

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
FAILING = (1.0, 0.3, 0.05)
# Where within a slice the outage begins.
PHASES = (0, 7, 15, 22, 30, 37, 45, 52)
BEFORE, AFTER = 6.5 * HOUR, 30 * MINUTE
LIMIT = MINUTE + 5 * SECOND
METRIC = "requests_total"

type Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Outage:
    failing: float
    begins: datetime

    @property
    def service(self) -> str:
        return f"service-{self.failing:g}-{self.begins:%S}"


@dataclass(frozen=True)
class Seen:
    """When the textbook's arithmetic is met, when that of the confidence rule is, and when the alert fires."""

    textbook: datetime
    sure: datetime
    fired: datetime

    @property
    def late(self) -> timedelta:
        return self.fired - self.sure


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=20, help="requests a second")
    parser.add_argument("--scrape", type=float, default=15, help="seconds from scrape to scrape")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as var, prometheus_server() as server:
        _prepare(var)
        begin = datetime.now(UTC).replace(second=0, microsecond=0) - AFTER - 2 * MINUTE
        outages = [Outage(failing, begin + phase * SECOND) for failing in FAILING for phase in PHASES]
        _feed(server.url, outages, options)
        seen = _watched(server.url, outages, options)
    return _print(seen)


def _prepare(var: str) -> None:
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": f"sqlite:///{var}/detection.sqlite3",
        "FIRELINE_VAR": var,
        "FIRELINE_SECRET_KEY": "bench",
        "FIRELINE_INTERNAL_ADDRESSES": "127.0.0.1",
        "FIRELINE_LOG_LEVEL": "ERROR",
    }
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


# -- What is scraped
def _scrapes(outage: Outage, options: argparse.Namespace) -> list[float]:
    first = (outage.begins - BEFORE).timestamp() + options.scrape / 2
    return [first + n * options.scrape for n in range(int((BEFORE + AFTER).total_seconds() / options.scrape))]


def _counts(outage: Outage, at: float, options: argparse.Namespace) -> tuple[int, int]:
    """Bad and all requests until then: evenly spread, so that nothing depends on chance."""
    begins = outage.begins.timestamp()
    total = int(options.rate * (at - begins + BEFORE.total_seconds() + 60))
    return int(max(0.0, at - begins) * options.rate * outage.failing), total


def _feed(url: str, outages: Sequence[Outage], options: argparse.Namespace) -> None:
    fed = [_series(url, outage, options) for outage in outages]
    # Side by side, because Prometheus takes nothing that is an hour older than the newest.
    for first in range(0, len(fed[0][1]), 100):
        for writer, times, values in fed:
            writer.stretch(times[first : first + 100], values[:, first : first + 100])


def _series(url: str, outage: Outage, options: argparse.Namespace) -> tuple[Writer, Floats, Floats]:
    times = _scrapes(outage, options)
    counts = np.array([_counts(outage, at, options) for at in times], float)
    target = {"job": outage.service, "service": outage.service, "instance": "a:80"}
    labels = [{"__name__": METRIC, "code": code, **target} for code in ("200", "500")]
    values = np.vstack([counts[:, 1] - counts[:, 0], counts[:, 0], np.ones(len(times))])
    return Writer(url, [*labels, {"__name__": "up", **target}]), np.array(times), values


# -- What a reader of every scrape would do
def _met(outage: Outage, options: argparse.Namespace, confidence: float | None) -> datetime:
    from slo.counting import Sli
    from slo.definition import Definition
    from slo.history import History
    from slo.periods import Window
    from slo.replay import replay
    from slo.slices import Measured
    from slo.states import STANDARD
    from slo.tiers import WORKBOOK_TIERS

    times = _scrapes(outage, options)
    counts = [_counts(outage, at, options) for at in times]
    slices = [
        Measured(datetime.fromtimestamp(a, UTC), datetime.fromtimestamp(b, UTC), bad - bad_before, total - before)
        for a, b, (bad_before, before), (bad, total) in zip(times, times[1:], counts, counts[1:], strict=False)
    ]
    definition = Definition(
        "Detection", Sli("events", METRIC), Decimal("0.999"), Window(timedelta(days=30)), tiers=WORKBOOK_TIERS
    )
    policy = replace(STANDARD, confidence=confidence)
    events = replay(replace(definition, policy=policy), History.of(slices), slices[0].start, slices[-1].end)
    return next(one.at for one in events if one.rule.severity == "page" and one.new == "firing")


# -- What Fireline does
def _watched(url: str, outages: Sequence[Outage], options: argparse.Namespace) -> dict[Outage, Seen]:
    fired = dict(_fired(url, outages))
    return {one: Seen(_met(one, options, None), _met(one, options, 0.95), fired[one]) for one in outages}


def _fired(url: str, outages: Sequence[Outage]) -> Iterator[tuple[Outage, datetime]]:
    from django.conf import settings

    from alerts import evaluation, schedule
    from alerts.models import Transition
    from slo import measurement

    objectives = _objectives(url, outages)
    # As beat sends them.
    now = min(one.begins for one in outages).replace(second=0) - HOUR + settings.PROMPT
    pages = Transition.objects.filter(alert__tier__severity="page", new="firing")
    while objectives:
        now += settings.TICK
        began = time.perf_counter()
        waiting = schedule.to_measure(now)
        for _ in range(100):
            waiting = measurement.advance(waiting, now) if waiting else []
        evaluation.evaluate(list(objectives), now)
        at = now + timedelta(seconds=time.perf_counter() - began)
        for pk in (
            pages.filter(alert__tier__objective__in=objectives)
            .values_list("alert__tier__objective", flat=True)
            .distinct()
        ):
            yield objectives.pop(pk), at


def _objectives(url: str, outages: Sequence[Outage]) -> dict[int, Outage]:
    from slo.tiers import WORKBOOK_TIERS
    from tests.make import make_objective, make_source

    source = make_source(url)
    return {
        make_objective(
            source=source,
            tiers=WORKBOOK_TIERS,
            matchers=[{"label": "service", "op": "=", "value": one.service}],
        ).pk: one
        for one in outages
    }


# -- The table
def _print(seen: dict[Outage, Seen]) -> int:
    print("Seconds after an outage's begin, at a target of 99.9 % over 30 days\n")
    print("| failing | began at second | burns too fast | for sure | the page fires | after that |")
    print("|---:|---:|---:|---:|---:|---:|")
    for outage, one in seen.items():
        after = (f"{(at - outage.begins).total_seconds():.0f}" for at in (one.textbook, one.sure, one.fired))
        print(f"| {outage.failing:.0%} | {outage.begins:%S} | {' | '.join(after)} | {one.late.total_seconds():.1f} |")
    worst = max(one.late for one in seen.values())
    print(f"\nat most {worst.total_seconds():.1f} s later (target: {LIMIT.total_seconds():.0f})")
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
