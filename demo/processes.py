"""The shop's processes: what each is called, how it is started, where it listens and is scraped.

The launcher, docker-compose and the history all read this list, so that live and imported series carry the same
`job` and `instance`. Everything comes from the environment:

- `SHOP_BASE_PORT` (7100): the first of ten ports in a row, one a process, in the order of `NAMES`.
- `SHOP_<NAME>_PORT`, `SHOP_<NAME>_HOST`: where one process listens and is found, e.g. `SHOP_PROVIDER_A_PORT`.
- `SHOP_BIND` (127.0.0.1): the address that every process binds.
- `SHOP_REQUESTS_PER_SECOND` (20): the load generator's mean over a day; 0 stops it.
- `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS` and every other `OTEL_…`: as OpenTelemetry defines them.
  Without an endpoint nothing is exported.
- `FIRELINE_CHANGES_URL`, `FIRELINE_INGEST_TOKEN`: where deploys are announced. Without the URL nobody is told.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_BASE_PORT = 7100
NAMES = (
    "control",
    "gateway",
    "checkout",
    "payment",
    "provider-a",
    "provider-b",
    "inventory",
    "accounts",
    "worker",
    "load",
)
READY_PATH = "/healthz"
METRICS_PATH = "/metrics"


@dataclass(frozen=True, slots=True)
class Process:
    """One process. `name` is its `service.name` and its Prometheus job; `target` its `instance` there."""

    name: str
    host: str
    port: int

    @property
    def argv(self) -> tuple[str, ...]:
        """What follows the Python interpreter on the command line."""
        if self.name.startswith("provider-"):
            return ("-m", "demo.provider", "--name", self.name)
        return ("-m", f"demo.{self.name}")

    @property
    def port_setting(self) -> str:
        """The environment variable that moves it to another port."""
        return setting(self.name, "PORT")

    @property
    def target(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.target}"

    @property
    def ready_url(self) -> str:
        """Answers 200 as soon as the process serves."""
        return self.url + READY_PATH


def setting(name: str, what: str) -> str:
    return f"SHOP_{name.upper().replace('-', '_')}_{what}"


def processes(environ: Mapping[str, str] = os.environ) -> tuple[Process, ...]:
    """All processes, in the order in which to start them."""
    base = int(environ.get("SHOP_BASE_PORT") or DEFAULT_BASE_PORT)
    return tuple(
        Process(
            name=name,
            host=environ.get(setting(name, "HOST")) or "127.0.0.1",
            port=int(environ.get(setting(name, "PORT")) or base + offset),
        )
        for offset, name in enumerate(NAMES)
    )


def process(name: str, environ: Mapping[str, str] = os.environ) -> Process:
    return next(process for process in processes(environ) if process.name == name)


def bind(environ: Mapping[str, str] = os.environ) -> str:
    """The address that a process listens on."""
    return environ.get("SHOP_BIND") or "127.0.0.1"


def environment(base_port: int = DEFAULT_BASE_PORT) -> dict[str, str]:
    """What a launcher adds to the environment of every process: ports, and batches that leave every 2 s."""
    return {
        "SHOP_BASE_PORT": str(base_port),
        "OTEL_BSP_SCHEDULE_DELAY": "2000",
        "OTEL_BLRP_SCHEDULE_DELAY": "2000",
    }


def scrape_configs(environ: Mapping[str, str] = os.environ) -> list[dict[str, Any]]:
    """The shop's part of Prometheus's `scrape_configs`: one job a service."""
    return [
        {
            "job_name": process.name,
            "metrics_path": METRICS_PATH,
            "static_configs": [{"targets": [process.target]}],
        }
        for process in processes(environ)
    ]
