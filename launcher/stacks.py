"""The two stacks: `demo` (everything, with the shop) and `run` (the engine against the stores people configure)."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from demo import processes
from launcher import commands, environment, history, keys
from launcher.ports import Port
from launcher.readiness import Http, Redis, Says
from launcher.settings import Settings
from launcher.supervisor import Job, Program, Service


@dataclass(frozen=True)
class Stack:
    """What to start, stage by stage, the ports it needs, and what to tell the person once it runs."""

    ports: Sequence[Port]
    stages: Callable[[], Sequence[Sequence[Program]]]
    greeting: Callable[[], str]


def demo(settings: Settings, environ: Mapping[str, str]) -> Stack:
    return Stack(
        ports=[*_engine_ports(settings), _redis_port(settings), *_demo_ports(settings)],
        stages=lambda: _demo_stages(settings, environ),
        greeting=lambda: _demo_greeting(settings),
    )


def run(settings: Settings, environ: Mapping[str, str]) -> Stack:
    own_redis = not environ.get("FIRELINE_REDIS_URL")
    return Stack(
        ports=[*_engine_ports(settings), *([_redis_port(settings)] if own_redis else [])],
        stages=lambda: _run_stages(settings, environ, own_redis),
        greeting=lambda: _run_greeting(settings),
    )


# -- Ports --------------------------------------------------------------------------------------------------------


def _engine_ports(settings: Settings) -> list[Port]:
    return [Port("the web pages", "FIRELINE_WEB_PORT", settings.web_port, settings.web_bind)]


def _redis_port(settings: Settings) -> Port:
    return Port("the private Redis", "FIRELINE_REDIS_PORT", settings.redis_port)


def _demo_ports(settings: Settings) -> list[Port]:
    shop = processes.processes({"SHOP_BASE_PORT": str(settings.shop_port)})
    return [
        Port("the private Prometheus", "FIRELINE_PROMETHEUS_PORT", settings.prometheus_port),
        *(Port(f"the shop's {process.name}", "FIRELINE_SHOP_PORT", process.port) for process in shop),
    ]


# -- Stages -------------------------------------------------------------------------------------------------------


def _demo_stages(settings: Settings, environ: Mapping[str, str]) -> list[list[Program]]:
    engine = environment.demo_engine(settings, environ)
    shop = environment.shop(settings, environ)
    control = processes.process("control", shop)
    seed = commands.seed_demo(settings.prometheus_url, f"{control.url}/inbox", history.told(settings))
    return [
        [_redis(settings, engine), Job("prepare", commands.prepare(), engine), *history.jobs(settings, shop)],
        [_prometheus(settings, shop), Job("seed", seed, engine)],
        [*_engine(settings, engine), *_shop(shop)],
    ]


def _run_stages(settings: Settings, environ: Mapping[str, str], own_redis: bool) -> list[list[Program]]:
    engine = environment.engine(settings, environ)
    redis: list[Program] = [_redis(settings, engine)] if own_redis else []
    return [[*redis, Job("prepare", commands.prepare(), engine)], _engine(settings, engine)]


def _engine(settings: Settings, engine: Mapping[str, str]) -> list[Program]:
    bind = f"{settings.web_bind}:{settings.web_port}"
    return [
        Service("web", commands.web(bind), engine, Http(f"{settings.web_url}/readyz")),
        Service("worker", commands.worker(), engine, Says(" ready.")),
        Service("beat", commands.beat(), engine, Says("beat: Starting")),
    ]


def _redis(settings: Settings, engine: Mapping[str, str]) -> Service:
    port = settings.redis_port
    return Service("redis", commands.redis("127.0.0.1", port), engine, Redis(port), store=True)


def _prometheus(settings: Settings, shop: Mapping[str, str]) -> Service:
    configuration = settings.home / "prometheus.yml"
    scrape = {"global": {"scrape_interval": "5s"}, "scrape_configs": processes.scrape_configs(shop)}
    # JSON is YAML too.
    configuration.write_text(json.dumps(scrape, indent=2))
    command = commands.prometheus(configuration, history.data(settings), f"127.0.0.1:{settings.prometheus_port}")
    return Service("prometheus", command, shop, Http(f"{settings.prometheus_url}/-/ready"), store=True)


def _shop(shop: Mapping[str, str]) -> list[Program]:
    return [
        Service(f"shop-{process.name}", commands.shop(process.argv), shop, Http(process.ready_url))
        for process in processes.processes(shop)
    ]


# -- Words --------------------------------------------------------------------------------------------------------


def _demo_greeting(settings: Settings) -> str:
    control = processes.process("control", {"SHOP_BASE_PORT": str(settings.shop_port)})
    other_port = (
        "" if settings.shop_port == processes.DEFAULT_BASE_PORT else f"FIRELINE_SHOP_PORT={settings.shop_port} "
    )
    return f"""
Fireline is running.

  Open       {settings.web_url}
  Sign in    demo / {keys.password(settings.secrets)}
  Break it   {control.url}   switches the shop's faults, and shows the notifications that arrived
             or {other_port}make fault ON=checkout-down, later OFF=checkout-down; make fault lists them all
  Mail       {settings.home / "mail"}
  Logs       {settings.logs}
  Stop       Ctrl-C here; the data stays for the next make demo, and make demo-reset starts anew
"""


def _run_greeting(settings: Settings) -> str:
    return f"""
Fireline is running.

  Open       {settings.web_url}
  Sign in    make user creates one who may
  Data       {settings.home}
  Stop       Ctrl-C here
"""
