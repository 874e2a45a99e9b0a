"""The containers run what the launcher runs; without a container engine, the file is held against Compose's schema."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from demo import processes
from launcher import commands

ROOT = Path(__file__).resolve().parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SHOP: dict[str, str] = COMPOSE["x-shop"]["environment"]
# The engine has a worker too, so the shop's has another name among the containers.
CONTAINER = {"worker": "shop-worker"}


def test_compose_accepts_the_file() -> None:
    schema = json.loads((ROOT / "tests/data/compose-spec.json").read_text())
    jsonschema.Draft7Validator(schema).validate(COMPOSE)


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("web", commands.web("0.0.0.0:8000", "python")),
        ("worker", commands.worker("python")),
        ("beat", commands.beat("python")),
        ("migrate", commands.prepare("python")),
        ("seed", commands.seed_demo("http://prometheus:9090", "http://control:7100/inbox", None, "python")),
        ("redis", commands.redis("0.0.0.0", 6379)),
        # The image brings the program itself.
        (
            "prometheus",
            commands.prometheus(Path("/etc/prometheus/prometheus.yml"), Path("/prometheus"), "0.0.0.0:9090")[1:],
        ),
        *((CONTAINER.get(p.name, p.name), commands.shop(p.argv, "python")) for p in processes.processes({})),
    ],
)
def test_a_container_runs_what_the_launcher_runs(service: str, command: list[str]) -> None:
    assert SERVICES[service]["command"] == command


def test_the_image_serves_pages_when_it_is_given_no_command() -> None:
    (command,) = re.findall(r"^CMD (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert json.loads(command) == commands.web("0.0.0.0:8000", "python")


def test_the_whole_shop_and_nothing_of_the_engine_waits_for_the_profile() -> None:
    shop = {CONTAINER.get(process.name, process.name) for process in processes.processes({})}
    assert {name for name, service in SERVICES.items() if service.get("profiles") == ["demo"]} == shop | {"seed"}


def test_the_shops_processes_find_each_other_by_their_containers_names() -> None:
    assert [p.host for p in processes.processes(SHOP)] == [
        CONTAINER.get(name, name) for name in (p.name for p in processes.processes({}))
    ]


def test_prometheus_scrapes_the_whole_shop() -> None:
    configuration = yaml.safe_load(COMPOSE["configs"]["prometheus"]["content"])
    assert configuration["scrape_configs"] == processes.scrape_configs(SHOP)


def test_the_engine_may_ask_the_stores_that_it_is_shipped_with() -> None:
    allowed = COMPOSE["x-engine"]["environment"]["FIRELINE_INTERNAL_ADDRESSES"]
    assert allowed == "${FIRELINE_INTERNAL_ADDRESSES:-prometheus,control}"


def test_ports_are_published_to_the_own_machine_only() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_no_secret_stands_in_the_file() -> None:
    secrets = [
        value
        for service in SERVICES.values()
        for name, value in service.get("environment", {}).items()
        if re.search("KEY|TOKEN|POSTGRES_PASSWORD", name)
    ]
    assert secrets
    assert [secret for secret in secrets if not secret.startswith("${")] == []


def test_image_and_set_up_install_the_same_uv() -> None:
    (image,) = re.findall(r"uv==(\S+)", (ROOT / "Dockerfile").read_text())
    (set_up,) = re.findall(r"^UV_VERSION=(.*)$", (ROOT / "launcher/setup.sh").read_text(), re.MULTILINE)
    assert image == set_up
