"""How requests fare, read from metrics of any naming: their latency, the share that failed, and how many there were.

Names and labels follow OpenTelemetry's semantic conventions (HTTP, RPC and span metrics), Prometheus's naming practice,
service meshes and service graphs, and the gauges that cloud monitors export.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evidence.case import Times
from evidence.series import Series, Values, first_label

type Role = Literal["latency", "errors", "requests"]
type Form = Literal["latency", "success share", "error share", "error count", "request count", "latency sum"]


@dataclass(frozen=True)
class Signal:
    """One role of one service, edge or pod over time: seconds, a share of 0…1, or requests in any steady unit."""

    role: Role
    service: str
    times: Times
    values: Values
    # The caller, when it was measured on the edge from it.
    source: str = ""
    pod: str = ""
    version: str = ""
    # "average", or what the series says: "p99", "0.9".
    stat: str = ""
    # The metric's name, and a selector that shows it.
    metric: str = ""
    selector: str = ""


# What a name says, the first that fits; underscores and dots separate words. Outgoing calls are known by their edge
# alone, since a slow callee makes them slow and not the service that reports them.
_WORD = r"(?:^|[_.:])"
_END = r"(?:$|[_.:])"
_NAMES: Sequence[tuple[str, Form | None]] = (
    (r"(_created|_info|_bucket|_bytes(_total)?|_bytes_(sum|count)|_size(_sum|_count)?)$", None),
    (_WORD + r"(gc|jvm|go|scrape|cpu|memory|disk|node|process|rule|lock|compile|kube|prometheus)" + _END, None),
    (_WORD + r"(in_?flight|active|pending|queued?|queue_\w+|pool|limit|capacity|size|threads?)" + _END, None),
    (r"(availability|success(ful)?_?(rate|ratio|percent|percentage|share))", "success share"),
    (r"(error|fail(ure|ed)?|fault)s?_?(ratio|percent|percentage|share|pct|rate)" + _END, "error share"),
    (r"(latency|duration|response_?time|request_?time|elapsed|took|processing_?time)\w*_sum$", "latency sum"),
    (r"(latency|duration|response_?time|request_?time|elapsed|took|processing_?time)\w*_count$", "request count"),
    (r"(latency|duration|response_?time|request_?time|elapsed|took|processing_?time)", "latency"),
    (_WORD + r"(errors?|failures?|failed|faults?|exceptions?|5xx|timeouts?)" + _END, "error count"),
    (
        _WORD + r"(requests?|calls?|rpcs?|invocations?|transactions?|queries|hits|throughput)" + _END,
        "request count",
    ),
    (_WORD + r"(rps|qps|tps)" + _END, "request count"),
)
_FORMS = tuple((re.compile(pattern), form) for pattern, form in _NAMES)
OUTGOING = re.compile(_WORD + r"(client|outgoing|outbound|upstream_rq|egress)" + _END)
STATUS_LABELS = (
    "http_response_status_code",
    "http_status_code",
    "response_code",
    "status_code",
    "rpc_grpc_status_code",
    "grpc_code",
    "grpc_status",
    "code",
    "status",
    "outcome",
    "result",
    "error",
)
_FAILED = re.compile(
    r"5\d\d|5xx|true|error|fail(ed|ure)?|fault|exception|timeout|server_error|status_code_error|unavailable|unknown"
    r"|internal|deadline_?exceeded|data_?loss|resource_?exhausted"
)
# The gRPC status codes that blame the server, by number.
_GRPC_FAILED = frozenset({"2", "4", "8", "13", "14", "15"})
STAT_LABELS = ("stat", "quantile", "percentile", "statistic")
_STAT_IN_NAME = re.compile(_WORD + r"(p\d{2,3}|max|min|median|avg|mean|average)" + _END)
_AVERAGES = ("avg", "mean", "average")
_UNITS = (
    (re.compile(r"_(ms|millis|milliseconds)" + _END), 1e-3),
    (re.compile(r"_(us|micros|microseconds)" + _END), 1e-6),
)
_PERCENT = re.compile(r"(percent|pct)")


def signals(table: Iterable[Series], per_pod: bool = False) -> list[Signal]:
    """What the series say of requests: one signal for each service (or pod of it), caller, metric and statistic.

    Series that differ in anything else (route, method, instance) are added where they count and averaged where they
    do not.
    """
    groups: dict[_Key, dict[Form, list[Series]]] = defaultdict(lambda: defaultdict(list))
    for series in table:
        form = form_of(series)
        if form is not None and len(series):
            groups[_key(series, form, per_pod)][form].append(series)
    found: list[Signal] = []
    for key, forms in groups.items():
        found += _signals_of(key, forms)
    return found + _shares_of_counts(found, groups)


def form_of(series: Series) -> Form | None:
    """What a series measures of requests, by its name; None when it is something else."""
    name = series.name.lower()
    for pattern, form in _FORMS:
        if pattern.search(name):
            outgoing = OUTGOING.search(name) and not series.destination
            return None if outgoing or not whose(series)[1] else form
    return None


def whose(series: Series) -> tuple[str, str]:
    """The caller (empty unless it is an edge) and the service that a series tells about."""
    if series.destination:
        return series.source, series.destination
    return "", series.service


@dataclass(frozen=True, slots=True)
class _Key:
    service: str
    source: str
    pod: str
    version: str
    metric: str
    stat: str


def _key(series: Series, form: Form, per_pod: bool) -> _Key:
    source, service = whose(series)
    metric = re.sub(r"(_sum|_count)$", "", series.name) if form in ("latency sum", "request count") else series.name
    stat = _stat(series) if form == "latency" else ""
    pod = (series.pod or series.instance) if per_pod else ""
    return _Key(service, source, pod, series.version if per_pod else "", metric, stat)


def _stat(series: Series) -> str:
    """Which statistic of a latency, by its label or else by its name; empty for an average."""
    named = _STAT_IN_NAME.search(series.name.lower())
    stat = first_label(series.labels, STAT_LABELS) or (named.group(1) if named else "")
    return "" if stat.lower() in _AVERAGES else stat


def _signals_of(key: _Key, forms: Mapping[Form, Sequence[Series]]) -> list[Signal]:
    found = []
    for form, series in forms.items():
        if form == "latency":
            found.append(_signal(key, "latency", *averaged(series), _unit(key.metric), series[0]))
        elif form in ("success share", "error share"):
            found.append(_share(key, series, form == "success share"))
        elif form == "request count":
            rates = [one.as_rate() for one in series]
            found.append(_signal(key, "requests", *added(rates), 1.0, series[0]))
            if any(_status(one) for one in series):
                failed = [rate for rate, one in zip(rates, series, strict=True) if is_failure(one.labels)]
                found.append(_ratio(key, "errors", failed, rates, series[0]))
        elif form == "latency sum" and "request count" in forms:
            counts = [one.as_rate() for one in forms["request count"]]
            found.append(
                _ratio(key, "latency", [one.as_rate() for one in series], counts, series[0], _unit(key.metric))
            )
    return [signal for signal in found if len(signal.times)]


def _status(series: Series) -> str:
    return first_label(series.labels, STATUS_LABELS)


def is_failure(labels: Mapping[str, str]) -> bool:
    """Whether the labels of a count say that these requests failed and the server is to blame."""
    for name in STATUS_LABELS:
        value = labels.get(name, "").lower()
        if value and (_FAILED.fullmatch(value) or ("grpc" in name and value in _GRPC_FAILED)):
            return True
    return False


def _unit(metric: str) -> float:
    """Seconds for one of the metric's units."""
    return next((factor for pattern, factor in _UNITS if pattern.search(metric.lower())), 1.0)


