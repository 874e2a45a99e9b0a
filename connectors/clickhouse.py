"""Asks ClickHouse, over its HTTP interface, for what OpenTelemetry's exporter writes: `otel_traces`, `otel_logs`.

Values travel as query parameters, never in the text of a query. Only the names of the tables, which an operator
entered, are written into it, and they are checked.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from string import Template
from typing import Any

from connectors import fields
from connectors.entry import FLOW, text
from connectors.errors import NotAStore, Refused, StoreError
from connectors.http import Access, Store, refused, understood
from connectors.otlp_json import UNKNOWN, hex_id, kind_of, status_of
from connectors.telemetry import (
    NANOSECONDS,
    Attributes,
    Count,
    LogLine,
    LogQuery,
    Span,
    SpanEvent,
    TraceQuery,
    TraceSummary,
    steps,
    to_ns,
)

LOOKBACK = timedelta(hours=24)
# A trace that began in the searched time may have spans after it, and one that began before it has some within.
LONGEST_TRACE = timedelta(minutes=10)
MOST_SPANS = 20_000
# Trace ids in one question: they stand in its address.
IDS_AT_ONCE = 100
_TABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?")
_READONLY = "in readonly mode"

# The exporter wrote `SPAN_KIND_SERVER` and `STATUS_CODE_ERROR` before 0.97, `Server` and `Error` since.
_SERVES = "SpanKind IN ('Server', 'Consumer', 'SPAN_KIND_SERVER', 'SPAN_KIND_CONSUMER')"
_FAILED = "StatusCode IN ('Error', 'STATUS_CODE_ERROR')"
_FLOW = f"if(SpanAttributes['{FLOW}'] != '', SpanAttributes['{FLOW}'], ResourceAttributes['{FLOW}'])"
# The same order as `connectors.entry.Rank`.
_RANK = (
    f"multiIf(ParentSpanId = '' AND ({_SERVES} OR {_FLOW} != ''), 4, {_SERVES} AND {_FLOW} != '', 3,"
    " ParentSpanId = '', 2, 1)"
)
_START = "toUnixTimestamp64Nano(Timestamp)"
# How sure it is that a span is the entry, then when it began: the least is the entry.
_ORDER = f"(-{_RANK}, {_START}, SpanId)"
_FRAGMENTS = {"start": _START, "rank": _RANK, "order": _ORDER, "flow": _FLOW, "failed": _FAILED}
_SPANS = Template("""
SELECT TraceId, SpanId, ParentSpanId, ServiceName, SpanName, SpanKind, $start AS start_ns, Duration, StatusCode,
    StatusMessage, SpanAttributes, ResourceAttributes,
    arrayMap(at -> toUnixTimestamp64Nano(at), `Events.Timestamp`) AS event_ns, `Events.Name` AS event_names,
    `Events.Attributes` AS event_attributes
FROM $table WHERE TraceId = {trace:String} ORDER BY start_ns, SpanId LIMIT $limit
""")
_SUMMARIES = Template("""
SELECT TraceId AS trace_id,
    argMinIf($flow, $order, $flow != '') AS flow,
    argMin(ServiceName, $order) AS service,
    argMin(SpanName, $order) AS name,
    min($start) AS start_ns,
    max($rank) AS best_rank,
    if(best_rank > 1, toInt64(argMin(Duration, $order)), max($start + toInt64(Duration)) - start_ns) AS duration_ns,
    if(best_rank > 1, argMin($failed, $order), max($failed)) AS failed,
    count() AS span_count
FROM $table WHERE $where GROUP BY TraceId HAVING $having
""")
_CHOSEN = Template("TraceId IN (SELECT TraceId FROM $table WHERE $where)")
_VALUES = Template("""
SELECT if(SpanAttributes[{by:String}] != '', SpanAttributes[{by:String}], ResourceAttributes[{by:String}]) AS value,
    uniqExact(TraceId) AS traces
