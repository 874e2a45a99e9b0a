"""Bulk inserts that skip or merge what is already there, in one statement on SQLite and on PostgreSQL alike.

Django's bulk_create builds an object for every row and can only overwrite on conflict; a trace's row must be merged,
and the store must learn which spans were new.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from django.db import connections
from django.db.models import Model

# Rows in one statement: 13 columns each stay far below SQLite's limit of 32,766 parameters.
CHUNK = 200


def insert(
    alias: str,
    model: type[Model],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    on_conflict: str,
    returning: str,
) -> list[Any]:
    """Insert the rows; answers the `returning` column of those that were inserted or updated.

    `on_conflict` follows ON CONFLICT and is never made of input. Give the rows sorted by their key: two writers that
    lock in the same order cannot deadlock.
    """
    answered: list[Any] = []
    connection = connections[alias]
    quote = connection.ops.quote_name
    head = f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(map(quote, columns))}) VALUES "  # noqa: S608 - names come from the model
    tail = f" ON CONFLICT {on_conflict} RETURNING {quote(returning)}"
    one = f"({', '.join(['%s'] * len(columns))})"
    with connection.cursor() as cursor:
        for chunk in _chunks(rows):
            cursor.execute(head + ", ".join([one] * len(chunk)) + tail, [value for row in chunk for value in row])
            answered += [row[0] for row in cursor.fetchall()]
    return answered


def _chunks(rows: Sequence[Sequence[Any]]) -> Iterator[Sequence[Sequence[Any]]]:
    for start in range(0, len(rows), CHUNK):
        yield rows[start : start + CHUNK]


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class Json:
    """Encodes JSON columns; what many rows share (their resource) is encoded once."""

    def __init__(self) -> None:
        self._shared: dict[int, tuple[object, str]] = {}

    def one(self, value: Any) -> str:
        return _encode(value)

    def shared(self, value: Any) -> str:
        """Like `one`, remembered by identity; keeps the object alive so that its id stays its own."""
        known = self._shared.get(id(value))
        if known is None:
            known = self._shared[id(value)] = (value, _encode(value))
        return known[1]
