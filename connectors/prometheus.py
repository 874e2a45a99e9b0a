"""Asks Prometheus, and everything that answers its API: queries, series, labels, metadata, exemplars.

Built on prometheus-api-client. Every fault is a `connectors.errors.StoreError` whose sentence names the host. NaN and
±Inf never leave this module: such a point is left out.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any, Concatenate, Self
from urllib.parse import quote

import requests
from prometheus_api_client import PrometheusConnect

from connectors import egress, raw_samples
from connectors.answers import Peer, body_of, judge
from connectors.errors import NotAStore, Refused
from connectors.http import send
from connectors.raw_samples import Samples

# Labels under which instrumentation puts the trace id into an exemplar.
TRACE_LABELS = ("trace_id", "traceID", "traceId", "TraceID")
# Prometheus refuses more points than this a series.
MOST_POINTS = 11_000
# Raw samples are the bulk of all that is read; past this the question is better asked in parts.
LARGEST_RAW = 48 * 1024 * 1024
# Thanos and VictoriaMetrics leave out what a part of a cluster does not answer, unless they are told to fail instead.
WHOLE = {"partial_response": "false", "deny_partial_response": "1"}
# Packing so many numbers would cost a store half as much again as answering them.
UNPACKED = {"Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Sample:
    labels: Mapping[str, str]
    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a range query: its points in order, at least one."""

    labels: Mapping[str, str]
    points: tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True)
