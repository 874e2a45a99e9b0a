"""Counts by time and attribute: read from files that are never quite clean, or made of single requests."""

from io import StringIO
from pathlib import Path

import numpy as np
import pytest

from connectors.telemetry import from_ns
from evidence.count_table import NOT_KNOWN, CountsError, CountTable, Request, of_csv, of_requests, read

HEADER = "time,bad,total,region,method\n"
NOON = "2026-11-22T12:00:00Z"


def table(*lines: str) -> CountTable:
    return read(StringIO(HEADER + "\n".join(lines)))


def value(counts: CountTable, row: int, attribute: str) -> str | None:
    place = counts.attributes.index(attribute)
    code = counts.codes[row, place]
    return None if code == NOT_KNOWN else counts.values[place][code]


def test_a_row_is_a_time_its_counts_and_its_values() -> None:
    counts = table(f"{NOON},3,40,eu,card")
    assert from_ns(int(counts.time_ns[0])).isoformat() == "2026-11-22T12:00:00+00:00"
    assert (counts.bad[0], counts.total[0]) == (3, 40)
    assert (value(counts, 0, "region"), value(counts, 0, "method")) == ("eu", "card")


def test_an_empty_value_is_not_known() -> None:
    assert value(table(f"{NOON},3,40,,card"), 0, "region") is None


def test_a_line_that_is_cut_off_lacks_its_last_values() -> None:
    counts = table(f"{NOON},3,40,eu,card", f"{NOON},1,2,us")
    assert (value(counts, 1, "region"), value(counts, 1, "method")) == ("us", None)


@pytest.mark.parametrize(
    "line",
    [
        f"{NOON},,40,eu,card",
        f"{NOON},x,40,eu,card",
        f"{NOON},nan,40,eu,card",
        f"{NOON},-1,40,eu,card",
        f"{NOON},41,40,eu,card",
        f"{NOON},1,inf,eu,card",
        "yesterday,1,40,eu,card",
        "2026-11-22T12:00:00,1,40,eu,card",
    ],
)
def test_a_row_without_usable_numbers_or_time_is_skipped_and_counted(line: str) -> None:
    counts = table(line, f"{NOON},3,40,eu,card")
    assert (len(counts), counts.skipped) == (1, 1)


def test_fractions_of_events_are_kept() -> None:
    assert table(f"{NOON},0.5,1.75,eu,card").total[0] == 1.75


def test_times_may_have_a_zone_and_nanoseconds() -> None:
    counts = table("2026-11-22T13:00:00.123456789+01:00,0,1,eu,card")
    assert from_ns(int(counts.time_ns[0])).isoformat() == "2026-11-22T12:00:00.123456+00:00"


def test_columns_may_come_in_any_order_and_values_may_hold_commas() -> None:
    counts = read(StringIO(f'region,total,bad,time\n"Paris, FR",10,1,{NOON}\n'))
    assert (value(counts, 0, "region"), counts.total[0]) == ("Paris, FR", 10)


def test_blank_lines_are_nothing() -> None:
    counts = table("", f"{NOON},3,40,eu,card", "", "")
    assert (len(counts), counts.skipped) == (1, 0)


def test_a_file_without_counts_says_what_is_missing() -> None:
    with pytest.raises(CountsError, match="no column bad and no column total"):
        read(StringIO("time,region\n"))


def test_an_empty_table_still_knows_its_attributes() -> None:
    assert (len(table()), table().attributes) == (0, ("region", "method"))


def test_values_keep_their_code_from_one_chunk_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evidence.count_table.CHUNK", 2)
    counts = table(*(f"{NOON},0,1,{region},card" for region in ("eu", "us", "us", "eu", "asia")))
    assert counts.codes[:, 0].tolist() == [0, 1, 1, 0, 2]
    assert counts.values[0] == ("eu", "us", "asia")


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text(HEADER + f"{NOON},3,40,eu,card\n", encoding="utf-8-sig")
    assert len(of_csv(path)) == 1


def test_requests_are_rows_and_know_only_their_own_attributes() -> None:
    counts = of_requests([Request(5, True, {"region": "eu"}), Request(6, False, {"user.id": "7"})])
    assert (counts.bad.tolist(), counts.total.tolist()) == ([1, 0], [1, 1])
    assert [value(counts, row, "region") for row in (0, 1)] == ["eu", None]
    assert [value(counts, row, "user.id") for row in (0, 1)] == [None, "7"]


def test_no_requests_are_an_empty_table() -> None:
    assert len(of_requests([])) == 0


def test_a_part_of_a_table_keeps_the_names_of_its_values() -> None:
    counts = table(f"{NOON},3,40,eu,card", f"{NOON},1,2,us,card")
    part = counts.where(np.array([False, True]))
    assert (len(part), value(part, 0, "region")) == (1, "us")
