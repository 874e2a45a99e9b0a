"""Knows what is in stock: a database behind a connection pool of eight."""

import logging
import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask, Response, jsonify, request

from demo import serving, telemetry
from demo.delays import wait
from demo.pool import Pool
from demo.processes import process
from demo.releases import VERSIONS
from demo.switches import switches
from demo.telemetry import span
from demo.traffic import WORDS

POOL_SIZE = 8
PATIENCE = 1.0
REPORT_SECONDS = (1.5, 2.5)
# Now and then there is a pause between two reports, and all who wait get their turn: about half wait for too long.
REPORT_PAUSE = 0.05
PAUSES = 0.17
logger = logging.getLogger("shop.inventory")


class Stock:
    """The stock's database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self.connect() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE items (name TEXT PRIMARY KEY, reserved INTEGER NOT NULL DEFAULT 0)")
            names = [(f"{colour} {word}",) for word in WORDS for colour in ("red", "green", "oak")]
            connection.executemany("INSERT INTO items (name) VALUES (?)", names)
        connection.close()
        self.pool = Pool("inventory", POOL_SIZE, PATIENCE, self.connect)

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=5, check_same_thread=False)

    @contextmanager
    def query(self, operation: str, text: str) -> Iterator[sqlite3.Connection]:
        """A pooled connection inside a span for the query; commits at the end."""
        with (
            self.pool.connection() as connection,
            span(
                f"{operation} items",
                telemetry.CLIENT,
                db_system_name="sqlite",
                db_operation_name=operation,
                db_collection_name="items",
                db_query_text=text,
            ),
            connection,
        ):
            wait(0.008)
            yield connection

    def search(self, words: str) -> list[str]:
        text = "SELECT name FROM items WHERE name LIKE ? LIMIT 20"
        with self.query("SELECT", text) as connection:
            return [name for (name,) in connection.execute(text, (f"%{words}%",))]

    def reserve(self, item: str) -> None:
        text = "UPDATE items SET reserved = reserved + 1 WHERE name = ?"
        with self.query("UPDATE", text) as connection:
            connection.execute(text, (f"oak {item}",))


def make_app(stock: Stock) -> Flask:
    app = serving.make_app(process("inventory"), VERSIONS["inventory"])

    @app.get("/items")
    def search() -> Response:
        return jsonify(items=stock.search(request.args.get("q", "")))

    @app.post("/reservations")
    def reserve() -> Response:
        order = request.get_json()
        stock.reserve(str(order["item"]))
        logger.info("reserved %s", order["item"], extra={"order.id": order["order_id"]})
        return jsonify(reserved=order["item"])

    return app


def report(pool: Pool) -> None:
    """The fault: a report that nobody needs right now, run by as many threads as there are connections."""
    while True:
        switches.wait_for("inventory-pool-exhausted")
        with span("stock report"), pool.connection(patience=60):
            seconds = random.uniform(*REPORT_SECONDS)
            logger.warning("stock report holds a connection for %.1f s", seconds)
            time.sleep(seconds)
        if random.random() < PAUSES:
            time.sleep(REPORT_PAUSE)


def main() -> None:
    telemetry.start(process("inventory"), VERSIONS["inventory"])
    switches.follow()
    with tempfile.TemporaryDirectory(prefix="shop-inventory-") as directory:
        stock = Stock(Path(directory) / "stock.sqlite3")
        for _ in range(POOL_SIZE):
            threading.Thread(target=report, args=(stock.pool,), daemon=True).start()
        serving.serve(make_app(stock), process("inventory"))


if __name__ == "__main__":
    main()
