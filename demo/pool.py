"""A database connection pool of limited size, measured as OpenTelemetry's conventions name it."""

import logging
import queue
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram

from demo import measuring
from demo.serving import Failure
from demo.telemetry import span

logger = logging.getLogger("shop.pool")
WAITED_BUCKETS = (0.001, 0.01, 0.1, 0.5, 1.0, 2.5)

count = Gauge("db_client_connection_count", "Connections of the pool.", ("db_client_connection_pool_name", "state"))
largest = Gauge("db_client_connection_max", "Connections the pool may have.", ("db_client_connection_pool_name",))
pending = Gauge(
    "db_client_connection_pending_requests", "Who waits for a connection.", ("db_client_connection_pool_name",)
)
timeouts = Counter("db_client_connection_timeouts", "Waits that were given up.", ("db_client_connection_pool_name",))
waited = Histogram(
    "db_client_connection_wait_time_seconds",
    "Time to get a connection.",
    ("db_client_connection_pool_name",),
    buckets=WAITED_BUCKETS,
)


class PoolExhausted(Failure):
    """All connections are in use, and none came back in time."""

    status = 503


class Pool:
    """`size` connections; whoever asks for one waits for at most `patience` seconds."""

    def __init__(self, name: str, size: int, patience: float, connect: Callable[[], sqlite3.Connection]) -> None:
        self.name, self.size, self.patience = name, size, patience
        self._idle: queue.Queue[sqlite3.Connection] = queue.Queue()
        for _ in range(size):
            self._idle.put(connect())
        largest.labels(name).set(size)
        timeouts.labels(name)
        count.labels(name, "idle").set_function(self._idle.qsize)
        count.labels(name, "used").set_function(lambda: size - self._idle.qsize())

    @contextmanager
    def connection(self, patience: float | None = None) -> Iterator[sqlite3.Connection]:
        """A connection for the duration of the block. Raises PoolExhausted."""
        connection = self._acquire(self.patience if patience is None else patience)
        try:
            yield connection
        finally:
            self._idle.put(connection)

    def _acquire(self, patience: float) -> sqlite3.Connection:
        begun = time.perf_counter()
        with span("acquire connection") as running, pending.labels(self.name).track_inprogress():
            running.set_attribute("db.client.connection.pool.name", self.name)
            try:
                return self._idle.get(timeout=patience)
            except queue.Empty:
                timeouts.labels(self.name).inc(exemplar=measuring.exemplar())
                message = f"pool {self.name}: {self.size} of {self.size} connections in use, waited {patience:g} s"
                logger.error(message)
                raise PoolExhausted(message) from None
            finally:
                waited.labels(self.name).observe(time.perf_counter() - begun, measuring.exemplar())
