"""Processes that start, stop and find each other; alone, without a receiver, and without a shop."""

import os
import signal
import socket
import threading
from functools import partial
from pathlib import Path

import pytest
import requests
from prometheus_client import REGISTRY

from demo import load, processes
from demo.traffic import Origin
from tests.demo.receiver import Received
from tests.demo.running import ROOT, Shop
from tests.demo.running import shop as started
from tests.servers import free_port, wait_until


def test_ports_follow_the_base_port_unless_one_is_set_by_itself():
    ports = {
        process.name: process.port
        for process in processes.processes(
            {"SHOP_BASE_PORT": "9000", "SHOP_PROVIDER_A_PORT": "7", "SHOP_LOAD_PORT": ""}
        )
    }
    assert (ports["control"], ports["gateway"], ports["provider-a"], ports["load"]) == (9000, 9001, 7, 9009)


def test_every_process_is_scraped_under_its_service_name():
    environ = {"SHOP_GATEWAY_HOST": "gateway.example"}
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in processes.scrape_configs(environ)}
    assert set(targets) == set(processes.NAMES)
    assert targets["gateway"] == ["gateway.example:7101"]


def test_every_process_can_be_started_as_a_module():
    missing = [process.argv for process in processes.processes({}) if not module(process.argv[1]).is_file()]
    assert missing == []


def module(name: str) -> Path:
    return ROOT / Path(*name.split(".")).with_suffix(".py")


@pytest.mark.real
def test_a_shop_without_a_receiver_serves_and_stops_at_once(tmp_path: Path):
    nobody = Received(port=free_port())
    with started(tmp_path, nobody, ("gateway", "accounts")) as running:
        assert running.login().status == 200
        assert running.stop() == {"gateway": 0, "accounts": 0}


@pytest.mark.real
def test_stopping_checkout_leaves_no_process_behind(tmp_path: Path):
    with started(tmp_path, Received(port=free_port()), ("checkout",)) as running:
        (child,) = children(running.children["checkout"].pid)
        running.stop()
        assert not Path(f"/proc/{child}").exists()


@pytest.mark.real
def test_a_deployer_that_is_killed_takes_its_service_with_it(tmp_path: Path):
    with started(tmp_path, Received(port=free_port()), ("checkout",)) as running:
        deployer = running.children["checkout"]
        (child,) = children(deployer.pid)
        deployer.kill()
        deployer.wait()
        wait_until(lambda: not Path(f"/proc/{child}").exists(), 15, "the end of the service")


@pytest.mark.real
def test_a_service_that_dies_ends_its_deployer_with_an_error(tmp_path: Path):
    with started(tmp_path, Received(port=free_port()), ("checkout",)) as running:
        deployer = running.children["checkout"]
        (child,) = children(deployer.pid)
        os.kill(child, signal.SIGKILL)
        assert deployer.wait(10) == 1


def has(shop: Shop, series: str) -> bool:
    return series in shop.metrics("load")


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.real
def test_the_load_generator_sends_all_three_flows(tmp_path: Path, shop: Shop):
    environ = {**shop.environ, "SHOP_LOAD_PORT": str(free_port()), "SHOP_REQUESTS_PER_SECOND": "30"}
    users = Shop(tmp_path, environ, shop.received)
    try:
        users.start(["load"])
        for flow in ("checkout", "login", "search"):
            sent = f'load_requests_total{{flow="{flow}",outcome="2xx"}}'
            wait_until(partial(has, users, sent), 15, sent)
    finally:
        users.stop()


@pytest.mark.real
def test_users_who_find_a_stuck_shop_are_turned_away_not_piled_up(monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as stuck:
        monkeypatch.setenv("SHOP_GATEWAY_PORT", str(stuck.getsockname()[1]))
        users = load.Users()
        for _ in range(load.CONCURRENCY + 7):
            users.arrive()
        assert REGISTRY.get_sample_value("load_requests_lost_total") == 7
        assert threading.active_count() < load.CONCURRENCY + 20
    users.carriers.shutdown()


@pytest.mark.real
def test_a_request_says_who_sends_it(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHOP_GATEWAY_PORT", str(shop.process("gateway").port))
    answer = load.Users().request("checkout", Origin("umbrella", "us-east"))
    assert isinstance(answer, requests.Response)
    assert answer.status_code == 200
    assert 'region="us-east",tenant="umbrella"' in shop.metrics("gateway")
