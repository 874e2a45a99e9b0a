"""Ids and values as stores write them."""

from typing import Any

import pytest

from connectors.otlp_json import hex_id, kind_of, spans, status_of, value


@pytest.mark.parametrize(
    ("text", "size", "expected"),
    [
        ("07c1d2e3f4a5b6978897a6b5c4d3e2f1", 16, "07c1d2e3f4a5b6978897a6b5c4d3e2f1"),
        (" 7C1D2E3F4A5B6978897A6B5C4D3E2F1 ", 16, "07c1d2e3f4a5b6978897a6b5c4d3e2f1"),
        ("B8HS4/SltpeIl6a1xNPi8Q==", 16, "07c1d2e3f4a5b6978897a6b5c4d3e2f1"),
        ("APBnqgupArc=", 8, "00f067aa0ba902b7"),
        ("f067aa0ba902b7", 8, "00f067aa0ba902b7"),
        ("abcdefabcde=", 8, "69b71d79f69b71d7"),
        ("0000000000000000", 8, ""),
        ("", 8, ""),
        (None, 8, ""),
        ("no id", 8, ""),
        ("../etc", 16, ""),
    ],
)
def test_an_id_is_hex_whatever_it_came_as(text: str | None, size: int, expected: str) -> None:
    assert hex_id(text, size) == expected


@pytest.mark.parametrize("kind", ["SPAN_KIND_SERVER", "Server", "server", 2])
def test_a_kind_is_a_name_or_a_number(kind: Any) -> None:
    assert kind_of(kind) == "server"


@pytest.mark.parametrize("status", ["STATUS_CODE_ERROR", "Error", "ERROR", 2])
def test_a_status_is_a_name_or_a_number(status: Any) -> None:
    assert status_of(status) == "error"


@pytest.mark.parametrize("unknown", ["", None, "SPAN_KIND_NEW", 99, -1])
def test_what_is_unknown_is_said_to_be(unknown: Any) -> None:
    assert (kind_of(unknown), status_of(unknown)) == ("unspecified", "unset")


@pytest.mark.parametrize(
    ("any_value", "expected"),
    [
        ({"stringValue": "x"}, "x"),
        ({"intValue": "5"}, 5),
        ({"boolValue": False}, False),
        ({"doubleValue": 0.5}, 0.5),
        ({"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "b"}]}}, [1, "b"]),
        ({"kvlistValue": {"values": [{"key": "a", "value": {"intValue": "1"}}]}}, {"a": 1}),
        ({"arrayValue": {}}, []),
        ({}, None),
        (None, None),
    ],
)
def test_a_value_is_what_json_has_for_it(any_value: Any, expected: Any) -> None:
    assert value(any_value) == expected


def test_a_span_that_ends_before_it_starts_took_no_time() -> None:
    span = {"traceId": "01", "spanId": "02", "startTimeUnixNano": "9", "endTimeUnixNano": "5"}
    (found,) = spans([{"instrumentationLibrarySpans": [{"spans": [span]}]}])
    assert (found.duration_ns, found.service, found.parent_id) == (0, "unknown", "")
