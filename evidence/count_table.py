"""How often something went wrong, by time and by the attributes of the traffic: many rows, kept as a few arrays."""

import csv
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from connectors.telemetry import to_ns
from evidence.case import Mask, Times

type Floats = NDArray[np.float64]
type Codes = NDArray[np.int32]

# The code of an attribute that a row does not know.
NOT_KNOWN = -1
CHUNK = 50_000
_FINER_THAN_MICROSECONDS = re.compile(r"(\.\d{6})\d+")


class CountsError(ValueError):
    """A file of counts could not be read; the message says why, in a sentence that a user may read."""


@dataclass(frozen=True, slots=True, eq=False)
class CountTable:
    """Bad and total events of many parts of the traffic at many times.

    `codes[row, attribute]` is the place of the row's value in `values[attribute]`, or `NOT_KNOWN`. `skipped` rows had
    no usable time or numbers (empty, not a number, negative, more bad than total).
    """

    time_ns: Times
    bad: Floats
    total: Floats
    codes: Codes
    attributes: tuple[str, ...]
    values: tuple[tuple[str, ...], ...]
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.time_ns)

    def where(self, rows: Mask) -> Self:
        """Only these rows, of the same attributes and values."""
        kept = self.time_ns[rows], self.bad[rows], self.total[rows], self.codes[rows]
        return type(self)(*kept, self.attributes, self.values, self.skipped)


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when, whether it was bad, and what is known of it ({"region": "eu-west", "user.id": "7"})."""

    time_ns: int
    bad: bool
    attributes: Mapping[str, str] = field(default_factory=dict)


class _Column(dict[str, int]):
    """Gives each value of an attribute a number, in the order in which they come."""

    def __init__(self) -> None:
        super().__init__({"": NOT_KNOWN})

    def __missing__(self, text: str) -> int:
        self[text] = code = len(self) - 1
        return code

    def codes(self, texts: Sequence[str]) -> Codes:
        return np.fromiter(map(self.__getitem__, texts), dtype=np.int32, count=len(texts))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(islice(self, 1, None))


class _Clock(dict[str, int]):
    """Reads RFC 3339 times, each different one once; `UNREADABLE` for what is none."""

    UNREADABLE = int(np.iinfo(np.int64).min)

    def __missing__(self, text: str) -> int:
        self[text] = parsed = self._parsed(text)
        return parsed

    def _parsed(self, text: str) -> int:
        try:
            moment = datetime.fromisoformat(_FINER_THAN_MICROSECONDS.sub(r"\1", text.strip()))
        except ValueError:
            return self.UNREADABLE
        return self.UNREADABLE if moment.tzinfo is None else to_ns(moment)

    def times(self, texts: Sequence[str]) -> Times:
        return np.fromiter(map(self.__getitem__, texts), dtype=np.int64, count=len(texts))


def of_requests(requests: Iterable[Request]) -> CountTable:
    """One row per request; an attribute that a request lacks is not known there."""
    rows = list(requests)
    names = tuple(sorted({name for row in rows for name in row.attributes}))
    columns = [_Column() for _ in names]
    coded = [
        column.codes([row.attributes.get(name, "") for row in rows])
        for name, column in zip(names, columns, strict=True)
    ]
    return CountTable(
        np.array([row.time_ns for row in rows], dtype=np.int64),
        np.array([row.bad for row in rows], dtype=np.float64),
        np.ones(len(rows)),
        _matrix(coded, len(rows)),
        names,
        tuple(column.names for column in columns),
    )


def of_csv(path: Path) -> CountTable:
    """Reads a file with the header `time,bad,total,<attribute>…`; raises `CountsError`."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return read(file)


def read(file: Iterable[str]) -> CountTable:
    """Reads lines of CSV as they come, so that what is held at a time is the arrays and one chunk of text.

    Times are RFC 3339; an empty attribute is one that is not known. Raises `CountsError`.
    """
    rows = csv.reader(file)
    header = [name.strip() for name in next(rows, [])]
    missing = {"time", "bad", "total"} - set(header)
    if missing:
        raise CountsError(f"The counts have no column {' and no column '.join(sorted(missing))}.")
    places = [place for place, name in enumerate(header) if name not in ("", "time", "bad", "total")]
    columns = [_Column() for _ in places]
    clock = _Clock()
    parts = [_part(chunk, header, places, columns, clock) for chunk in _chunks(rows)]
    whole = _joined(parts, len(places))
    values = tuple(column.names for column in columns)
    return CountTable(*whole, tuple(header[place] for place in places), values, sum(part.skipped for part in parts))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    time_ns: Times
    bad: Floats
    total: Floats
    codes: Codes
    skipped: int


def _part(
    rows: Sequence[Sequence[str]],
    header: Sequence[str],
    places: Sequence[int],
    columns: Sequence[_Column],
    clock: _Clock,
) -> _Part:
    texts = list(zip(*rows, strict=True))
    times = clock.times(texts[header.index("time")])
    bad, total = (_numbers(texts[header.index(name)]) for name in ("bad", "total"))
    usable = (times != _Clock.UNREADABLE) & (bad >= 0) & (bad <= total) & np.isfinite(total)
    codes = _matrix([column.codes(texts[place]) for place, column in zip(places, columns, strict=True)], len(rows))
    return _Part(times[usable], bad[usable], total[usable], codes[usable], int((~usable).sum()))


def _chunks(rows: Iterator[list[str]]) -> Iterator[list[list[str]]]:
    """Rows in lots, all as long as the longest (a line that is cut off lacks its last columns)."""
    while chunk := list(islice(rows, CHUNK)):
        widths = set(map(len, chunk))
        if len(widths) > 1:
            chunk = [row + [""] * (max(widths) - len(row)) for row in chunk if row]
        if chunk and chunk[0]:
            yield chunk


def _numbers(texts: Sequence[str]) -> Floats:
    """As floats; NaN for what is empty or not a number."""
    try:
        return np.array(texts, dtype=np.float64)
    except ValueError:
        return np.array([_number(text) for text in texts], dtype=np.float64)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _matrix(columns: Sequence[Codes], rows: int) -> Codes:
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0), dtype=np.int32)


def _joined(parts: Sequence[_Part], attributes: int) -> tuple[Times, Floats, Floats, Codes]:
    if not parts:
        return np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros((0, attributes), dtype=np.int32)
    return (
        np.concatenate([part.time_ns for part in parts]),
        np.concatenate([part.bad for part in parts]),
        np.concatenate([part.total for part in parts]),
        np.concatenate([part.codes for part in parts]),
    )
