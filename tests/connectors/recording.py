"""Serves a store's recorded answers over real HTTP, so that a connector runs whole and only the server is not its own.

A recording is a JSON file of exchanges: which questions it is for (path, what the question says and does not say),
and what the server answered. A question that no exchange is for fails its test by name.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

STORES = Path(__file__).resolve().parent.parent / "data" / "stores"


@dataclass(frozen=True)
class Question:
    """One request as a server saw it. `said` are its parameters, from the address and a form, or its JSON body."""

    method: str
    path: str
    said: str
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}\n{self.said}"


@dataclass
class Recorded:
    url: str
    exchanges: list[dict[str, Any]]
    questions: list[Question] = field(default_factory=list)
    unknown: list[Question] = field(default_factory=list)

    def answer(self, question: Question) -> dict[str, Any]:
        self.questions.append(question)
        for exchange in self.exchanges:
            if _asks(exchange["asks"], question):
                answer: dict[str, Any] = exchange["answers"]
                return answer
        self.unknown.append(question)
        return {"status": 501, "type": "text/plain", "text": "this question was not recorded"}


def _asks(asked: dict[str, Any], question: Question) -> bool:
    return (
        question.path == asked["path"]
        and all(text in question.said for text in asked.get("says", ()))
        and not any(text in question.said for text in asked.get("lacks", ()))
    )


@contextmanager
def recorded(store: str) -> Iterator[Recorded]:
    """A server that answers what `tests/data/stores/<store>.json` says. Raises for questions that are not in it."""
    known = Recorded("", json.loads((STORES / f"{store}.json").read_text()))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(known))
    server.daemon_threads = True
    known.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield known
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert not known.unknown, f"No recorded answer of {store} to:\n" + "\n".join(map(str, known.unknown))


def _handler(known: Recorded) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            address = urlsplit(self.path)
            form = "form" in (self.headers.get("Content-Type") or "")
            pairs = parse_qsl(address.query) + (parse_qsl(body) if form else [])
            said = "\n".join(f"{name}={value}" for name, value in pairs) + ("" if form else f"\n{body}")
            self.send(known.answer(Question(self.command, address.path, said, dict(self.headers))))

        def send(self, answer: dict[str, Any]) -> None:
            text = answer["text"] if "text" in answer else json.dumps(answer["json"])
            self.send_response(answer.get("status", 200))
            self.send_header("Content-Type", answer.get("type", "application/json"))
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())

        def do_GET(self) -> None:
            self.answer()

        def do_POST(self) -> None:
            self.answer()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler
