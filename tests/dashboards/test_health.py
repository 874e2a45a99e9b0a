"""What a load balancer hears."""

import pytest
from django.db import OperationalError
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from pytest_django import Settings

from dashboards import health
from tests.make import NOON, make_objective, make_slices
from tests.servers import RedisServer, free_port

pytestmark = pytest.mark.django_db(databases="__all__")


@pytest.fixture(autouse=True)
def no_redis(settings: Settings) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"


def test_a_living_process_says_so_without_login(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.content) == (200, b"ok\n")


def test_it_is_ready_while_its_databases_are(client: Client) -> None:
    response = client.get("/readyz")
    assert response.status_code == 200
    assert set(response.json()["databases"].values()) == {"ok"}


def test_a_missing_redis_degrades_but_pages_still_work(client: Client) -> None:
    answer = client.get("/readyz").json()
    assert answer["state"] == "degraded"
    assert "does not answer" in answer["redis"]


@pytest.mark.real
def test_with_redis_there_it_is_ready(client: Client, settings: Settings, redis: RedisServer) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{redis.port}/0"
    assert client.get("/readyz").json()["state"] == "ready"


def test_it_says_how_long_ago_something_was_measured(client: Client) -> None:
    make_slices(make_objective(), NOON, [(0, 10)])
    assert client.get("/readyz").json()["last_measured_seconds_ago"] > 0


def test_nothing_measured_yet_is_no_age(client: Client) -> None:
    assert client.get("/readyz").json()["last_measured_seconds_ago"] is None


def test_it_is_not_ready_while_migrations_are_missing(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MigrationExecutor, "migration_plan", lambda *_: [("slo", False)])
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "manage.py migrate" in response.json()["databases"]["default"]


def test_it_is_not_ready_while_a_database_is_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("secret-host:5432 refused")

    monkeypatch.setattr(health, "MigrationExecutor", away)
    response = client.get("/readyz")
    assert response.status_code == 503
    assert "secret-host" not in response.content.decode()


def test_caches_never_answer_for_us(client: Client) -> None:
    assert "no-store" in client.get("/readyz").headers["Cache-Control"]
