"""What a store has of the metrics that an SLI names: whether there is any, and where a histogram's buckets end."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Protocol

from connectors.errors import NotAStore, Refused
from slo.answers import Series
from slo.counting import Matcher, Sli, selector

# A window is looked at so often for native histograms, which come and go with the processes that have them.
_LOOKS = 12
_SECOND = timedelta(seconds=1)


class Store(Protocol):
    """What is asked: `connectors.prometheus.Prometheus`, say. Raises `connectors.errors.StoreError`."""

    def label_values(
        self, label: str, matchers: Sequence[str] = (), start: datetime | None = None, end: datetime | None = None
    ) -> Sequence[str]: ...

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]: ...


def wrong_threshold(sli: Sli, store: Store, start: datetime, end: datetime) -> str:
    """Why the threshold of a latency cannot be counted by, with the nearest that can; empty for what can be.

    Without its bucket nothing would be good. Of series that are not there yet, those of the whole metric tell; where
    the store has none at all between `start` and `end`, nothing is said. Native histograms are counted up to any
    threshold. Raises `StoreError`.
    """
    if sli.kind != "latency" or sli.by_expression or sli.threshold is None:
        return ""
    edges = boundaries(store, sli.metric, sli.matchers, start, end) or boundaries(store, sli.metric, (), start, end)
    if not edges or sli.threshold in edges or is_native(store, sli.metric, sli.matchers, start, end):
        return ""
    near = nearest(edges, sli.threshold)
    ends = " s and ".join(_plain(edge) for edge in near)
    return (
        f"No bucket of {sli.metric} ends at {_plain(sli.threshold)} s. "
        f"The nearest {'ends' if len(near) == 1 else 'end'} at {ends} s."
    )


def boundaries(
    store: Store, metric: str, matchers: Sequence[Matcher], start: datetime, end: datetime
) -> tuple[Decimal, ...]:
    """Where the buckets of a classic histogram end, without +Inf; empty when it is none. Raises `StoreError`."""
    edges = store.label_values("le", [selector(f"{metric}_bucket", matchers)], start, end)
    return tuple(sorted({edge for text in edges if (edge := _edge(text)) is not None}))


def is_native(store: Store, metric: str, matchers: Sequence[Matcher], start: datetime, end: datetime) -> bool:
    """Whether the metric itself has native histograms; not, where the store does not know them. Raises `StoreError`."""
    if not metric:
        return False
    try:
        query = f"count(histogram_count({selector(metric, matchers)}))"
        return bool(store.range(query, start, end, max(_SECOND, (end - start) / _LOOKS)))
    except (Refused, NotAStore):
        return False


def nearest(edges: Sequence[Decimal], limit: Decimal) -> tuple[Decimal, ...]:
    """The last boundary below a limit, and the first above it."""
    below, above = [edge for edge in edges if edge < limit], [edge for edge in edges if edge > limit]
    return (*below[-1:], *above[:1])


def unknown_metric(sli: Sli, store: Store) -> str:
    """That a store has never seen what an SLI counts all events by; empty if it has. Raises `StoreError`."""
    names = _counted(sli)
    if not names or any(store.label_values("__name__", [selector(name)]) for name in names):
        return ""
    return f"Prometheus has no metric named {' or '.join(names)}. Check how it is spelt."


def _counted(sli: Sli) -> list[str]:
    """The metrics of which any is enough; none for an SLI whose expressions may name many."""
    if sli.by_expression or sli.by_time:
        return []
    return [f"{sli.metric}_count", sli.metric] if sli.kind == "latency" else [sli.metric]


def _plain(edge: Decimal) -> str:
    return f"{edge.normalize():f}"


def _edge(text: str) -> Decimal | None:
    try:
        edge = Decimal(text)
    except InvalidOperation:
        return None
    return edge.normalize() if edge.is_finite() and edge > 0 else None
