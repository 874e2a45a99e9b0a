"""Metrics of made-up systems, minute by minute, for the tests of what reads them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from connectors.telemetry import to_ns
from evidence.case import Bad, Change, Inquiry, Interval
from evidence.series import Series

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
# Two hours of normal, then ten bad minutes.
NORMAL = 120
WRONG = 10


def inquiry(*changes: Change, bad: Bad | None = None, service: str = "shop") -> Inquiry:
    return Inquiry(
        flow="checkout",
        service=service,
        operation="",
        bad=bad or Bad(slower_than=timedelta(seconds=1)),
        baseline=(Interval(NOON - NORMAL * MINUTE, NOON),),
        incident=Interval(NOON, NOON + WRONG * MINUTE),
        changes=changes,
    )


def series(name: str, values: Sequence[float], kind: str = "gauge", **labels: str) -> Series:
    """One value a minute, the last `WRONG` of them in the incident."""
    start = NOON + (WRONG - len(values)) * MINUTE
    times = np.array([to_ns(start + place * MINUTE) for place in range(len(values))], dtype=np.int64)
    return Series(name, labels, times, np.array(values, dtype=np.float64), kind)


def noisy(normal: float, wrong: float | None = None, seed: int = 1, spread: float = 0.05) -> list[float]:
    """About `normal` for two hours, then about `wrong`."""
    chance = np.random.default_rng(seed)
    levels = np.array([normal] * NORMAL + [normal if wrong is None else wrong] * WRONG)
    values: list[float] = (levels * chance.lognormal(0, spread, len(levels))).tolist()
    return values


def served(service: str, latency: Sequence[float], requests: float = 100.0, seed: int = 7) -> list[Series]:
    return [
        series("request_latency_seconds", latency, service=service, stat="average"),
        series("requests_per_second", noisy(requests, seed=seed), service=service),
    ]
