"""A real HTTP server that takes webhooks, as somebody's chat or pager would, and answers as it is told."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Inbox:
    port: int = 0
    # The next answers; 200 when there is none left.
    answers: list[int] = field(default_factory=list)
    location: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    # Answers wait while this is not set.
    may_answer: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/secret-token"


@contextmanager
def inbox() -> Iterator[Inbox]:
    box = Inbox()
    box.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            box.received.append(json.loads(body))
            box.headers.append(dict(self.headers))
            box.may_answer.wait(timeout=10)
            try:
                self.send_response(box.answers.pop(0) if box.answers else 200)
                if box.location:
                    self.send_header("Location", box.location)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except (BrokenPipeError, ConnectionResetError):
                pass  # the sender gave up waiting

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    box.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield box
    finally:
        box.may_answer.set()
        server.shutdown()
        server.server_close()
        thread.join()
