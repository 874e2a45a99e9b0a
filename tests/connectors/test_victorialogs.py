"""VictoriaLogs' own ways, beyond what every log store owes."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from connectors.errors import Unreachable
from connectors.http import Access, Bounds
from connectors.telemetry import LogQuery
from connectors.victorialogs import VictoriaLogs, logsql
from tests.connectors.impostor import Reply, impostor
from tests.connectors.shop import FAILED, SINCE, UNTIL

LOCAL = ("127.0.0.0/8",)


def rows(*lines: dict[str, Any]) -> Reply:
    """The answer as it comes: one JSON object a line."""
    text = "".join(json.dumps({"_time": "2026-03-01T14:00:00Z"} | line) + "\n" for line in lines)
    return Reply(text.encode(), kind="application/stream+json")


def read(*lines: dict[str, Any]) -> Any:
    with impostor(rows(*lines)) as server, VictoriaLogs(Access(server.url, LOCAL)) as store:
        return store.search(LogQuery(since=SINCE, until=UNTIL))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, "*"),
        ({"trace_id": FAILED.upper()}, f'"trace_id":="{FAILED}"'),
        ({"attributes": {"http.route": 'a "b"'}}, '"http.route":="a \\"b\\""'),
        ({"flow": "checkout"}, '"user.flow":="checkout"'),
        ({"text": "a.b | c"}, '_msg:~"(?i)a\\\\.b \\\\| c"'),
    ],
)
def test_a_query_is_put_in_logsql(query: dict[str, Any], said: str) -> None:
    assert logsql(LogQuery(**query)) == said


def test_the_newest_are_chosen_by_the_store_and_never_more_than_allowed() -> None:
    with impostor(rows()) as server:
        with VictoriaLogs(Access(server.url, LOCAL, bounds=Bounds(lines=10))) as store:
            store.search(LogQuery(since=SINCE, until=UNTIL))
        sent = parse_qs(server.requests[0].body.decode())
    assert sent["query"] == ["* | sort by (_time desc) limit 10"]
    assert sent["timeout"] == ["10s"]


def test_no_line_is_an_empty_answer() -> None:
    assert read() == []


@pytest.mark.parametrize(
    ("moment", "nanoseconds"),
    [
        ("2026-03-01T14:00:00Z", 0),
        ("2026-03-01T14:00:00.5Z", 500_000_000),
        ("2026-03-01T14:00:00.123456789Z", 123_456_789),
        ("2026-03-01T15:00:00.000000001+01:00", 1),
    ],
)
def test_times_keep_their_nanoseconds(moment: str, nanoseconds: int) -> None:
    (line,) = read({"_time": moment})
    assert line.at_ns == int(SINCE.timestamp()) * 1_000_000_000 + nanoseconds


def test_lines_of_other_shippers_are_understood() -> None:
    (line,) = read({"_msg": "no", "level": "ERROR", "service": "cart", "traceId": FAILED, "_stream": "{}"})
    assert (line.severity, line.service, line.trace_id, line.attributes) == (17, "cart", FAILED, {})


def test_an_answer_that_ends_within_a_line_is_no_answer() -> None:
    reply = Reply(b'{"_time": "2026-03-01T14:00:00Z"}\n{"_time": "2026', kind="application/stream+json")
    with impostor(reply) as server, VictoriaLogs(Access(server.url, LOCAL)) as store, pytest.raises(Unreachable):
        store.search(LogQuery(since=SINCE, until=UNTIL))


def test_its_version_stands_in_its_metrics() -> None:
    metrics = Reply(b'vm_app_version{version="victoria-logs-2026", short_version="v1.52.1"} 1\n', kind="text/plain")
    with impostor(rows(), metrics) as server, VictoriaLogs(Access(server.url, LOCAL)) as store:
        assert store.probe() == "v1.52.1"


def test_metrics_that_are_closed_do_not_matter() -> None:
    with impostor(rows(), Reply(b"", 401)) as server, VictoriaLogs(Access(server.url, LOCAL)) as store:
        assert store.probe() == ""
