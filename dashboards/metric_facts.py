"""What Prometheus knows about a metric, for somebody who is choosing one: type, series, buckets, rate."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from connectors.errors import StoreError
from connectors.prometheus import Prometheus
from dashboards.typed import plain
from slo import catalogue
from slo.counting import Matcher, selector

# As many names as a list of suggestions can usefully hold.
MOST_NAMES = 40
RECENT = timedelta(hours=1)
_PARTS = ("_bucket", "_count", "_sum", "_total", "_created")


@dataclass(frozen=True, slots=True)
class Facts:
    """About one metric. `series` is 0 when Prometheus has seen none of it within the last hour."""

    metric: str
    type: str = ""
    series: int = 0
    instances: int = 0
    # The boundaries of a classic histogram, in order.
    boundaries: tuple[Decimal, ...] = ()
    # Whether it has native histograms, which are counted up to any limit.
    native: bool = False
    exemplars: bool = False
    # Events a second over the last five minutes, after the matchers.
    rate: float | None = None

    @property
    def edges(self) -> list[tuple[str, Decimal]]:
        """The boundaries as people write them, 0.25 and 10, with their values."""
        return [(plain(edge), edge) for edge in self.boundaries]

    @property
    def is_histogram(self) -> bool:
        return bool(self.boundaries) or self.native


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Names that could be meant, and what is known of the one that is typed."""

    names: tuple[str, ...] = ()
    facts: Facts | None = None
    error: str = ""


def suggest(client: Prometheus, typed: str, latency: bool, matchers: Sequence[Matcher], now: datetime) -> Suggestions:
    """Never raises: what cannot be found out is said in `error`."""
    try:
        return Suggestions(
            names(client, typed, latency), facts(client, typed, latency, matchers, now) if typed else None
        )
    except StoreError as error:
        return Suggestions(error=str(error))


def names(client: Prometheus, typed: str, latency: bool) -> tuple[str, ...]:
    """Metrics that contain what is typed: histograms by their common name, or whatever counts events."""
    found = client.metric_names(typed)
    if latency:
        fitting = {name.removesuffix("_bucket") for name in found if name.endswith("_bucket")}
    else:
        fitting = {name for name in found if name.endswith(("_total", "_count"))} or set(found)
    return tuple(sorted(fitting, key=lambda name: (not name.startswith(typed), name))[:MOST_NAMES])


def facts(client: Prometheus, metric: str, latency: bool, matchers: Sequence[Matcher], now: datetime) -> Facts:
    """Raises `StoreError`."""
    native = catalogue.is_native(client, metric, (), now - RECENT, now)
    counted = f"{metric}_count" if latency and not native else metric
    seen = f"last_over_time({selector(counted)}[{RECENT // timedelta(seconds=1)}s])"
    series = _number(client, f"count({seen})", now)
    boundaries = catalogue.boundaries(client, metric, (), now - RECENT, now)
    if not series:
        return Facts(metric, boundaries=boundaries, native=native)
    return Facts(
        metric,
        _type(client, metric),
        int(series),
        int(_number(client, f"count(count by (instance) ({seen}))", now) or 0),
        boundaries,
        native,
        _has_exemplars(client, metric, latency, now),
        _number(client, _rate(selector(counted, matchers), native), now),
    )


def _has_exemplars(client: Prometheus, metric: str, latency: bool, now: datetime) -> bool:
    """A histogram's exemplars hang on its buckets, also when its count is what is counted."""
    stem = metric if latency else metric.removesuffix("_count")
    observed = f"{stem}_bucket" if latency or stem != metric else metric
    return bool(client.exemplars(selector(observed), now - RECENT, now))


def _rate(chosen: str, native: bool) -> str:
    return f"sum(histogram_count(rate({chosen}[5m])))" if native else f"sum(rate({chosen}[5m]))"


def _number(client: Prometheus, query: str, now: datetime) -> float | None:
    found = client.instant(query, now)
    return found[0].value if found else None


def _type(client: Prometheus, metric: str) -> str:
    """Its type in the metadata, which is kept under the family's name."""
    stem = next((metric.removesuffix(part) for part in _PARTS if metric.endswith(part)), metric)
    for name in dict.fromkeys((metric, stem)):
        if said := client.metadata(name):
            return said.type
    return ""
