"""Asks Grafana Tempo: traces by id, TraceQL search, and counts by attribute through TraceQL metrics.

Tempo leaves the newest half minute out of searches (`query_end_cutoff`), so that a trace by id may be known before
any search finds it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import otlp_json
from connectors.entry import FLOW, Rank, fits, order, ordered, rank_of
from connectors.errors import NotAStore
from connectors.http import Access, Answer, Store, understood
from connectors.telemetry import Attributes, Span, TraceQuery, TraceSummary

# How far a search looks back that names no begin.
LOOKBACK = timedelta(hours=24)
# Spans of one hit that are told, Tempo's default for the most; the entry is among those that match `_ENTRY`.
_SPANS_A_HIT = 100
_ENTRY = "{ nestedSetParent < 0 || kind = server || kind = consumer }"
_SELECTED = f"select(status, kind, name, nestedSetParent, resource.service.name, span.{FLOW}, resource.{FLOW})"
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w.\-/]*")
# What Go's router says of a path that does not exist; Tempo itself says nothing of an unknown trace.
_NO_ROUTE = "page not found"
_NO_VALUE = "nil"


class Tempo(Store):
    product = "Tempo"

    def __init__(self, access: Access) -> None:
        super().__init__(access)
        self._version = 2

    def probe(self) -> str:
        self._search({"q": "{}", "limit": 1})
        answer = self.api.get("/api/status/buildinfo", may_miss=True)
        return str(answer.json().get("version", "")) if answer.status == 200 else ""

    # -- Traces
    @understood
    def trace(self, trace_id: str) -> list[Span]:
        """By the second version of the API where there is one: it answers parts of traces that are too large."""
        known = otlp_json.hex_id(trace_id, 16)
        if not known:
            return []
        if self._version == 2:
            answer = self._by_id(f"/api/v2/traces/{known}")
            if answer.status == 200:
                return otlp_json.spans((answer.json().get("trace") or {}).get("resourceSpans") or ())
            if _NO_ROUTE not in answer.text:
                return []
            self._version = 1
        answer = self._by_id(f"/api/traces/{known}")
        if answer.status == 200:
            return otlp_json.spans(answer.json().get("batches") or ())
        if _NO_ROUTE in answer.text:
            raise NotAStore(f"{self.api.peer.host} has no Tempo API at this address. Check its path and port.")
        return []

    def _by_id(self, path: str) -> Answer:
        answer = self.api.get(path, may_miss=True, headers={"Accept": "application/json"})
        if answer.status == 404 and answer.body.lstrip()[:1] == b"<":
            raise NotAStore(f"{self.api.peer.host} has no Tempo API at this address. Check its path and port.")
        return answer

    @understood
    def search(self, query: TraceQuery) -> list[TraceSummary]:
        """By what the spans say; how the request went for its caller is read off its entry span's part of the hit."""
        # More than wanted, as hits may turn out to have gone otherwise for their caller.
        limit = min(query.limit * (3 if query.error is not None or query.max_duration else 1), self.bounds.traces)
        params = {"q": traceql(query), "limit": limit, "spss": _SPANS_A_HIT, **_between(query)}
        found = (_summary(hit) for hit in self._search(params))
        return ordered(query, [hit for hit in found if fits(query, hit)])

    @understood
    def count_by(self, query: TraceQuery, attribute: str) -> Mapping[str, int]:
        """Counts spans where the request came in: the roots, or the server spans of the query's service.

        The attribute has to be on that span, as TraceQL metrics do not join spans.
        """
        name = _name(attribute)
        where = [*_of_span(query), "kind = server" if query.service else "nestedSetParent < 0", f"{name} != nil"]
        where += [f".{FLOW} = {_text(query.flow)}"] if query.flow else []
        where += [f"status {'=' if query.error else '!='} error"] if query.error is not None else []
        where += [f"duration >= {_length(query.min_duration)}"] if query.min_duration else []
        where += [f"duration <= {_length(query.max_duration)}"] if query.max_duration else []
        ends = _between(query)
        params = {"q": f"{{ {' && '.join(where)} }} | count_over_time() by ({name})", "step": "60s", **ends}
        answer = self.api.get("/api/metrics/query_range", params=params).json()
        counts = Counter[str]()
        for series in answer.get("series") or ():
            value = otlp_json.value(series["labels"][0].get("value"))
            # A sample's value is left out when it is 0.
            counts[str(value)] += sum(int(sample.get("value") or 0) for sample in series.get("samples") or ())
        return {value: count for value, count in counts.most_common(query.limit) if count and value != _NO_VALUE}

    def _search(self, params: Mapping[str, Any]) -> list[Any]:
        answer = self.api.get("/api/search", params=params).json()
        # An empty object, when nothing was found, leaves even the list out; another product would leave out both.
        if "traces" not in answer and "metrics" not in answer:
            raise KeyError("traces")
        return answer.get("traces") or []


