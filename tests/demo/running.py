"""The shop's real processes on free ports, for tests."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import requests

from demo import traffic
from demo.faults import NAMES as FAULTS
from demo.processes import NAMES, Process, process, setting
from tests.demo.receiver import Line, Received, Span
from tests.servers import free_ports, wait_until

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "token-of-the-test"
CARD = {"item": "lamp", "payment_method": "card"}
ACME = {"X-Tenant": "acme", "X-Region": "eu-west"}


@dataclass(frozen=True)
class Answer:
    status: int
    trace_id: str
    body: dict[str, Any]


class Shop:
    def __init__(self, directory: Path, environ: Mapping[str, str], received: Received) -> None:
        self.directory, self.environ, self.received = directory, environ, received
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def process(self, name: str) -> Process:
        return process(name, self.environ)

    def start(self, names: Iterable[str]) -> None:
        for name in names:
            with (self.directory / f"{name}.log").open("wb") as log:
                command = [sys.executable, *self.process(name).argv]
                self.children[name] = subprocess.Popen(
                    command, env=dict(self.environ), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
                )
        for name in self.children:
            wait_until(partial(self.serves, name), 120, f"{name} to serve")

    def serves(self, name: str) -> bool:
        child = self.children[name]
        assert child.poll() is None, f"{name} ended: {self.log(name)[-2000:]}"
        try:
            return requests.get(self.process(name).ready_url, timeout=2).ok
        except (requests.ConnectionError, requests.Timeout):
            return False

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text()

    def stop(self) -> dict[str, int]:
        """The exit code of each process."""
        for child in self.children.values():
            child.terminate()
        return {name: child.wait(20) for name, child in self.children.items()}

    # -- What a user does ----------------------------------------------------------------------------------------

    def request(self, method: str, path: str, headers: Mapping[str, str] = ACME, **rest: Any) -> Answer:
        """A request to the storefront, under a trace id of its own."""
        trace_id, caller = secrets.token_hex(16), secrets.token_hex(8)
        traced = {**headers, "traceparent": f"00-{trace_id}-{caller}-01"}
        answer = requests.request(method, self.process("gateway").url + path, headers=traced, timeout=15, **rest)
        return Answer(answer.status_code, trace_id, answer.json())

    def checkout(self, method: str = "card", headers: Mapping[str, str] = ACME) -> Answer:
        return self.request("POST", "/checkout", headers, json={**CARD, "payment_method": method})

    def login(self, tenant: str = "acme") -> Answer:
        region = next(origin.what.region for origin in traffic.ORIGINS if origin.what.tenant == tenant)
        return self.request("POST", "/login", {"X-Tenant": tenant, "X-Region": region}, json={"user": "ann"})

    def search(self) -> Answer:
        return self.request("GET", "/search", params={"q": "lamp"})

    # -- What an operator sees -----------------------------------------------------------------------------------

    def spans(self, answer: Answer, services: set[str]) -> list[Span]:
        """The spans of a request, once all of these services sent theirs and no parent but the caller is missing."""

        def complete() -> bool:
            spans = self.received.trace(answer.trace_id)
            known = {span.span_id for span in spans}
            roots = [span.service for span in spans if span.parent_id not in known]
            return roots == ["gateway"] and services <= {span.service for span in spans}

        self._wait(complete, answer)
        return self.received.trace(answer.trace_id)

    def failing(self, answer: Answer, service: str, name: str) -> Span:
        """The failed span of this name, once it has arrived together with the storefront's."""

        def found() -> list[Span]:
            spans = self.received.trace(answer.trace_id)
            here = [span for span in spans if span.failed and span.service == service and span.name == name]
            return here if any(span.service == "gateway" for span in spans) else []

        self._wait(found, answer)
        return found()[0]

    def lines(self, answer: Answer, service: str) -> list[Line]:
        """What a service logged about a request, once something has arrived."""

        def found() -> list[Line]:
            return [line for line in self.received.said(answer.trace_id) if line.service == service]

        self._wait(found, answer)
        return found()

    def _wait(self, condition: Any, answer: Answer) -> None:
        try:
            wait_until(condition, 10)
        except TimeoutError as error:
            arrived = [(span.service, span.name, span.failed) for span in self.received.trace(answer.trace_id)]
            raise AssertionError(f"{answer}: only {arrived} arrived") from error

    def metrics(self, name: str, accept: str = "") -> str:
        url = self.process(name).url + "/metrics"
        return requests.get(url, headers={"Accept": accept} if accept else {}, timeout=5).text

    @contextmanager
    def fault(self, name: str) -> Iterator[None]:
        """The fault is on inside the block. Services hear of it within a moment: wait for what it does."""
        self.switch(name, "on")
        try:
            yield
        finally:
            self.switch(name, "off")

    def switch(self, name: str, position: str) -> None:
        assert name in FAULTS
        requests.put(f"{self.process('control').url}/faults/{name}/{position}", timeout=5).raise_for_status()


def environment(received: Received, **more: str) -> dict[str, str]:
    """Free ports for every process, no load, and telemetry that arrives at once."""
    ports = {setting(name, "PORT"): str(port) for name, port in zip(NAMES, free_ports(len(NAMES)), strict=True)}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SHOP_"))},
        **ports,
        "SHOP_REQUESTS_PER_SECOND": "0",
        "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_BLRP_SCHEDULE_DELAY": "100",
        "FIRELINE_CHANGES_URL": f"{received.url}/api/changes",
        "FIRELINE_INGEST_TOKEN": TOKEN,
        **more,
    }


@contextmanager
def shop(directory: Path, received: Received, names: Iterable[str] = NAMES, **more: str) -> Iterator[Shop]:
    running = Shop(directory, environment(received, **more), received)
    try:
        running.start(names)
        yield running
    finally:
        running.stop()
