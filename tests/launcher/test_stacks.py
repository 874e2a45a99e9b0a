"""What the two stacks consist of."""

import json
from pathlib import Path

import pytest

from demo import processes
from launcher import settings, stacks
from launcher.supervisor import Job, Service


def read(home: Path, stack: str, **environ: str) -> settings.Settings:
    (home / "demo").mkdir(exist_ok=True)
    return settings.read(stack, {"FIRELINE_VAR": str(home), **environ})


def stages(stack: stacks.Stack) -> list[set[str]]:
    return [{program.name for program in stage} for stage in stack.stages()]


SHOP = {f"shop-{process.name}" for process in processes.processes({})}


def test_the_demo_starts_stores_then_seeds_then_everything(tmp_path: Path) -> None:
    assert stages(stacks.demo(read(tmp_path, "demo"), {})) == [
        {"redis", "prepare", "history"},
        {"prometheus", "seed"},
        {"web", "worker", "beat"} | SHOP,
    ]


def test_run_starts_the_engine_alone(tmp_path: Path) -> None:
    assert stages(stacks.run(read(tmp_path, "run"), {})) == [{"redis", "prepare"}, {"web", "worker", "beat"}]


def test_run_uses_the_redis_that_it_is_given(tmp_path: Path) -> None:
    stack = stacks.run(read(tmp_path, "run"), {"FIRELINE_REDIS_URL": "redis://elsewhere/0"})
    assert stages(stack) == [{"prepare"}, {"web", "worker", "beat"}]
    assert [port.setting for port in stack.ports] == ["FIRELINE_WEB_PORT"]


def test_stores_are_stopped_last(tmp_path: Path) -> None:
    programs = [program for stage in stacks.demo(read(tmp_path, "demo"), {}).stages() for program in stage]
    assert {p.name for p in programs if isinstance(p, Service) and p.store} == {"redis", "prometheus"}


def test_every_program_that_listens_has_a_port_that_is_looked_at_first(tmp_path: Path) -> None:
    ports = stacks.demo(read(tmp_path, "demo", FIRELINE_SHOP_PORT="7300"), {}).ports
    assert [port.number for port in ports] == [8000, 6790, 9790, *range(7300, 7310)]


def test_prometheus_scrapes_the_shop_where_it_listens(tmp_path: Path) -> None:
    stacks.demo(read(tmp_path, "demo", FIRELINE_SHOP_PORT="7300"), {}).stages()
    written = json.loads((tmp_path / "demo" / "prometheus.yml").read_text())
    assert written["scrape_configs"] == processes.scrape_configs({"SHOP_BASE_PORT": "7300"})


@pytest.mark.parametrize("stack", ["demo", "run"])
def test_no_secret_stands_on_a_command_line(tmp_path: Path, stack: str) -> None:
    made = getattr(stacks, stack)(read(tmp_path, stack), {})
    programs: list[Service | Job] = [program for stage in made.stages() for program in stage]
    secrets = [path.read_text().strip() for path in tmp_path.rglob("secrets/*")]
    assert secrets
    assert [secret for secret in secrets for program in programs if secret in " ".join(program.command)] == []


def test_the_greeting_says_where_and_how_to_sign_in(tmp_path: Path) -> None:
    chosen = read(tmp_path, "demo", FIRELINE_WEB_PORT="8080", FIRELINE_SHOP_PORT="7300")
    greeting = stacks.demo(chosen, {}).greeting()
    password = (chosen.secrets / "password").read_text().strip()
    for words in ("http://127.0.0.1:8080", f"demo / {password}", "http://127.0.0.1:7300", "Ctrl-C", "make demo-reset"):
        assert words in greeting
