"""Fixtures that every package's tests may ask for."""

from collections.abc import Iterator

import pytest

from tests import servers


@pytest.fixture
def prometheus() -> Iterator[servers.PrometheusServer]:
    """An empty Prometheus; for one with targets or history use `servers.prometheus_server(…)`."""
    with servers.prometheus_server() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[servers.RedisServer]:
    with servers.redis_server() as server:
        yield server