FROM $table WHERE $where AND value != '' AND TraceId IN (SELECT trace_id FROM ($summaries))
GROUP BY value ORDER BY traces DESC, value LIMIT $limit
""")
_LINES = Template("""
SELECT $start AS at_ns, SeverityNumber, SeverityText, ServiceName, Body, TraceId, SpanId, LogAttributes,
    ResourceAttributes
FROM $table WHERE $where ORDER BY Timestamp $direction LIMIT $limit
""")
_COUNTS = Template("SELECT intDiv($start, $length) AS step, count() AS lines FROM $table WHERE $where GROUP BY step")
_ANY_ROW = Template("SELECT 1 FROM $table LIMIT 1")


class _ClickHouse(Store):
    product = "ClickHouse"
    usual = ""

    def __init__(self, access: Access, table: str = "") -> None:
        super().__init__(access)
        self._name = table or self.usual
        self._settings = {"max_execution_time": str(max(1, int(access.timeout.total_seconds())))}

    def probe(self) -> str:
        """Its version. Raises `Refused` also when the table is not there."""
        self._rows(self._sql(_ANY_ROW), {})
        return str(self._rows("SELECT version() AS version", {})[0]["version"])

    @property
    def _table(self) -> str:
        if not _TABLE.fullmatch(self._name):
            raise Refused(f"“{self._name}” is no name of a table. Write it like {self.usual} or otel.{self.usual}.")
        return ".".join(f"`{part}`" for part in self._name.split("."))

    def _sql(self, template: Template, **parts: str | int) -> str:
        return template.substitute(_FRAGMENTS, table=self._table, **parts)

    def _rows(self, sql: str, values: Mapping[str, str]) -> list[Any]:
        given = {f"param_{name}": value for name, value in values.items()}
        try:
            return self._asked(sql, given | self._settings)
        except StoreError as error:
            if not self._settings or _READONLY not in str(error):
                raise
            # This user may not even set a time limit.
            self._settings = {}
            return self._asked(sql, given)

    def _asked(self, sql: str, params: Mapping[str, str]) -> list[Any]:
        # Without waiting for the end, an error in the middle would come under a 200.
        params = {"default_format": "JSON", "wait_end_of_query": "1", **params}
        answer = self.api.post("/", params=params, data=sql.strip().encode(), may_miss=True)
        if answer.status == 404 and answer.text.startswith("Code:"):
            raise refused(self.api.peer, answer.text)
        if answer.status == 404:
            raise NotAStore(f"{self.api.peer.host} has no ClickHouse at this address. Check its path and port.")
        result = answer.json()
        if result.get("exception"):
            raise refused(self.api.peer, result["exception"])
        rows: list[Any] = result["data"]
        return rows


class ClickHouseTraces(_ClickHouse):
    """Spans, as a table of `otel_traces`' form holds them."""

    usual = "otel_traces"

    @understood
    def trace(self, trace_id: str) -> list[Span]:
        known = hex_id(trace_id, 16)
        if not known:
            return []
        rows = self._rows(self._sql(_SPANS, limit=MOST_SPANS), {"trace": known})
        return [_span(row) for row in rows]

    @understood
    def search(self, query: TraceQuery) -> list[TraceSummary]:
        asked, values = self._summaries(query)
        order = "duration_ns DESC" if query.slowest_first else "start_ns DESC"
        limit = min(query.limit, self.bounds.traces)
        return [_summary(row) for row in self._rows(f"{asked} ORDER BY {order}, trace_id LIMIT {limit}", values)]

    @understood
    def count_by(self, query: TraceQuery, attribute: str) -> Mapping[str, int]:
        summaries, values = self._summaries(query)
        values["by"] = attribute
        where = " AND ".join([_around(values), *_described(query, values)])
        rows = self._rows(self._sql(_VALUES, where=where, summaries=summaries, limit=query.limit), values)
        return {str(row["value"]): int(row["traces"]) for row in rows}

    def _summaries(self, query: TraceQuery) -> tuple[str, dict[str, str]]:
        """Each trace that the query asks for as one row, and the values that stand in it."""
        until = query.until or datetime.now(UTC)
        since = query.since or until - LOOKBACK
        values = {"since": str(to_ns(since)), "until": str(to_ns(until))}
        where = [_around(values)]
        for conditions in (_described(query, values), _of_flow(query, values)):
            if conditions:
                chosen = " AND ".join([_around(values), *conditions])
                where.append(self._sql(_CHOSEN, where=chosen))
        having = ["start_ns BETWEEN {since:Int64} AND {until:Int64}"]
        if query.error is not None:
            having.append(f"failed = {int(query.error)}")
        for sign, bound in ((">=", query.min_duration), ("<=", query.max_duration)):
            if bound is not None:
                having.append(f"duration_ns {sign} {bound // timedelta(microseconds=1) * 1000:d}")
        return self._sql(_SUMMARIES, where=" AND ".join(where), having=" AND ".join(having)), values