# -- TraceQL
def traceql(query: TraceQuery) -> str:
    """The search in TraceQL. Each set of braces is about one span, and any span of the trace may match."""
    sets = [f"{{ {' && '.join(said)} }}" for said in _conditions(query)]
    return f"{' && '.join([*sets, _ENTRY])} | {_SELECTED}"


def _conditions(query: TraceQuery) -> Iterator[list[str]]:
    if described := _of_span(query):
        yield described
    if query.flow:
        yield [f".{FLOW} = {_text(query.flow)}"]
    # Of any span: the entry's is among them, and Tempo does not know which one that is.
    if query.error:
        yield ["status = error"]
    if query.min_duration:
        yield [f"duration >= {_length(query.min_duration)}"]


def _of_span(query: TraceQuery) -> list[str]:
    said = [f"resource.service.name = {_text(query.service)}"] if query.service else []
    said += [f"name = {_text(query.operation)}"] if query.operation else []
    return said + [_equals(_name(name), value) for name, value in query.attributes.items()]


def _equals(name: str, value: Any) -> str:
    """TraceQL compares types too, and a value that a person typed has none."""
    if isinstance(value, bool):
        return f"{name} = {str(value).lower()}"
    if isinstance(value, (int, float)):
        return f"{name} = {value}"
    typed = value if re.fullmatch(r"-?\d{1,18}(\.\d+)?|true|false", str(value)) else ""
    return f"({name} = {_text(str(value))} || {name} = {typed})" if typed else f"{name} = {_text(str(value))}"


def _name(attribute: str) -> str:
    if attribute == "service.name":
        return "resource.service.name"
    return f".{attribute}" if _PLAIN_NAME.fullmatch(attribute) else f".{_text(attribute)}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _length(duration: timedelta) -> str:
    return f"{duration // timedelta(microseconds=1)}us"


def _between(query: TraceQuery) -> dict[str, int]:
    """Whole seconds that contain the query's time; without both ends Tempo asks only what it has in memory."""
    until = query.until or datetime.now(UTC)
    since = query.since or until - LOOKBACK
    return {"start": int(since.timestamp()), "end": int(until.timestamp()) + 1}


# -- What it found
def _summary(hit: Mapping[str, Any]) -> TraceSummary:
    trace_id = otlp_json.hex_id(hit["traceID"], 16)
    sets = hit.get("spanSets") or ([hit["spanSet"]] if hit.get("spanSet") else [])
    spans = sorted((_span(trace_id, span) for found in sets for span in found.get("spans") or ()), key=order)
    entry = spans[0] if spans and _is_entry(spans[0], len(spans), sets) else None
    services = hit.get("serviceStats") or {}
    # Where the entry is not told: that something failed in the service where the trace began.
    blamed = [services[name] for name in (hit.get("rootServiceName"),) if name in services] or services.values()
    return TraceSummary(
        trace_id=trace_id,
        flow=next((str(span.attributes[FLOW]) for span in spans if span.attributes.get(FLOW)), ""),
        service=entry.service if entry else str(hit.get("rootServiceName") or ""),
        name=entry.name if entry else str(hit.get("rootTraceName") or ""),
        start_ns=int(hit["startTimeUnixNano"]),
        duration_ns=entry.duration_ns if entry else int(hit.get("durationMs") or 0) * 1_000_000,
        error=entry.status == "error" if entry else any(int(one.get("errorCount") or 0) for one in blamed),
        span_count=sum(int(one.get("spanCount") or 0) for one in services.values()) or len(spans),
    )


def _is_entry(first: Span, told: int, sets: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the first of the told spans is surely the entry: a root, or there are no others that it might be."""
    rank, matched = rank_of(first), sum(int(found.get("matched") or 0) for found in sets)
    return rank == Rank.ROOT_OF_FLOW or (rank > Rank.OTHER and matched <= told)


def _span(trace_id: str, span: Mapping[str, Any]) -> Span:
    said = otlp_json.attributes(span.get("attributes"))
    return Span(
        trace_id=trace_id,
        span_id=otlp_json.hex_id(span.get("spanID"), 8),
        # The number of its parent in Tempo's own order, -1 for a root.
        parent_id="" if int(said.get("nestedSetParent", 0)) < 0 else "a parent",
        service=str(said.get("service.name") or otlp_json.UNKNOWN),
        name=str(span.get("name") or said.get("name") or ""),
        kind=otlp_json.kind_of(said.get("kind")),
        start_ns=int(span.get("startTimeUnixNano") or 0),
        duration_ns=int(span.get("durationNanos") or 0),
        status=otlp_json.status_of(said.get("status")),
        attributes=_flow(said),
    )


def _flow(said: Attributes) -> Attributes:
    return {FLOW: said[FLOW]} if said.get(FLOW) else {}
