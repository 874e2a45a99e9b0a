"""A server that answers what a real Prometheus cannot be made to: at the socket, so that our own code runs whole."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    """One answer. `trickle` sends byte after byte for seconds; `cut` promises more than it sends."""

    body: bytes = b""
    status: int = 200
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    trickle: bool = False
    cut: bool = False
    hang_up: bool = False


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Impostor:
    def __init__(self, replies: Sequence[Reply]) -> None:
        self.replies = list(replies)
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def next_reply(self) -> Reply:
        """The last reply is given again and again."""
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        impostor = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                impostor.requests.append(Request(self.command, self.path, dict(self.headers), body))
                impostor.send(self, impostor.next_reply())

            def do_GET(self) -> None:
                self.answer()

            def do_POST(self) -> None:
                self.answer()

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler

    def send(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.close_connection = reply.silent or reply.trickle or reply.cut or reply.hang_up
        if reply.hang_up:
            return
        if reply.silent:
            self.closing.wait(20)
            return
        handler.send_response(reply.status)
        handler.send_header("Content-Type", reply.kind)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        if not reply.trickle:
            handler.send_header("Content-Length", str(len(reply.body) + (1000 if reply.cut else 0)))
        handler.end_headers()
        handler.wfile.write(reply.body)
        # Long past any patience, but not for ever: whoever waits for the end must fail, not hang.
        for _ in range(250 if reply.trickle else 0):
            if self.closing.wait(0.02):
                return
            try:
                handler.wfile.write(b" ")
                handler.wfile.flush()
            except OSError:
                return


@contextmanager
def impostor(*replies: Reply) -> Iterator[Impostor]:
    server = Impostor(replies)
    thread = threading.Thread(target=server.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.server.shutdown()
        thread.join()
        server.server.server_close()
