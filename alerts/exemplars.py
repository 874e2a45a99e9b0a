"""Exemplars of an objective's own series: the shortest way from a burning metric to one of the requests it counts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from connectors.prometheus import Exemplar
from slo import counting
from slo.counting import Matcher, Operator, Sli
from slo.definitions import sli_of
from slo.models import Objective
from telemetry import sources

MOST = 20
# The store may be what is failing; the notification does not wait for it longer than this.
TIMEOUT = timedelta(seconds=3)


_OPPOSITE: dict[Operator, Operator] = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}


def bad(objective: Objective, since: datetime, until: datetime, labels: Mapping[str, str] | None = None) -> list[str]:
    """Trace ids of requests that the objective counted as bad, the newest first. Raises `StoreError`.

    Only those of the group with these `labels`, if any. None for objectives counted by an expression: their series
    cannot be told from it.
    """
    query = _query(sli_of(objective), labels or {})
    if not query:
        return []
    source = objective.source
    source.timeout = min(source.timeout, TIMEOUT)
    with sources.client(source) as prometheus:
        found = prometheus.exemplars(query, since, until)
    newest_first = sorted(_too_slow(objective, found), key=lambda exemplar: exemplar.at, reverse=True)
    return list(dict.fromkeys(exemplar.trace_id for exemplar in newest_first if exemplar.trace_id))[:MOST]


def _query(sli: Sli, labels: Mapping[str, str]) -> str:
    """The series whose exemplars are bad requests, or, for latency, all whose exemplars say how long they took."""
    if sli.by_expression or sli.by_time or not sli.metric:
        return ""
    group = tuple(Matcher(name, "=", value) for name, value in labels.items())
    if sli.kind == "latency":
        return counting.selector(f"{sli.metric}_bucket", (*sli.matchers, *group))
    if sli.bad_metric and sli.marks == "bad":
        return counting.selector(_with_exemplars(sli.bad_metric), (*sli.bad_matchers, *group))
    marks = _of_bad(sli)
    return counting.selector(_with_exemplars(sli.metric), (*sli.matchers, *marks, *group)) if marks else ""


def _of_bad(sli: Sli) -> Sequence[Matcher]:
    """What chooses the bad ones of its series; nothing when that takes more than one selector."""
    if sli.marks == "bad":
        return sli.bad_matchers
    if sli.bad_metric or len(sli.bad_matchers) != 1:
        return ()
    good = sli.bad_matchers[0]
    return (Matcher(good.label, _OPPOSITE[good.op], good.value),)


def _with_exemplars(metric: str) -> str:
    # A histogram's exemplars hang on its buckets, also when its count is what is counted.
    stem = metric.removesuffix("_count")
    return metric if stem == metric else f"{stem}_bucket"


def _too_slow(objective: Objective, found: Iterable[Exemplar]) -> Iterable[Exemplar]:
    threshold = objective.threshold
    if objective.kind != Objective.Kind.LATENCY or threshold is None:
        return found
    return [exemplar for exemplar in found if exemplar.value > float(threshold)]
