"""Samples of counters at single scrapes, and what is counted from them, without a server."""

from collections.abc import Sequence
from datetime import timedelta

from connectors.raw_samples import Samples
from slo.chunks import Chunk
from slo.counting import Matcher, Sli
from slo.increments import tally
from slo.samples import Fetched
from tests.slo.scrapes import START

MINUTE = timedelta(minutes=1)
BAD = Matcher("code", "=~", "5..")
EVENTS = Sli("events", "requests_total", (), (BAD,))
T0 = START.timestamp()
OWN = {"job": "shop", "instance": "a"}

type Values = Sequence[float | None]


def scrapes(values: Values, first: float = -60, every: float = 15) -> tuple[list[float], list[float]]:
    """Times and values of scrapes, the first so many seconds after the chunk's start; `None` is a missing one."""
    found = [(T0 + first + n * every, value) for n, value in enumerate(values) if value is not None]
    return [at for at, _ in found], [float(value) for _, value in found]


def series(values: Values, first: float = -60, code: str = "200", every: float = 15, **labels: str) -> Samples:
    own = {"__name__": "requests_total", "code": code, **OWN, **labels}
    return Samples({name: value for name, value in own.items() if value}, *scrapes(values, first, every))


def up(values: Values = (1,) * 13, first: float = -60, every: float = 15, **labels: str) -> Samples:
    return Samples({"__name__": "up", **OWN, **labels}, *scrapes(values, first, every))


def process(values: Values, first: float = -60, **labels: str) -> Samples:
    """When the process started, in seconds after the chunk's start."""
    name = {"__name__": "process_start_time_seconds", **OWN, **labels}
    return Samples(name, *scrapes([value if value is None else value + T0 for value in values], first))


def fetched(*found: Samples, slices: int = 2) -> Fetched:
    """Slices of a minute, with four scrapes before the first."""
    kinds = {"up": list[Samples](), "process_start_time_seconds": list[Samples](), "": list[Samples]()}
    for one in found:
        kinds.get(one.labels["__name__"], kinds[""]).append(one)
    return Fetched(Chunk(START, MINUTE, slices), kinds[""], kinds["up"], kinds["process_start_time_seconds"])


def counted(*found: Samples, sli: Sli = EVENTS, slices: int = 2) -> list[tuple[float | None, float | None]]:
    return [(one.bad, one.total) for one in tally(sli, fetched(*found, slices=slices))[()]]


def totals(*found: Samples, slices: int = 2) -> list[float | None]:
    return [total for _, total in counted(*found, slices=slices)]


def first_slice(*found: Samples) -> float | None:
    return totals(*found)[0]


STILL = (10,) * 5
