"""Fixtures that every package's tests may ask for."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests import servers

# How long one example takes says nothing on a machine that is busy.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture
def prometheus() -> Iterator[servers.PrometheusServer]:
    """An empty Prometheus; for one with targets or history use `servers.prometheus_server(…)`."""
    with servers.prometheus_server() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[servers.RedisServer]:
    with servers.redis_server() as server:
        yield server
