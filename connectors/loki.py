"""Asks Grafana Loki: lines by trace, by what they say, and counts over time.

Loki finds streams by their labels first. OpenTelemetry's resource gives the label `service_name`; the trace's id is
structured metadata where lines came by OTLP, and otherwise a part of the line.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors import fields
from connectors.entry import FLOW, text
from connectors.errors import Refused
from connectors.http import Store, understood
from connectors.otlp_json import hex_id
from connectors.telemetry import NANOSECONDS, Count, LogLine, LogQuery, steps, to_ns

LOOKBACK = timedelta(hours=24)
# Loki's default for `max_entries_limit_per_query`: more are asked for page by page.
PAGE = 5000
# Otherwise structured metadata is mixed into the stream's labels, and two lines of a stream become two streams.
_APART = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")


class Loki(Store):
    product = "Loki"

    def probe(self) -> str:
        self.api.get("/loki/api/v1/labels").json()["status"]
        answer = self.api.get("/loki/api/v1/status/buildinfo", may_miss=True)
        return str(answer.json().get("version", "")) if answer.status == 200 else ""

    # -- Lines
    @understood
    def lines_of(
        self, trace_ids: Sequence[str], limit: int = 500, since: datetime | None = None, until: datetime | None = None
    ) -> list[LogLine]:
        ids = [known for trace_id in trace_ids if (known := hex_id(trace_id, 16))]
        if not ids:
            return []
        query = LogQuery(since=since, until=until, limit=limit)
        either = "|".join(ids)
        found = self._lines(f"{_streams(query)} | trace_id=~{_quoted(either)}", query, "forward")
        if not found:
            found = self._lines(f"{_streams(query)} |~ {_quoted(either)}", query, "forward")
        return [_in_trace(line, ids) for line in found]

    @understood
    def search(self, query: LogQuery) -> list[LogLine]:
        return self._lines(logql(query), query, "backward")

    @understood
    def counts(self, query: LogQuery, step: timedelta) -> list[Count]:
        if query.since is None or query.until is None:
            raise Refused("Counts over time need to know from when to when.")
        at = steps(query.since, query.until, step)
        seconds = max(int(step.total_seconds()), 1)
        # A point counts what came before it, so each step is asked at its end.
        params = {
            "query": f"sum(count_over_time({logql(query)} [{seconds}s]))",
            "start": (int(at[0].timestamp()) + seconds) * NANOSECONDS,
            "end": (int(at[-1].timestamp()) + seconds) * NANOSECONDS,
            "step": f"{seconds}s",
        }
        found = Counter[int]()
        for series in self._asked(params):
            for moment, value in series["values"]:
                found[int(float(moment)) - seconds] += int(float(value))
        return [Count(moment, found[int(moment.timestamp())]) for moment in at]

    def _lines(self, logql: str, query: LogQuery, direction: str) -> list[LogLine]:
        """So many lines page by page: the next page begins at the time at which the last one ended."""
        until = query.until or datetime.now(UTC)
        start, end = to_ns(query.since or until - LOOKBACK), to_ns(until) + 1
        limit = min(query.limit, self.bounds.lines)
        found: dict[tuple[int, str, str], LogLine] = {}
        while len(found) < limit and start < end:
            page = min(PAGE, limit)
            params = {"query": logql, "start": start, "end": end, "limit": page, "direction": direction}
            lines = [line for stream in self._asked(params) for line in _of_stream(stream)]
            before = len(found)
            found |= {(line.at_ns, line.span_id + line.service, line.body): line for line in lines}
            if len(lines) < page or len(found) == before:
                break
            if direction == "forward":
                start = max(line.at_ns for line in lines)
            else:
                # The end is exclusive, and several lines may be of the same nanosecond.
                end = min(line.at_ns for line in lines) + 1
        sign = 1 if direction == "forward" else -1
        return sorted(found.values(), key=lambda line: sign * line.at_ns)[:limit]

    def _asked(self, params: Mapping[str, Any]) -> list[Any]:
        answer = self.api.post("/loki/api/v1/query_range", data=params, headers=_APART).json()
        result: list[Any] = answer["data"]["result"]
        return result or []


# -- LogQL
def logql(query: LogQuery) -> str:
    said = [_streams(query)]
    if query.text:
        said.append(f"|~ {_quoted('(?i)' + _escaped(query.text))}")
    if query.trace_id:
        said.append(f"| trace_id={_quoted(hex_id(query.trace_id, 16))}")
    if query.flow:
        said.append(f"| {_label(FLOW)}={_quoted(query.flow)}")
    said += [f"| {_label(name)}={_quoted(text(value))}" for name, value in query.attributes.items()]
    if query.min_severity is not None:
        words = _quoted(f"(?i)({'|'.join(fields.words_from(query.min_severity))})")
        levels = " or ".join(f"{label}=~{words}" for label in ("detected_level", "level", "severity_text"))
        said.append(f"| severity_number>={query.min_severity} or {levels}")
    return " ".join(said)


def _streams(query: LogQuery) -> str:
    # A selector has to exclude something, and every stream of Loki 3 has this label.
    matcher = f"={_quoted(query.service)}" if query.service else '=~".+"'
    return f"{{service_name{matcher}}}"


def _label(attribute: str) -> str:
    """An attribute's name as Loki keeps it."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", attribute)
    return f"_{name}" if name[:1].isdigit() else name


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _escaped(value: str) -> str:
    return _SPECIAL.sub(lambda found: "\\" + found[0], value)


# -- What it found
def _of_stream(stream: Mapping[str, Any]) -> Iterable[LogLine]:
    labels = {name: value for name, value in stream["stream"].items() if not name.startswith("__error")}
    for entry in stream["values"]:
        # The third part is there only where Loki keeps the labels apart.
        apart: Mapping[str, Any] = entry[2] if len(entry) > 2 else {}
        said = labels | dict(apart.get("structuredMetadata") or {}) | dict(apart.get("parsed") or {})
        yield fields.line(int(entry[0]), str(entry[1]), said)


def _in_trace(line: LogLine, ids: Sequence[str]) -> LogLine:
    """A line that says the id in its text only."""
    return line if line.trace_id else replace(line, trace_id=next((one for one in ids if one in line.body), ""))