class ClickHouseLogs(_ClickHouse):
    """Log lines, as a table of `otel_logs`' form holds them."""

    usual = "otel_logs"

    @understood
    def lines_of(
        self, trace_ids: Sequence[str], limit: int = 500, since: datetime | None = None, until: datetime | None = None
    ) -> list[LogLine]:
        ids = [known for trace_id in trace_ids if (known := hex_id(trace_id, 16))]
        lines: list[LogLine] = []
        for first in range(0, len(ids), IDS_AT_ONCE):
            values = {"ids": _array(ids[first : first + IDS_AT_ONCE])}
            where = ["TraceId IN {ids:Array(String)}", *_within(since, until, values)]
            lines += self._lines(where, values, "ASC", limit)
        return sorted(lines, key=lambda line: line.at_ns)[:limit]

    @understood
    def search(self, query: LogQuery) -> list[LogLine]:
        values: dict[str, str] = {}
        where = [*_within(query.since, query.until, values), *_of_lines(query, values)]
        return self._lines(where, values, "DESC", query.limit)

    @understood
    def counts(self, query: LogQuery, step: timedelta) -> list[Count]:
        if query.since is None or query.until is None:
            raise Refused("Counts over time need to know from when to when.")
        at = steps(query.since, query.until, step)
        length = max(int(step.total_seconds()), 1) * NANOSECONDS
        values = {"since": str(to_ns(at[0])), "until": str(to_ns(at[-1]) + length - 1)}
        where = " AND ".join([_TIME, *_of_lines(query, values)])
        rows = self._rows(self._sql(_COUNTS, where=where, length=length), values)
        found = {int(row["step"]): int(row["lines"]) for row in rows}
        return [Count(moment, found.get(to_ns(moment) // length, 0)) for moment in at]

    def _lines(self, where: Sequence[str], values: dict[str, str], direction: str, limit: int) -> list[LogLine]:
        most = min(limit, self.bounds.lines)
        asked = self._sql(_LINES, where=" AND ".join(where), direction=direction, limit=most)
        rows = self._rows(asked, values)
        return [_line(row) for row in rows]


# -- Conditions
_TIME = "Timestamp >= fromUnixTimestamp64Nano({since:Int64}) AND Timestamp <= fromUnixTimestamp64Nano({until:Int64})"


def _around(values: dict[str, str]) -> str:
    """Spans of traces that may have begun in the query's time."""
    around = LONGEST_TRACE // timedelta(microseconds=1) * 1000
    values["first"], values["last"] = str(int(values["since"]) - around), str(int(values["until"]) + around)
    return _TIME.replace("{since:", "{first:").replace("{until:", "{last:")


def _within(since: datetime | None, until: datetime | None, values: dict[str, str]) -> list[str]:
    now = datetime.now(UTC)
    values["since"] = str(to_ns(since or (until or now) - LOOKBACK))
    values["until"] = str(to_ns(until or now))
    return [_TIME]


def _described(query: TraceQuery, values: dict[str, str]) -> list[str]:
    """That a span is of the query's service, operation and attributes."""
    said = []
    if query.service:
        values["service"] = query.service
        said.append("ServiceName = {service:String}")
    if query.operation:
        values["operation"] = query.operation
        said.append("SpanName = {operation:String}")
    return said + _carrying(query.attributes, "SpanAttributes", values)


def _of_flow(query: TraceQuery, values: dict[str, str]) -> list[str]:
    if not query.flow:
        return []
    values["flow"] = query.flow
    return [f"{_FLOW} = {{flow:String}}"]


def _carrying(attributes: Attributes, own: str, values: dict[str, str]) -> list[str]:
    said = []
    for number, (name, value) in enumerate(attributes.items()):
        values |= {f"name{number}": name, f"value{number}": text(value)}
        key, wanted = f"{{name{number}:String}}", f"{{value{number}:String}}"
        said.append(f"({own}[{key}] = {wanted} OR ResourceAttributes[{key}] = {wanted})")
    return said


def _of_lines(query: LogQuery, values: dict[str, str]) -> list[str]:
    said = _carrying(dict(query.attributes) | ({FLOW: query.flow} if query.flow else {}), "LogAttributes", values)
    if query.trace_id:
        values["trace"] = hex_id(query.trace_id, 16)
        said.append("TraceId = {trace:String}")
    if query.service:
        values["service"] = query.service
        said.append("ServiceName = {service:String}")
    if query.min_severity is not None:
        values |= {"least": str(query.min_severity), "words": _array(fields.words_from(query.min_severity))}
        said.append(
            "(SeverityNumber >= {least:Int32} OR SeverityNumber = 0 AND lower(SeverityText) IN {words:Array(String)})"
        )
    if query.text:
        values["text"] = query.text
        said.append("positionCaseInsensitiveUTF8(Body, {text:String}) > 0")
    return said


def _array(values: Sequence[str]) -> str:
    return "[" + ",".join("'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'" for value in values) + "]"


# -- What it found
def _span(row: Mapping[str, Any]) -> Span:
    events = zip(row["event_ns"], row["event_names"], row["event_attributes"], strict=True)
    return Span(
        trace_id=hex_id(row["TraceId"], 16),
        span_id=hex_id(row["SpanId"], 8),
        parent_id=hex_id(row["ParentSpanId"], 8),
        service=row["ServiceName"] or UNKNOWN,
        name=row["SpanName"],
        kind=kind_of(row["SpanKind"]),
        start_ns=int(row["start_ns"]),
        duration_ns=max(int(row["Duration"]), 0),
        status=status_of(row["StatusCode"]),
        status_message=row["StatusMessage"],
        attributes=row["SpanAttributes"],
        resource=row["ResourceAttributes"],
        events=tuple(SpanEvent(int(at), name, said) for at, name, said in events),
    )


def _summary(row: Mapping[str, Any]) -> TraceSummary:
    return TraceSummary(
        trace_id=hex_id(row["trace_id"], 16),
        flow=row["flow"],
        service=row["service"],
        name=row["name"],
        start_ns=int(row["start_ns"]),
        duration_ns=int(row["duration_ns"]),
        error=bool(int(row["failed"])),
        span_count=int(row["span_count"]),
    )


def _line(row: Mapping[str, Any]) -> LogLine:
    return LogLine(
        at_ns=int(row["at_ns"]),
        severity=fields.severity(row["SeverityNumber"], row["SeverityText"]),
        body=row["Body"],
        service=row["ServiceName"],
        trace_id=hex_id(row["TraceId"], 16),
        span_id=hex_id(row["SpanId"], 8),
        attributes=row["LogAttributes"],
        resource=row["ResourceAttributes"],
    )
