"""Loki's own ways, beyond what every log store owes."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from connectors.errors import Refused, TooMuch
from connectors.http import Access, Bounds
from connectors.loki import PAGE, Loki, logql
from connectors.telemetry import LogQuery, to_ns
from tests.connectors.impostor import Impostor, Reply, impostor
from tests.connectors.shop import FAILED, SINCE, UNTIL, minutes

LOCAL = ("127.0.0.0/8",)
START = to_ns(SINCE)


def reply(*values: list[Any], **labels: str) -> Reply:
    stream = {"stream": {"service_name": "cart", **labels}, "values": list(values)}
    return Reply(json.dumps({"status": "success", "data": {"resultType": "streams", "result": [stream]}}).encode())


def asked(server: Impostor) -> list[dict[str, str]]:
    return [
        {name: values[0] for name, values in parse_qs(request.body.decode()).items()} for request in server.requests
    ]


def full(first: int) -> Reply:
    """A page that is full: newest first, a nanosecond apart."""
    return reply(*([str(START + first - number), f"line {first - number}"] for number in range(PAGE)))


def search(server: Impostor, bounds: Bounds | None = None, **query: Any) -> Any:
    with Loki(Access(server.url, LOCAL, bounds=bounds or Bounds())) as loki:
        return loki.search(LogQuery(since=SINCE, until=UNTIL, **query))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({}, '{service_name=~".+"}'),
        ({"service": 'a"b'}, '{service_name="a\\"b"}'),
        ({"text": "a.b (c)"}, '{service_name=~".+"} |~ "(?i)a\\\\.b \\\\(c\\\\)"'),
        ({"attributes": {"http.route": "/x", "2nd": 5}}, '{service_name=~".+"} | http_route="/x" | _2nd="5"'),
    ],
)
def test_a_query_is_put_in_logql(query: dict[str, Any], said: str) -> None:
    assert logql(LogQuery(**query)) == said


def test_labels_are_asked_for_apart() -> None:
    with impostor(reply()) as server:
        search(server)
        assert server.requests[0].headers["X-Loki-Response-Encoding-Flags"] == "categorize-labels"


def test_more_lines_than_a_page_are_read_page_by_page_backwards_without_losing_or_doubling_any() -> None:
    with impostor(full(20_000), full(20_000 - PAGE + 1), reply([str(START), "the first"])) as server:
        lines = search(server, limit=3 * PAGE)
        ends = [int(one["end"]) for one in asked(server)]
    assert len(lines) == len({line.body for line in lines}) == 2 * PAGE
    assert ends == [to_ns(UNTIL) + 1, START + 20_000 - PAGE + 2, START + 20_000 - 2 * PAGE + 3]
    assert [line.at_ns for line in lines] == sorted((line.at_ns for line in lines), reverse=True)


def test_a_page_of_one_nanosecond_does_not_turn_in_circles() -> None:
    same = reply(*([str(START), f"line {number}"] for number in range(PAGE)))
    with impostor(same) as server:
        assert len(search(server, limit=2 * PAGE)) == PAGE
        assert len(server.requests) == 2


def test_no_more_lines_are_asked_for_than_allowed() -> None:
    with impostor(reply()) as server:
        search(server, Bounds(lines=10), limit=500)
        assert asked(server)[0]["limit"] == "10"


def test_an_id_that_stands_in_the_line_only_is_found_in_a_second_question() -> None:
    with impostor(reply(), reply([str(START), f'{{"trace": "{FAILED}", "msg": "no"}}'])) as server:
        with Loki(Access(server.url, LOCAL)) as loki:
            (line,) = loki.lines_of([FAILED], since=SINCE, until=UNTIL)
        first, second = (one["query"] for one in asked(server))
    assert line.trace_id == FAILED
    assert first.endswith(f'| trace_id=~"{FAILED}"')
    assert second.endswith(f'|~ "{FAILED}"')


@pytest.mark.parametrize(
    ("metadata", "severity"),
    [
        ({"severity_number": "18"}, 18),
        ({"detected_level": "error"}, 17),
        ({"level": "WARNING"}, 13),
        ({"severity_text": "Fatal", "detected_level": "info"}, 21),
        ({"severity_number": "0", "level": "debug"}, 5),
        ({"level": "whatever"}, 0),
        ({}, 0),
    ],
)
def test_the_severity_is_the_number_or_a_known_word(metadata: dict[str, str], severity: int) -> None:
    with impostor(reply([str(START), "x", {"structuredMetadata": metadata}])) as server:
        assert search(server)[0].severity == severity


def test_what_belongs_to_the_service_is_its_resource() -> None:
    metadata = {"k8s_pod_name": "cart-1", "order": "7", "user_flow": "checkout"}
    with impostor(reply([str(START), "x", {"structuredMetadata": metadata, "parsed": {"status": "503"}}])) as server:
        (line,) = search(server)
    assert line.resource == {"k8s_pod_name": "cart-1", "service.name": "cart"}
    assert line.attributes == {"order": "7", "status": "503", "user.flow": "checkout"}


def test_an_error_in_plain_text_is_told_in_its_own_words() -> None:
    with (
        impostor(
            Reply(b"max entries limit per query exceeded, limit > max (9000 > 5000)", 400, "text/plain")
        ) as server,
        pytest.raises(TooMuch, match=r"9000 > 5000\)\. Choose a shorter time"),
    ):
        search(server)


def test_counts_need_a_time() -> None:
    with Loki(Access("http://127.0.0.1:9", LOCAL)) as loki, pytest.raises(Refused, match="from when to when"):
        loki.counts(LogQuery(), minutes(1))


def test_a_step_without_lines_is_nought_and_steps_begin_at_whole_minutes() -> None:
    empty = {"status": "success", "data": {"resultType": "matrix", "result": []}}
    with impostor(Reply(json.dumps(empty).encode())) as server, Loki(Access(server.url, LOCAL)) as loki:
        since = datetime(2026, 3, 1, 14, 0, 40, tzinfo=UTC)
        counts = loki.counts(LogQuery(since=since, until=since + minutes(1)), minutes(1))
    assert [(count.at.minute, count.at.second, count.lines) for count in counts] == [(0, 0, 0), (1, 0, 0)]
