"""Asks Elasticsearch and OpenSearch for log lines and spans, in the forms in which they are usually kept there.

Three forms are understood: OpenTelemetry's own (the collector's Elasticsearch exporter in mode `otel`), Elastic's
common schema (ECS: Filebeat, APM), and OpenSearch's Data Prepper. A condition asks for all their names of a field at
once: a name that an index does not have matches nothing and costs next to nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import documents, fields
from connectors.entry import FLOW, by_trace, carries, hits, text
from connectors.errors import NotAStore, Refused, StoreError, TimedOut
from connectors.http import Access, Store, understood
from connectors.otlp_json import hex_id
from connectors.telemetry import Attributes, Count, LogLine, LogQuery, Span, SpanEvent, TraceQuery, TraceSummary, steps

LOOKBACK = timedelta(hours=24)
# Elasticsearch's default for `index.max_result_window`.
MOST_HITS = 10_000
# Traces whose spans are asked for at once, so that they fit into one answer.
TRACES_AT_ONCE = 50
_NEWEST = [{name: {"order": "desc", "unmapped_type": "date"}} for name in documents.TIMES]
_OLDEST = [{name: {"order": "asc", "unmapped_type": "date"}} for name in documents.TIMES]


class _Elasticsearch(Store):
    product = "Elasticsearch"
    usual = ""

    def __init__(self, access: Access, index: str = "") -> None:
        super().__init__(access)
        self._index = index or self.usual

    def probe(self) -> str:
        """Its version. Raises `Refused` also when no index has the name."""
        self._search({"size": 0})
        try:
            version = self.api.get("/").json()["version"]
        except (StoreError, KeyError):  # who may read the index may not read this
            return ""
        product = "OpenSearch " if version.get("distribution") == "opensearch" else ""
        return f"{product}{version['number']}"

    def _documents(
        self, conditions: Sequence[Any], size: int, sort: Any = _NEWEST, index: str = "", **more: Any
    ) -> list[Any]:
        asked = {"query": {"bool": {"filter": list(conditions)}}, "size": min(size, MOST_HITS), "sort": sort, **more}
        found = self._search(asked, index)["hits"]["hits"]
        return [documents.flat(hit["_source"]) for hit in found]

    def _search(self, asked: Mapping[str, Any], index: str = "") -> Any:
        patience = f"{max(1, int(self.api.peer.timeout.total_seconds()))}s"
        answer = self.api.post(
            f"/{index or self._index}/_search",
            params={"ignore_unavailable": "true", "allow_no_indices": "true"},
            json={"timeout": patience, "track_total_hits": False, **asked},
            may_miss=True,
        )
        if answer.status == 404:
            raise NotAStore(f"{self.api.peer.host} has no Elasticsearch at this address. Check its path and port.")
        result = answer.json()
        if result["timed_out"]:
            raise TimedOut(f"{self.api.peer.host} did not search everything in time. {self.api.peer.smaller}")
        if not result["_shards"]["total"]:
            raise Refused(f"{self.api.peer.host} has no index that matches {self._index}. Name it in the source.")
        return result


class ElasticsearchTraces(_Elasticsearch):
    """Spans. Those that carry OpenTelemetry's form keep their events in the log index, which is then asked as well."""

    usual = "traces-*,otel-v1-apm-span-*"

    def __init__(self, access: Access, index: str = "", events: str = "") -> None:
        """`events` is the index of log lines; without it spans that keep their events there have none."""
        super().__init__(access, index)
        self._events = events

    @understood
    def trace(self, trace_id: str) -> list[Span]:
        known = hex_id(trace_id, 16)
        spans = self._spans([known]) if known else []
        if not spans or not self._events or any(span.events for span in spans):
            return spans
        happened: dict[str, list[SpanEvent]] = defaultdict(list)
        conditions = [_among(documents.TRACES, [known]), {"exists": {"field": "event_name"}}]
        for row in self._documents(conditions, MOST_HITS, _OLDEST, index=self._events):
            if found := documents.event(row):
                happened[found[0]].append(found[1])
        return [replace(span, events=tuple(happened[span.span_id])) for span in spans]

    @understood
    def search(self, query: TraceQuery) -> list[TraceSummary]:
        ids: dict[str, None] = {}
        for conditions in _searches(query):
            found = self._documents(conditions, min(query.limit * 4, MOST_HITS), _source=list(documents.TRACES))
            ids |= dict.fromkeys(
                known for row in found if (known := hex_id(documents.first(row, documents.TRACES), 16))
            )
        chosen = list(ids)[: min(query.limit * 2, self.bounds.traces)]
        return hits(query, by_trace(self._spans(chosen)).values())

    @understood
    def count_by(self, query: TraceQuery, attribute: str) -> Mapping[str, int]:
        """Counts traces with a span that by itself is all that the query asks for, outcome and duration included."""
        conditions = [_between(query.since, query.until), *_described(query), *_of_flow(query), *_went(query)]
        if query.error is False:
            conditions.append({"bool": {"must_not": [_failed()]}})
        counted = {
            f"{number}": {
                "terms": {"field": field, "size": query.limit},
                "aggs": {"traces": {"cardinality": {"field": trace, "precision_threshold": 10_000}}},
            }
            for number, (field, trace) in enumerate(documents.countable(attribute))
        }
        result = self._search({"size": 0, "query": {"bool": {"filter": conditions}}, "aggs": counted})
        found = Counter[str]()
        for group in result["aggregations"].values():
            for bucket in group["buckets"]:
                found[str(bucket.get("key_as_string", bucket["key"]))] += int(bucket["traces"]["value"])
        return dict(found.most_common(query.limit))

    def _spans(self, ids: Sequence[str]) -> list[Span]:
        rows: list[Any] = []
        for first in range(0, len(ids), TRACES_AT_ONCE):
            rows += self._documents([_among(documents.TRACES, ids[first : first + TRACES_AT_ONCE])], MOST_HITS, _OLDEST)
        spans = [span for row in rows if (span := documents.span(row))]
        return sorted(spans, key=lambda span: (span.start_ns, span.span_id))


