"""Paging by time: the next page starts after the last row of this one, however many rows arrive meanwhile."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.telemetry import from_ns

_CURSOR = re.compile(r"(\d{1,19})-(\d{1,5})")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page starts, newest first: at this instant, after the rows of it that were shown already."""

    ns: int
    skip: int = 0

    def __str__(self) -> str:
        return f"{self.ns}-{self.skip}"

    @property
    def until(self) -> datetime:
        """The latest instant to ask for; stores know microseconds only, so a little more than needed."""
        return from_ns(self.ns) + timedelta(microseconds=1)


def parse(text: str) -> Cursor | None:
    """A cursor as it stands in an address; `None` for none and for what is none."""
    found = _CURSOR.fullmatch(text)
    if not found or int(found[1]) >= 2**63:
        return None
    return Cursor(int(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class Page[T]:
    """Some rows, newest first, and where the next, older ones start; `None` when these are the last."""

    rows: Sequence[T]
    older: Cursor | None


def cut[T](found: Sequence[T], key: Callable[[T], int], cursor: Cursor | None, size: int) -> Page[T]:
    """One page of what a store answered up to the cursor; `key` is a row's time in nanoseconds."""
    rows = list(found)
    if cursor is not None:
        rows = [row for row in rows if key(row) <= cursor.ns]
        same = sum(1 for row in rows if key(row) == cursor.ns)
        rows = rows[min(cursor.skip, same) :]
    shown = rows[:size]
    if len(rows) <= size or not shown:
        return Page(shown, None)
    last = key(shown[-1])
    skip = sum(1 for row in shown if key(row) == last)
    if cursor is not None and cursor.ns == last:
        skip += cursor.skip
    return Page(shown, Cursor(last, skip))


def asked(cursor: Cursor | None, size: int) -> int:
    """How many rows to ask a store for, so that a page is full and the next one is known of."""
    return size + 1 + (cursor.skip + 20 if cursor else 0)
