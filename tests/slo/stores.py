"""Stores for tests: one that is scripted, and a real HTTP server that answers as badly as told."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass(frozen=True)
class Line:
    labels: Mapping[str, str]
    points: Sequence[tuple[datetime, float]]


type Counted = Callable[[datetime], tuple[float, float] | None]


@dataclass
class Scripted:
    """Answers what `counted` says for each instant; remembers how it was asked; does `meanwhile` before it answers."""

    counted: Counted = lambda at: (1, 10)
    meanwhile: Callable[[int], object] = lambda count: None
    asked: list[tuple[datetime, datetime, timedelta]] = field(default_factory=list)

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> list[Line]:
        self.asked.append((start, end, step))
        count = (end - start) // step + 1
        self.meanwhile(count)
        found = [(at, self.counted(at)) for at in (start + n * step for n in range(count))]
        known = [(at, counts) for at, counts in found if counts]
        return [
            Line({"fireline": "bad"}, [(at, bad) for at, (bad, _) in known]),
            Line({"fireline": "total"}, [(at, total) for at, (_, total) in known]),
        ]


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
