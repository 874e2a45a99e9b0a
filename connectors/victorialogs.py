"""Asks VictoriaLogs: lines by trace, by what they say, and counts over time.

Every field of a line is a text. Lines that came by OTLP carry OpenTelemetry's names (`trace_id`, `service.name`,
`severity_number`); others often `level` and `service`, which are understood as well.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connectors import fields
from connectors.entry import FLOW, text
from connectors.errors import Refused, StoreError
from connectors.http import Answer, Store, understood
from connectors.otlp_json import hex_id
from connectors.telemetry import Count, LogLine, LogQuery, steps, to_ns

LOOKBACK = timedelta(hours=24)
_QUERY = "/select/logsql/query"
_VERSION = re.compile(r'vm_app_version\{[^}]*short_version="([^"]+)"')
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_OWN = ("_msg", "_time", "_stream", "_stream_id")


class VictoriaLogs(Store):
    product = "VictoriaLogs"

    def probe(self) -> str:
        self._lines("*", LogQuery(since=datetime.now(UTC) - timedelta(minutes=5), limit=1))
        try:
            found = _VERSION.search(self.api.get("/metrics", may_miss=True).text)
        except StoreError:  # its own metrics may be closed to others
            return ""
        return found[1] if found else ""

    def lines_of(
        self, trace_ids: Sequence[str], limit: int = 500, since: datetime | None = None, until: datetime | None = None
    ) -> list[LogLine]:
        ids = [known for trace_id in trace_ids if (known := hex_id(trace_id, 16))]
        if not ids:
            return []
        query = LogQuery(since=since, until=until, limit=limit)
        return self._lines(_among("trace_id", ids), query, "asc")

    def search(self, query: LogQuery) -> list[LogLine]:
        return self._lines(logsql(query), query)

    @understood
    def counts(self, query: LogQuery, step: timedelta) -> list[Count]:
        if query.since is None or query.until is None:
            raise Refused("Counts over time need to know from when to when.")
        at = steps(query.since, query.until, step)
        seconds = max(int(step.total_seconds()), 1)
        whole = {"start": to_ns(at[0]), "end": to_ns(at[-1]) + seconds * 1_000_000_000 - 1, "step": f"{seconds}s"}
        answer = self.api.post("/select/logsql/hits", data={"query": logsql(query), **whole, **self._patience}).json()
        found = Counter[int]()
        for group in answer["hits"]:
            for moment, count in zip(group["timestamps"], group["values"], strict=True):
                found[fields.ns_of(moment)] += int(count)
        return [Count(moment, found[to_ns(moment)]) for moment in at]

    @understood
    def _lines(self, logsql: str, query: LogQuery, order: str = "desc") -> list[LogLine]:
        until = query.until or datetime.now(UTC)
        asked = {
            "query": f"{logsql} | sort by (_time {order}) limit {min(query.limit, self.bounds.lines)}",
            "start": to_ns(query.since or until - LOOKBACK),
            "end": to_ns(until),
        }
        lines = [_line(row) for row in _rows(self.api.post(_QUERY, data=asked | self._patience))]
        return sorted(lines, key=lambda line: line.at_ns, reverse=order == "desc")

    @property
    def _patience(self) -> dict[str, str]:
        # So that it stops working on a question when nobody waits for the answer any more.
        return {"timeout": f"{max(1, int(self.api.peer.timeout.total_seconds()))}s"}


def logsql(query: LogQuery) -> str:
    said = []
    if query.trace_id:
        said.append(_is("trace_id", hex_id(query.trace_id, 16)))
    if query.service:
        said.append("(" + " or ".join(_is(name, query.service) for name in (*fields.SERVICES, "service")) + ")")
    if query.flow:
        said.append(_is(FLOW, query.flow))
    said += [_is(name, text(value)) for name, value in query.attributes.items()]
    if query.min_severity is not None:
        pattern = _quoted(f"(?i)^({'|'.join(fields.words_from(query.min_severity))})$")
        levels = " or ".join(f"{_quoted(name)}:~{pattern}" for name in ("severity_text", "severity", "level"))
        said.append(f"(severity_number:>={query.min_severity} or {levels})")
    if query.text:
        said.append(f"_msg:~{_quoted('(?i)' + _SPECIAL.sub(lambda found: chr(92) + found[0], query.text))}")
    return " ".join(said) or "*"


def _is(field: str, value: str) -> str:
    return f"{_quoted(field)}:={_quoted(value)}"


def _among(field: str, values: Sequence[str]) -> str:
    return f"{_quoted(field)}:in({','.join(map(_quoted, values))})"


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _rows(answer: Answer) -> Iterable[dict[str, Any]]:
    """One JSON object a line; nothing at all when nothing was found."""
    for line in answer.body.splitlines():
        try:
            yield orjson.loads(line)
        except ValueError:
            answer.json()  # says what was answered instead
            raise


def _line(row: dict[str, Any]) -> LogLine:
    said = {name: value for name, value in row.items() if name not in _OWN}
    if "service" in said and not any(name in said for name in fields.SERVICES):
        said["service.name"] = said.pop("service")
    return fields.line(fields.ns_of(row["_time"]), str(row.get("_msg", "")), said)
