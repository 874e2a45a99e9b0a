"""What Prometheus knows of the resources under a flow: CPU, memory, pools, queues of the services in its traces."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from connectors.errors import TooMuch
from connectors.prometheus import Prometheus, Series
from connectors.telemetry import to_ns
from evidence import resources, series
from evidence.series import SeriesTable
from telemetry import sources
from telemetry.models import Source

STEP = timedelta(seconds=30)
# Series that are read at most; a cluster's whole inventory would take longer than a reader waits.
MOST_SERIES = 3_000
TIMEOUT = timedelta(seconds=5)
# Prometheus takes no dots in the names of labels.
_LABELS = tuple(label for label in series.SERVICE_LABELS if "." not in label)
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$\"]")


def read(source: Source, services: Sequence[str], since: datetime, until: datetime) -> SeriesTable:
    """The resources' metrics of these services, a value every half minute; three questions. Raises `StoreError`."""
    source.timeout = min(source.timeout, TIMEOUT)
    with sources.client(source) as prometheus:
        selector = _selector(prometheus, services, since, until)
        if not selector:
            return SeriesTable()
        known = sum(sample.value for sample in prometheus.instant(f"count({selector})", until))
        if known > MOST_SERIES:
            raise TooMuch(
                f"{known:,.0f} series tell of the resources of this flow's services; at most {MOST_SERIES:,} are read. "
                "Nothing is said of what is full."
            )
        found = prometheus.range(selector, since, until, STEP)
    return SeriesTable(tuple(_series(one) for one in found))


def _selector(prometheus: Prometheus, services: Sequence[str], since: datetime, until: datetime) -> str:
    """PromQL for all metrics of a resource that any of the services exposes; empty when there are none."""
    named = "|".join(_SPECIAL.sub(r"\\\\\g<0>", service) for service in services)
    chosen = [f'{{{label}=~"{named}"}}' for label in _LABELS]
    names = [name for name in prometheus.label_values("__name__", chosen, since, until) if resources.measures(name)]
    if not names:
        return ""
    return " or ".join(f'{{__name__=~"{"|".join(names)}",{label}=~"{named}"}}' for label in _LABELS)


def _series(one: Series) -> series.Series:
    labels = dict(one.labels)
    name = labels.pop("__name__", "")
    times = np.array([to_ns(at) for at, _ in one.points], dtype=np.int64)
    return series.Series(name, labels, times, np.array([value for _, value in one.points]))