class Exemplar:
    """One request that a series kept as an example: what was observed, and its trace."""

    labels: Mapping[str, str]
    at: datetime
    value: float
    trace_id: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What the targets say about a metric. `type` is counter, gauge, histogram, summary or unknown."""

    type: str
    help: str
    unit: str


def _in_its_form[**P, R](
    method: Callable[Concatenate["Prometheus", P], R],
) -> Callable[Concatenate["Prometheus", P], R]:
    """Turns what cannot be read, in the library or here, into a sentence."""

    @wraps(method)
    def ask(self: "Prometheus", /, *args: P.args, **options: P.kwargs) -> R:
        try:
            return method(self, *args, **options)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError):
            raise NotAStore(
                f"{self.peer.host} answered in a form that Prometheus's API does not have. Is it Prometheus?"
            ) from None

    return ask


class Answer[T](list[T]):
    """What was asked for, and what the store warned about, e.g. that a part of a cluster did not answer."""

    def __init__(self, items: Iterable[T] = (), warnings: Sequence[str] = ()) -> None:
        super().__init__(items)
        self.warnings = tuple(warnings)


class Prometheus:
    """One store. Keeps its connections open between questions; `close` it or use it with `with`."""

    def __init__(
        self,
        url: str,
        *,
        allowed: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        token: str = "",
        timeout: timedelta = timedelta(seconds=10),
        verify: bool = True,
    ) -> None:
        self.url = url.rstrip("/")
        self.peer = Peer.at(self.url, timeout)
        self._session = _Questions(allowed, verify, self.peer)
        sent = dict(headers or {}) | ({"Authorization": f"Bearer {token}"} if token else {})
        self._auth = (auth[0].encode(), auth[1].encode()) if auth else None
        self._headers = {name: value.strip() for name, value in sent.items()}
        self._api = PrometheusConnect(
            self.url,
            headers=self._headers,
            auth=self._auth,
            session=self._session,
            timeout=timeout.total_seconds(),
            method="POST",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._session.close()

    # -- Values
    @_in_its_form
    def instant(self, query: str, at: datetime) -> Answer[Sample]:
        """The value of each series at an instant; for a scalar one sample without labels."""
        result = self._api.custom_query(query, params={"time": at.timestamp(), "timeout": self._patience})
        rows = [{"metric": {}, "value": result}] if _is_scalar(result) else _rows(result)
        return self._answer(sample for row in rows if (sample := _sample(row)))

    @_in_its_form
    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> Answer[Series]:
        """Each series at `start`, `start + step`, … up to `end`."""
        # As parameters, because the library would round both ends to whole seconds.
        exact = {"start": start.timestamp(), "end": end.timestamp(), "timeout": self._patience}
        result = self._api.custom_query_range(query, start, end, f"{step.total_seconds():g}", params=exact)
        return self._answer(series for row in _rows(result) if (series := _series(row)))

    @_in_its_form
    def raw(self, selector: str, start: datetime, end: datetime) -> Answer[Samples]:
        """The samples themselves, later than `start` and at most at `end`, of each series that has any.

        All of a cluster answers, or none of it. Raises `TooMuch` past `LARGEST_RAW` bytes: ask for a shorter time or
        fewer series.
        """
        milliseconds = (end - start) // timedelta(milliseconds=1)
        answer = self._session.answer(
            f"{self.url}/api/v1/query",
            {"query": f"{selector}[{milliseconds}ms]", "time": end.timestamp(), "timeout": self._patience, **WHOLE},
            headers=self._headers | UNPACKED,
            auth=self._auth,
            timeout=self.peer.timeout.total_seconds(),
        )
        return self._answer(raw_samples.read(_rows(answer["data"]["result"]), start.timestamp()))

    @_in_its_form
    def exemplars(self, query: str, start: datetime, end: datetime) -> Answer[Exemplar]:
        """The examples that the series of `query` kept in this time, of those with a trace; oldest first."""
        data = self._ask("POST", "/api/v1/query_exemplars", query=query, start=start.timestamp(), end=end.timestamp())
        found = (exemplar for row in _rows(data) for exemplar in _exemplars(row))
        return self._answer(sorted(found, key=lambda exemplar: exemplar.at))

    # -- What there is
    @_in_its_form
    def series(self, matchers: Sequence[str], start: datetime, end: datetime) -> Answer[Mapping[str, str]]:
        """The labels of every series that any of the selectors chose in this time."""
        found = self._api.get_series(start, end, params={"match[]": list(matchers)})
        return self._answer(_rows(found))

    @_in_its_form
    def label_values(
        self,
        label: str,
        matchers: Sequence[str] = (),
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Answer[str]:
        params = _between(start, end) | ({"match[]": list(matchers)} if matchers else {})
        found = self._api.get_label_values(quote(label, safe=""), params=params)
        return self._answer(str(value) for value in _rows(found))

    @_in_its_form
    def label_names(
        self, matchers: Sequence[str] = (), start: datetime | None = None, end: datetime | None = None
    ) -> Answer[str]:
        params = _between(start, end) | ({"match[]": list(matchers)} if matchers else {})
        return self._answer(str(name) for name in self._api.get_label_names(params=params) or ())

    def metric_names(self, match: str = "") -> Answer[str]:
        """The metrics whose name contains `match`, whatever its case, in order."""
        names = self.label_values("__name__")
        return Answer(sorted(name for name in names if match.lower() in name.lower()), names.warnings)

    @_in_its_form
    def metadata(self, metric: str) -> Metadata | None:
        """What the targets say about `metric` itself; `None` when they say nothing."""
        found = self._api.get_metric_metadata(metric)
        if not found:
            return None
        first = found[0]
        return Metadata(str(first["type"]), str(first["help"]), str(first["unit"]))

    # -- What it is
    def build_info(self) -> Mapping[str, str]:
        """Its version and revision; empty when it does not say, as some compatible stores."""
        try:
            data = self._ask("GET", "/api/v1/status/buildinfo")
        except (Refused, NotAStore):
            return {}
        return data if isinstance(data, dict) else {}

    def flags(self) -> Mapping[str, str]:
        """Its command-line flags; empty when it does not say."""
        try:
            data = self._ask("GET", "/api/v1/status/flags")
        except (Refused, NotAStore):
            return {}
        return data if isinstance(data, dict) else {}

    def exemplars_on(self) -> bool | None:
        """Whether it keeps exemplars; `None` when it does not say."""
        flags = self.flags()
        return "exemplar-storage" in flags.get("enable-feature", "") if flags else None

    # -- How
    @property
    def _patience(self) -> str:
        # So that it stops working on a question when nobody waits for the answer any more.
        return f"{max(1, self.peer.timeout // timedelta(milliseconds=1))}ms"

    def _ask(self, method: str, path: str, **params: str | float) -> Any:
        response = self._session.request(
            method,
            f"{self.url}{path}",
            params=params,
            headers=self._headers,
            auth=self._auth,
            timeout=self.peer.timeout.total_seconds(),
        )
        return response.json()["data"]

    def _answer[T](self, items: Iterable[T]) -> Answer[T]:
        return Answer(items, self._session.warnings)


class _Questions(egress.Session):
    """The session under the library: sends questions as forms, tries once more, reads answers with care."""

    def __init__(self, allowed: Sequence[str], verify: bool, peer: Peer) -> None:
        super().__init__(allowed, verify)
        self._peer = peer
        self.warnings: tuple[str, ...] = ()

    def request(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        """Raises `StoreError` unless the answer is a success."""
        if method == "POST":
            # In the body: proxies allow a few thousand characters in an address, and our queries are longer.
            options["data"] = options.pop("params", None)
        with self._send(method, url, *args, **options) as response:
            response._content, _ = self._read(response)
            return response

    def answer(self, url: str, data: Mapping[str, str | float], **options: Any) -> Mapping[str, Any]:
        """The same for a big answer, up to `LARGEST_RAW`: already parsed. Raises `StoreError`."""
        with self._send("POST", url, data=data, **options) as response:
            return self._read(response, LARGEST_RAW)[1]

    def _read(self, response: requests.Response, largest: int | None = None) -> tuple[bytes, Mapping[str, Any]]:
        body = body_of(response, self._peer, largest)
        answer = judge(response, body, self._peer)
        if "data" not in answer:
            raise NotAStore(f"{self._peer.host} answered without data. Is it Prometheus?")
        self.warnings = tuple(str(warning) for warning in answer.get("warnings") or ())
        return body, answer

    def _send(self, method: Any, url: Any, *args: Any, **options: Any) -> requests.Response:
        return send(super().request, self._peer, method, url, *args, **options)


def _between(start: datetime | None, end: datetime | None) -> dict[str, Any]:
    return {name: at.timestamp() for name, at in (("start", start), ("end", end)) if at}


def _rows(result: object) -> list[Any]:
    # Some compatible stores answer null for nothing. A text would be taken apart into letters.
    if result is None or isinstance(result, list):
        return result or []
    raise TypeError(f"{type(result)} instead of a list")


def _is_scalar(result: object) -> bool:
    return isinstance(result, list) and len(result) == 2 and isinstance(result[0], (int, float))


def _point(pair: Sequence[Any]) -> tuple[datetime, float] | None:
    value = float(pair[1])
    return (datetime.fromtimestamp(float(pair[0]), UTC), value) if math.isfinite(value) else None


def _sample(row: Mapping[str, Any]) -> Sample | None:
    # A native histogram has no single value; nothing here asks for one.
    point = _point(row["value"]) if "value" in row else None
    return Sample(row["metric"], *point) if point else None


def _series(row: Mapping[str, Any]) -> Series | None:
    points = tuple(point for pair in row.get("values", ()) if (point := _point(pair)))
    return Series(row["metric"], points) if points else None


def _exemplars(row: Mapping[str, Any]) -> Iterable[Exemplar]:
    for one in row["exemplars"]:
        trace = next((one["labels"][label] for label in TRACE_LABELS if one["labels"].get(label)), "")
        point = _point((one["timestamp"], one["value"]))
        if trace and point:
            yield Exemplar(row["seriesLabels"], *point, trace)
