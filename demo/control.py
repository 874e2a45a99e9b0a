"""The shop's control desk: fault switches, and an inbox that shows the notifications that arrived."""

import threading
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, abort, jsonify, redirect, render_template, request
from prometheus_client import Gauge
from werkzeug.wrappers import Response as WSGIResponse

from demo import faults, serving, telemetry
from demo.processes import process
from demo.releases import VERSIONS

LONGEST_WAIT = 20.0
KEPT = 50
MAX_BYTES = 256 * 1024
fault_on = Gauge("shop_fault_on", "1 while the fault is switched on.", ("fault",))


class Desk:
    """Which faults are on. Every change has a new version, and those who wait for one are woken."""

    def __init__(self) -> None:
        self._on: dict[str, datetime] = {}
        # Positions of an earlier process are not those of this one.
        self._run, self._number = uuid.uuid4().hex[:8], count(1)
        self._version = f"{self._run}-0"
        self._changed = threading.Condition()
        for name in faults.NAMES:
            fault_on.labels(name).set(0)

    def switch(self, name: str, on: bool) -> None:
        with self._changed:
            if on == (name in self._on):
                return
            if on:
                self._on[name] = datetime.now(UTC)
            else:
                del self._on[name]
            fault_on.labels(name).set(on)
            self._version = f"{self._run}-{next(self._number)}"
            self._changed.notify_all()

    def state(self, seen: str | None = None) -> dict[str, Any]:
        """The positions; waits for the next change if `seen` is the present version."""
        with self._changed:
            self._changed.wait_for(lambda: self._version != seen, LONGEST_WAIT)
            return {"version": self._version, "on": sorted(self._on)}

    def since(self) -> dict[str, datetime]:
        with self._changed:
            return dict(self._on)


@dataclass(frozen=True, slots=True)
class Notification:
    """A webhook's JSON as it arrived."""

    payload: Any
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Every value with its path, in the sender's order."""
        return list(leaves(self.payload))

    @property
    def links(self) -> list[tuple[str, str]]:
        return [(path, value) for path, value in self.texts if is_link(value)]

    @property
    def title(self) -> str:
        """The sentence that says most: the first of the usual names that is there."""
        known = {path.rsplit(".", 1)[-1]: value for path, value in reversed(self.texts)}
        return next(
            (known[name] for name in ("sentence", "title", "summary", "event") if known.get(name)), "Notification"
        )


def leaves(value: Any, path: str = "") -> "list[tuple[str, str]]":
    """`{"links": {"incident": "…"}}` becomes `[("links.incident", "…")]`."""
    if isinstance(value, dict):
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list):
        items = [(str(number), inner) for number, inner in enumerate(value, 1)]
    else:
        return [(path, "" if value is None else str(value))]
    return [leaf for key, inner in items for leaf in leaves(inner, f"{path}.{key}".lstrip("."))]


def is_link(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.netloc)


def make_app() -> Flask:
    app = serving.make_app(process("control"), VERSIONS["control"], untraced=".*", measured=False)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BYTES
    desk = Desk()
    inbox: deque[Notification] = deque(maxlen=KEPT)

    @app.get("/")
    def page() -> str:
        return render_template("control.html", faults=faults.FAULTS, on=desk.since(), inbox=inbox, clock=clock)

    @app.get("/faults.json")
    def positions() -> Response:
        return jsonify(desk.state(request.args.get("seen")))

    @app.put("/faults/<name>/<position>")
    def put(name: str, position: str) -> Response:
        switch(desk, name, position)
        return jsonify(desk.state())

    @app.post("/faults/<name>/<position>")
    def press(name: str, position: str) -> WSGIResponse:
        refuse_other_sites()
        switch(desk, name, position)
        return redirect("/", 303)

    @app.post("/inbox")
    def receive() -> tuple[Response, int]:
        inbox.appendleft(Notification(request.get_json()))
        return jsonify(received=len(inbox)), 202

    @app.get("/inbox.json")
    def received() -> Response:
        return jsonify([{"at": item.at.isoformat(), "payload": item.payload} for item in inbox])

    @app.post("/inbox/clear")
    def clear() -> WSGIResponse:
        refuse_other_sites()
        inbox.clear()
        return redirect("/", 303)

    return app


def switch(desk: Desk, name: str, position: str) -> None:
    if name not in faults.NAMES or position not in ("on", "off"):
        abort(404, f"There is no fault {name} that can be switched {position}.")
    desk.switch(name, position == "on")


def refuse_other_sites() -> None:
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        abort(403, "Faults are switched from this page only.")


def clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S} UTC"


if __name__ == "__main__":
    telemetry.log_to_stdout("control")
    serving.serve(make_app(), process("control"), drain=0.2)
