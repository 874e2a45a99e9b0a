"""A small HTTP service: the Flask app, how its errors become answers, a server that stops without losing requests."""

import logging
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify
from opentelemetry import trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from werkzeug.exceptions import HTTPException
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from demo import measuring, telemetry
from demo.measuring import Labels
from demo.processes import METRICS_PATH, READY_PATH, Process, bind

type Connection = socket.socket | tuple[bytes, socket.socket]
logger = logging.getLogger("shop")


class Failure(Exception):
    """A request cannot be served; `status` is what the caller is told, `level` how it is logged."""

    status = 500
    level = logging.ERROR


def make_app(
    process: Process,
    version: str,
    names: tuple[str, ...] = (),
    labels: Labels = dict,
    untraced: str = "",
    measured: bool = True,
) -> Flask:
    """An instrumented Flask app with /healthz and /metrics. `untraced` is a path that gets no server span."""
    app = Flask("demo")
    excluded = [f"{path}$" for path in (READY_PATH, METRICS_PATH, untraced) if path]
    FlaskInstrumentor().instrument_app(app, excluded_urls=",".join(excluded), enable_commenter=False)
    measuring.expose(app, process.name, version)
    if measured:
        measuring.measure(app, names, labels)
    app.get(READY_PATH)(lambda: "ok\n")
    app.register_error_handler(Exception, answer_error)
    return app


def answer_error(error: Exception) -> tuple[Response, int]:
    """Any error as JSON. A 5xx fails the span; it is an error in the log unless it began elsewhere."""
    if isinstance(error, HTTPException):
        return jsonify(error=error.description), error.code or 500
    status = error.status if isinstance(error, Failure) else 500
    if status >= 500:
        telemetry.fail(trace.get_current_span(), error)
        if isinstance(error, Failure):
            logger.log(error.level, "answering %d: %s", status, error)
        else:
            logger.exception("answering %d: %s: %s", status, type(error).__name__, error)
    return jsonify(error=str(error)), status


class Quiet(WSGIRequestHandler):
    """No line a request: metrics and traces say more. No keep-alive: a stopping server leaves no connection behind."""

    protocol_version = "HTTP/1.0"

    def log_request(self, *_: object) -> None:
        return


class Server(ThreadedWSGIServer):
    """Counts the connections that it serves, from accepting them on, so that it can stop without dropping one."""

    def __init__(self, app: Flask, process: Process, listening: socket.socket) -> None:
        self.busy = 0
        self.changed = threading.Condition()
        super().__init__(bind(), process.port, app, Quiet, fd=listening.fileno())

    def process_request(self, request: Connection, client_address: Any) -> None:
        with self.changed:
            self.busy += 1
        super().process_request(request, client_address)

    def process_request_thread(self, request: Connection, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self.changed:
                self.busy -= 1
                self.changed.notify_all()

    def drain(self, limit: float) -> None:
        """Wait until nothing is being served, at most `limit` seconds."""
        with self.changed:
            self.changed.wait_for(lambda: self.busy == 0, limit)


def listen(process: Process) -> socket.socket:
    """A listening socket that several processes may accept from, hence non-blocking."""
    listening = socket.create_server((bind(), process.port), backlog=128)
    listening.setblocking(False)
    return listening


def serve(
    app: Flask,
    process: Process,
    listening: socket.socket | None = None,
    drain: float = 5.0,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM or SIGINT, then finish what was begun (at most `drain` seconds) and send telemetry.

    `ready` is called once connections are accepted.
    """
    listening = listening or listen(process)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    server = Server(app, process, listening)
    threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True).start()
    logger.info("%s listens on port %d", process.name, process.port)
    ready()
    stopping.wait()
    server.shutdown()
    server.drain(drain)
    telemetry.stop()