def _signal(key: _Key, role: Role, times: Times, values: Values, unit: float, shown: Series) -> Signal:
    return Signal(
        role=role,
        service=key.service,
        times=times,
        values=values * unit,
        source=key.source,
        pod=key.pod,
        version=key.version,
        stat=key.stat or "average",
        metric=key.metric,
        selector=shown.selector,
    )


def _share(key: _Key, series: Sequence[Series], success: bool) -> Signal:
    times, values = averaged(series)
    if len(values) and (_PERCENT.search(key.metric.lower()) or float(values.max()) > 1.5):
        values = values / 100
    return _signal(key, "errors", times, np.clip(1 - values if success else values, 0, 1), 1.0, series[0])


def _ratio(
    key: _Key, role: Role, parts: Sequence[Series], wholes: Sequence[Series], shown: Series, unit: float = 1.0
) -> Signal:
    """Added first, then divided; where nothing was counted nothing was measured."""
    times, whole = added(wholes)
    part = at(times, *added(parts)) if parts else np.zeros(len(times))
    measured = (whole > 0) & ~np.isnan(part)
    return _signal(key, role, times[measured], part[measured] / whole[measured], unit, shown)


def _shares_of_counts(found: Sequence[Signal], groups: Mapping[_Key, Mapping[Form, Sequence[Series]]]) -> list[Signal]:
    """Errors that were counted on their own, as a share of the requests to the same service, edge or pod."""
    requests = {(one.service, one.source, one.pod): one for one in reversed(found) if one.role == "requests"}
    shares = []
    for key, forms in groups.items():
        asked = requests.get((key.service, key.source, key.pod))
        if "error count" not in forms or asked is None:
            continue
        failed = at(asked.times, *added([one.as_rate() for one in forms["error count"]]))
        measured = (asked.values > 0) & ~np.isnan(failed)
        share = np.clip(failed[measured] / asked.values[measured], 0, 1)
        shares.append(_signal(key, "errors", asked.times[measured], share, 1.0, forms["error count"][0]))
    return [signal for signal in shares if len(signal.times)]


