"""The servers that tests stand on: they answer, come back with their data, and leave nothing behind."""

import json
import urllib.parse
import urllib.request
from pathlib import Path

import psycopg
import pytest

from tests.servers import PrometheusServer, RedisServer, postgres_server, prometheus_server

pytestmark = pytest.mark.real

HISTORY = """\
# TYPE seconds_of_light counter
seconds_of_light_total{lamp="green"} 3 1767225600
seconds_of_light_total{lamp="green"} 5 1767225660
# EOF
"""


def ask(server: PrometheusServer, query: str, at: int) -> list[dict[str, object]]:
    question = urllib.parse.urlencode({"query": query, "time": at})
    with urllib.request.urlopen(f"{server.url}/api/v1/query?{question}") as answer:
        result: list[dict[str, object]] = json.load(answer)["data"]["result"]
    return result


def test_prometheus_knows_the_history_it_was_given() -> None:
    with prometheus_server(openmetrics=HISTORY) as server:
        found = ask(server, "seconds_of_light_total", at=1767225660)
    assert [sample["value"] for sample in found] == [[1767225660, "5"]]


def test_redis_comes_back_on_the_same_port(redis: RedisServer) -> None:
    redis.stop()
    assert not redis.answers()
    redis.start()
    assert redis.answers()


def test_postgres_takes_a_connection_and_leaves_nothing_behind() -> None:
    with postgres_server() as server, psycopg.connect(server.url) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
        pid = server.pid
    assert not Path(f"/proc/{pid}").exists()
    assert not server.directory.exists()
