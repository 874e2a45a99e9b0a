"""Stores for tests: one that is scripted, and a real HTTP server that answers as badly as told."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from connectors.prometheus import Series
from connectors.raw_samples import Samples
from slo.instants import floor

type Counted = Callable[[datetime], tuple[float, float] | None]

_TARGET = {"job": "shop", "instance": "a"}
_EVERY = timedelta(minutes=1)


@dataclass
class Scripted:
    """A store with one target, scraped every minute, whose `requests_total` grows by what `counted` says.

    `counted` is asked for each scrape: how many of how many requests failed since the last one, or `None` when the
    series is not there. Remembers the stretches it was asked about; does `meanwhile` before it answers.
    """

    counted: Counted = lambda at: (1, 10)
    meanwhile: Callable[[int], object] = lambda count: None
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)

    def raw(self, selector: str, start: datetime, end: datetime) -> list[Samples]:
        scrapes = self._scrapes(start, end)
        if "process_start_time_seconds" in selector:
            return [self._series("up", {}, [(at, 1.0) for at in scrapes])]
        self.asked.append((start, end))
        self.meanwhile(len(scrapes))
        found, bad, good = list[tuple[datetime, float, float]](), 0.0, 0.0
        for at in scrapes:
            if counts := self.counted(at):
                bad, good = bad + counts[0], good + counts[1] - counts[0]
                found.append((at, bad, good))
        lines = (("500", [(at, bad) for at, bad, _ in found]), ("200", [(at, good) for at, _, good in found]))
        return [self._series("requests_total", {"code": code}, points) for code, points in lines if points]

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Series]:
        """Nothing: it is asked how many samples there are, when a target was last seen, or to count by itself."""
        if "label_replace" in query:
            self.meanwhile((end - start) // step + 1)
        return []

    def _scrapes(self, start: datetime, end: datetime) -> list[datetime]:
        first = floor(start, _EVERY) + _EVERY
        return [first + n * _EVERY for n in range((end - first) // _EVERY + 1)]

    def _series(self, name: str, labels: Mapping[str, str], points: Sequence[tuple[datetime, float]]) -> Samples:
        own = {"__name__": name, **_TARGET, **labels}
        return Samples(own, [at.timestamp() for at, _ in points], [value for _, value in points])


@contextmanager
def answering(status: int, body: bytes, content_type: str = "application/json") -> Iterator[str]:
    """The address of a server that gives every question this answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
