"""Exemplars of an objective's own series: the shortest way from a burning metric to one of the requests it counts."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from connectors.prometheus import Exemplar
from slo import counting
from slo.definitions import sli_of
from slo.models import Objective
from telemetry import sources

MOST = 20
# The store may be what is failing; the notification does not wait for it longer than this.
TIMEOUT = timedelta(seconds=3)


def bad(objective: Objective, since: datetime, until: datetime) -> list[str]:
    """Trace ids of requests that the objective counted as bad, the newest first. Raises `StoreError`.

    None for objectives counted by an expression: their series cannot be told from it.
    """
    query = _query(objective)
    if not query:
        return []
    source = objective.source
    source.timeout = min(source.timeout, TIMEOUT)
    with sources.client(source) as prometheus:
        found = prometheus.exemplars(query, since, until)
    newest_first = sorted(_too_slow(objective, found), key=lambda exemplar: exemplar.at, reverse=True)
    return list(dict.fromkeys(exemplar.trace_id for exemplar in newest_first if exemplar.trace_id))[:MOST]


def _query(objective: Objective) -> str:
    """The series whose exemplars are bad requests, or, for latency, all whose exemplars say how long they took."""
    sli = sli_of(objective)
    if sli.by_expression or not sli.metric:
        return ""
    if sli.kind == "latency":
        return counting.selector(f"{sli.metric}_bucket", sli.matchers)
    # A histogram's exemplars hang on its buckets, also when its count is what is counted.
    stem = sli.metric.removesuffix("_count")
    metric = sli.metric if stem == sli.metric else f"{stem}_bucket"
    return counting.selector(metric, (*sli.matchers, *sli.bad_matchers))


def _too_slow(objective: Objective, found: Iterable[Exemplar]) -> Iterable[Exemplar]:
    threshold = objective.threshold
    if objective.kind != Objective.Kind.LATENCY or threshold is None:
        return found
    return [exemplar for exemplar in found if exemplar.value > float(threshold)]