def added(series: Sequence[Series]) -> tuple[Times, Values]:
    """The sum of several series at common instants."""
    times, values = _aligned(series)
    return times, np.nansum(values, axis=0) if len(series) > 1 else values[0]


def averaged(series: Sequence[Series]) -> tuple[Times, Values]:
    """The mean of several series at common instants."""
    times, values = _aligned(series)
    if len(series) == 1:
        return times, values[0]
    counted = np.maximum((~np.isnan(values)).sum(axis=0), 1)
    return times, np.nansum(values, axis=0) / counted


def _aligned(series: Sequence[Series]) -> tuple[Times, Values]:
    times = series[0].times
    if len(series) == 1:
        return times, series[0].values[None, :]
    if any(len(one.times) != len(times) or not np.array_equal(one.times, times) for one in series):
        times = np.unique(np.concatenate([one.times for one in series]))
        times = _thinned(times, min(_interval(one.times) for one in series))
    rows = np.vstack([at(times, one.times, one.values) for one in series])
    known = ~np.isnan(rows).all(axis=0)
    return times[known], rows[:, known]


def _thinned(times: Times, step: int) -> Times:
    """One instant of each step, for series that are scraped a little apart."""
    steps = times // max(step, 1)
    thinned: Times = times[np.append(steps[1:] != steps[:-1], True)]
    return thinned


def _interval(times: Times) -> int:
    return int(np.median(np.diff(times))) if len(times) > 1 else np.iinfo(np.int64).max


def at(moments: Times, times: Times, values: Values) -> Values:
    """The values at other instants: between neighbours, or the nearest within an interval and a half; else NaN."""
    if not len(times):
        return np.full(len(moments), np.nan)
    read = np.interp(moments, times, values)
    places = np.clip(np.searchsorted(times, moments), 1, max(len(times) - 1, 1))
    before, after = times[places - 1], times[np.minimum(places, len(times) - 1)]
    away = np.minimum(np.abs(moments - before), np.abs(moments - after))
    read[away > 1.5 * min(_interval(times), 2**61)] = np.nan
    return read