class ElasticsearchLogs(_Elasticsearch):
    """Log lines."""

    usual = "logs-*,filebeat-*"

    @understood
    def lines_of(
        self, trace_ids: Sequence[str], limit: int = 500, since: datetime | None = None, until: datetime | None = None
    ) -> list[LogLine]:
        ids = [known for trace_id in trace_ids if (known := hex_id(trace_id, 16))]
        if not ids:
            return []
        conditions = [_among(documents.TRACES, ids)]
        if since or until:
            conditions.append(_between(since, until))
        return self._lines(conditions, limit, _OLDEST)[:limit]

    @understood
    def search(self, query: LogQuery) -> list[LogLine]:
        found = self._lines(_of_lines(query), query.limit, _NEWEST)
        # Elasticsearch finds words in their order, whatever stands between them.
        wanted = query.text.lower()
        said = dict(query.attributes) | ({FLOW: query.flow} if query.flow else {})
        return [
            line
            for line in reversed(found)
            if wanted in line.body.lower() and carries(said, line.attributes, line.resource)
        ]

    @understood
    def counts(self, query: LogQuery, step: timedelta) -> list[Count]:
        """By `@timestamp`. A text counts where its words stand in a line in this order."""
        if query.since is None or query.until is None:
            raise Refused("Counts over time need to know from when to when.")
        at = steps(query.since, query.until, step)
        seconds = max(int(step.total_seconds()), 1)
        histogram = {"field": documents.TIMES[0], "fixed_interval": f"{seconds}s", "min_doc_count": 1}
        whole = _between(at[0], at[-1] + timedelta(seconds=seconds), open_end=True)
        conditions = [whole, *_of_lines(query)[1:]]
        asked = {"size": 0, "query": {"bool": {"filter": conditions}}, "aggs": {"steps": {"date_histogram": histogram}}}
        buckets = self._search(asked)["aggregations"]["steps"]["buckets"]
        found = {int(bucket["key"]) // 1000: int(bucket["doc_count"]) for bucket in buckets}
        return [Count(moment, found.get(int(moment.timestamp()), 0)) for moment in at]

    def _lines(self, conditions: Sequence[Any], limit: int, sort: Any) -> list[LogLine]:
        """Oldest first, whatever the order in which the first `limit` were chosen."""
        rows = self._documents(conditions, min(limit, self.bounds.lines), sort)
        lines = [line for row in rows if (line := documents.line(row)).body]
        return sorted(lines, key=lambda line: line.at_ns)


# -- Conditions: filters of a `bool` query
def _searches(query: TraceQuery) -> Iterator[list[Any]]:
    """The questions that together find the spans of every trace that the query asks for.

    Outcome and duration are the entry's, which may be of another service than the one that is named.
    """
    time, described, went = _between(query.since, query.until), _described(query), _went(query)
    if described:
        yield [time, *described]
    if went or not described:
        yield [time, *_of_flow(query), *went]


def _described(query: TraceQuery) -> list[Any]:
    said = [_among(documents.SERVICES, [query.service])] if query.service else []
    said += [_among(documents.NAMES, [query.operation])] if query.operation else []
    return said + _carrying(query.attributes)


def _of_flow(query: TraceQuery | LogQuery) -> list[Any]:
    return _carrying({FLOW: query.flow}) if query.flow else []


def _went(query: TraceQuery) -> list[Any]:
    said = [_failed()] if query.error else []
    if query.min_duration:
        least = query.min_duration // timedelta(microseconds=1) * 1000
        said.append(_any(_at_least(name, least / unit) for name, unit in documents.DURATIONS.items()))
    return said


def _failed() -> dict[str, Any]:
    return _any(_says(name, value) for name, value in documents.FAILED)


def _of_lines(query: LogQuery) -> list[Any]:
    said = [_between(query.since, query.until), *_of_flow(query), *_carrying(query.attributes)]
    if query.trace_id:
        said.append(_among(documents.TRACES, [hex_id(query.trace_id, 16)]))
    if query.service:
        said.append(_among(documents.SERVICES, [query.service]))
    if query.min_severity is not None:
        words = [
            spelt for word in fields.words_from(query.min_severity) for spelt in (word, word.upper(), word.title())
        ]
        numbers = (_at_least(name, query.min_severity) for name in fields.NUMBERS)
        said.append(_any([*numbers, _among(fields.LEVELS, words)]))
    if query.text:
        said.append({"multi_match": {"query": query.text, "type": "phrase", "fields": list(documents.BODIES)}})
    return said


def _carrying(attributes: Attributes) -> list[Any]:
    return [
        _any(_says(field, text(value)) for field in documents.attribute(name)) for name, value in attributes.items()
    ]


def _says(field: str, value: str) -> dict[str, Any]:
    """Lenient, because the same field may be a number in another index, which would refuse a word."""
    return {"match": {field: {"query": value, "operator": "and", "lenient": True}}}


def _among(names: Iterable[str], values: Sequence[str]) -> dict[str, Any]:
    # `.keyword` is where an index without a template of its own keeps a text as it is.
    return _any({"terms": {field: list(values)}} for name in names for field in (name, f"{name}.keyword"))


def _any(conditions: Iterable[Any]) -> dict[str, Any]:
    return {"bool": {"should": list(conditions), "minimum_should_match": 1}}


def _at_least(field: str, value: float) -> dict[str, Any]:
    return {"range": {field: {"gte": value}}}


def _between(since: datetime | None, until: datetime | None, open_end: bool = False) -> dict[str, Any]:
    until = until or datetime.now(UTC)
    since = since or until - LOOKBACK
    ends = {"gte": _moment(since), "lt" if open_end else "lte": _moment(until)}
    return _any({"range": {name: ends}} for name in documents.TIMES)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
