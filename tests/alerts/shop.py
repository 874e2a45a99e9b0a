"""A store that counts a shop's requests, second by second, and that a test can hold up in the middle of an answer."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

PER_SECOND = 20


@dataclass
class Shop:
    """Speaks as much of Prometheus's API as measuring needs. From `fails_from` on (Unix seconds) all requests fail."""

    port: int = 0
    fails_from: float = float("inf")
    # Set while a question waits for its answer.
    asked: threading.Event = field(default_factory=threading.Event)
    may_answer: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bad(self, end: float, length: float) -> float:
        """Bad requests in the slice that ends then."""
        return PER_SECOND * length if end > self.fails_from else 0.0

    def answer(self, path: str, question: dict[str, str]) -> Any:
        if not path.endswith("/query_range"):
            return []
        start, end, step = float(question["start"]), float(question["end"]), float(question["step"].rstrip("s"))
        times = [start + n * step for n in range(round((end - start) / step) + 1)]
        return {
            "resultType": "matrix",
            "result": [
                {"metric": {"fireline": "total"}, "values": [[at, str(PER_SECOND * step)] for at in times]},
                {"metric": {"fireline": "bad"}, "values": [[at, str(self.bad(at, step))] for at in times]},
            ],
        }


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A worker that is killed leaves its connections broken."""


@contextmanager
def shop() -> Iterator[Shop]:
    store = Shop()
    store.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            question = {name: values[-1] for name, values in parse_qs(f"{parts.query}&{body}").items()}
            store.asked.set()
            store.may_answer.wait(timeout=30)
            text = json.dumps({"status": "success", "data": store.answer(parts.path, question)}).encode()
            try:
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the worker is dead

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    store.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield store
    finally:
        store.may_answer.set()
        server.shutdown()
        server.server_close()
        thread.join()
