"""A recorded incident as a folder of files: what is asked in `case.json`, and the telemetry beside it.

Only `case.json` is needed. Each of the others may be missing or gzipped (`traces.jsonl.gz`), and is read once, line by
line. docs/explain.md describes the files.
"""

import gzip
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BufferedReader
from pathlib import Path
from typing import Any

import orjson

from evidence import count_table, otlp_json
from evidence.case import Bad, Change, Inquiry, Interval
from evidence.count_table import CountsError, CountTable
from evidence.explanation import Material
from evidence.log_table import LogBuilder
from evidence.series import read_openmetrics
from evidence.span_table import SpanBuilder

type Json = Mapping[str, Any]


class BadBundle(ValueError):
    """The folder cannot be investigated. The message names the file and the field, and says what is expected."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder, and what it asks."""

    folder: Path
    id: str
    inquiry: Inquiry

    def has(self, name: str) -> bool:
        return self._path(name) is not None

    @contextmanager
    def lines(self, name: str) -> Iterator[Iterator[bytes]]:
        """The lines of one file, unpacked as they are read; none when it is missing.

        Raises `BadBundle` when it cannot be opened. A file that breaks off is read as far as it goes.
        """
        path = self._path(name)
        if path is None:
            yield iter(())
            return
        with _file(path) as file:
            yield _as_far_as_it_goes(file)

    def json(self, name: str) -> Any:
        """The content of a JSON file; `None` when it is missing. Raises `BadBundle` when it is not JSON."""
        path = self._path(name)
        return None if path is None else _json(path)

    def topology(self) -> tuple[tuple[str, str], ...]:
        """(caller, callee) pairs of `topology.json`; what is not a pair of names is left out."""
        pairs = self.json("topology.json")
        found = pairs if isinstance(pairs, list) else []
        return tuple(
            (pair[0], pair[1])
            for pair in found
            if isinstance(pair, list) and len(pair) == 2 and all(isinstance(name, str) for name in pair)
        )

    def _path(self, name: str) -> Path | None:
        for path in (self.folder / name, self.folder / f"{name}.gz"):
            if path.is_file():
                return path
        return None


def opened(folder: Path) -> Bundle:
    """The bundle in `folder`. Raises `BadBundle` when its `case.json` is missing or does not say what to look into."""
    found = next((path for name in ("case.json", "case.json.gz") if (path := folder / name).is_file()), None)
    if found is None:
        raise BadBundle(f"{folder} holds no case.json, which says what to look into.")
    case = _json(found)
    if not isinstance(case, dict):
        raise BadBundle(f"{found}: an object is expected.")
    try:
        return Bundle(folder, str(case.get("id") or folder.name), _inquiry(case))
    except BadBundle as error:
        raise BadBundle(f"{found}: {error}") from error


def _file(path: Path) -> gzip.GzipFile | BufferedReader:
    try:
        return gzip.GzipFile(path) if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise BadBundle(f"{path} cannot be read: {error.strerror}.") from error


def _as_far_as_it_goes(file: Iterable[bytes]) -> Iterator[bytes]:
    try:
        yield from file
    except (EOFError, OSError):  # what was packed is cut off or damaged
        return


def _json(path: Path) -> Any:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return orjson.loads(content)
    except (OSError, EOFError) as error:
        raise BadBundle(f"{path} cannot be read: {error}.") from error
    except orjson.JSONDecodeError as error:
        raise BadBundle(f"{path} is not JSON: {error}.") from error


# -- case.json
def _inquiry(case: Json) -> Inquiry:
    flow = _object(case, "flow")
    root = flow.get("root")
    root = root if isinstance(root, dict) else {}
    incident = _interval(case.get("incident"), "incident")
    return Inquiry(
        flow=str(flow.get("name") or root.get("service") or "The flow"),
        service=str(root.get("service") or ""),
        operation=str(root.get("operation") or ""),
        bad=_bad(case.get("bad", "any")),
        baseline=tuple(_baseline(case.get("baseline"))),
        incident=incident,
        changes=tuple(_change(change, place) for place, change in enumerate(case.get("changes") or [])),
    )


def _object(case: Json, name: str) -> Json:
    value = case.get(name, {})
    if not isinstance(value, dict):
        raise BadBundle(f"{name}: an object is expected.")
    return value


def _baseline(value: object) -> Iterator[Interval]:
    """The windows in order of time, those that overlap made one."""
    if value is None:
        return
    if not isinstance(value, list):
        raise BadBundle('baseline: a list of windows is expected, each ["from", "to"].')
    windows = (_interval(one, f"baseline {place + 1}") for place, one in enumerate(value))
    reached: Interval | None = None
    for window in sorted(windows, key=lambda one: one.start):
        if reached and window.start <= reached.end:
            reached = Interval(reached.start, max(reached.end, window.end))
            continue
        if reached:
            yield reached
        reached = window
    if reached:
        yield reached


def _interval(value: object, name: str) -> Interval:
    if not isinstance(value, list) or len(value) != 2:
        raise BadBundle(f'{name}: a window is expected, as ["2026-01-31T12:00:00Z", "2026-01-31T12:10:00Z"].')
    start, end = (_instant(text, name) for text in value)
    if end <= start:
        raise BadBundle(f"{name}: it ends before it begins.")
    return Interval(start, end)


def _instant(text: object, name: str) -> datetime:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise BadBundle(f"{name}: {text!r} is no time; RFC 3339 is expected, as 2026-01-31T12:00:00Z.") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _bad(value: object) -> Bad:
    match value:
        case "error":
            return Bad(error=True)
        case "any" | None:
            return Bad()
        case {"slower_than_ms": int() | float() as limit} if limit > 0:
            return Bad(slower_than=timedelta(milliseconds=limit))
    raise BadBundle('bad: "error", "any" or {"slower_than_ms": 500} is expected.')


def _change(value: object, place: int) -> Change:
    name = f"change {place + 1}"
    if not isinstance(value, dict):
        raise BadBundle(f"{name}: an object is expected.")
    return Change(
        at=_instant(value.get("at"), name),
        kind=str(value.get("kind") or "other"),
        service=str(value.get("service") or ""),
        version=str(value.get("version") or ""),
        title=str(value.get("title") or ""),
        id=str(value.get("id") or ""),
    )


# -- The telemetry
def material(bundle: Bundle) -> Material:
    """Everything in the folder, each file read once."""
    spans, logs = SpanBuilder(), LogBuilder()
    with bundle.lines("traces.jsonl") as lines:
        otlp_json.read_traces(lines, spans)
    with bundle.lines("logs.jsonl") as lines:
        otlp_json.read_logs(lines, logs)
    with bundle.lines("metrics.om") as lines:
        series = read_openmetrics(_text(lines))
    return Material(
        spans=spans.table() if len(spans) else None,
        logs=logs.table() if len(logs) else None,
        series=series if len(series) else None,
        counts=_counts(bundle),
        topology=bundle.topology(),
    )


def _counts(bundle: Bundle) -> CountTable | None:
    if not bundle.has("counts.csv"):
        return None
    with bundle.lines("counts.csv") as lines:
        try:
            return count_table.read(_text(lines))
        except CountsError as error:
            raise BadBundle(f"counts.csv: {error}") from error


def _text(lines: Iterable[bytes]) -> Iterator[str]:
    return (line.decode("utf-8", "replace") for line in lines)
