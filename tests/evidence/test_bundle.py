import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence import bundle
from evidence.bundle import BadBundle
from evidence.case import Bad, Interval

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CASE = {
    "id": "case-1",
    "flow": {"name": "Checkout", "root": {"service": "gateway", "operation": "POST /checkout"}},
    "bad": {"slower_than_ms": 500},
    "baseline": [["2026-03-02T11:00:00Z", "2026-03-02T11:30:00Z"]],
    "incident": ["2026-03-02T12:00:00Z", "2026-03-02T12:10:00Z"],
    "changes": [{"at": "2026-03-02T11:58:00Z", "kind": "deploy", "service": "checkout", "version": "2", "title": "v2"}],
}


def folder(tmp_path: Path, **other: object) -> Path:
    (tmp_path / "case.json").write_text(json.dumps(CASE | other))
    return tmp_path


def test_a_case_says_what_is_asked(tmp_path):
    asked = bundle.opened(folder(tmp_path)).inquiry
    assert (asked.flow, asked.service, asked.operation) == ("Checkout", "gateway", "POST /checkout")
    assert asked.bad == Bad(slower_than=timedelta(milliseconds=500))
    assert asked.incident == Interval(NOON, NOON + timedelta(minutes=10))
    assert asked.changes[0].at == NOON - timedelta(minutes=2)


def test_times_with_an_offset_mean_the_same_instant(tmp_path):
    asked = bundle.opened(folder(tmp_path, incident=["2026-03-02T13:00:00+01:00", "2026-03-02T13:10:00+01:00"]))
    assert asked.inquiry.incident.start == NOON


def test_windows_of_the_baseline_that_overlap_count_once(tmp_path):
    windows = [
        ["2026-03-02T11:20:00Z", "2026-03-02T11:40:00Z"],
        ["2026-03-02T11:00:00Z", "2026-03-02T11:30:00Z"],
        ["2026-03-01T11:00:00Z", "2026-03-01T11:30:00Z"],
    ]
    found = bundle.opened(folder(tmp_path, baseline=windows)).inquiry.baseline
    assert [one.length for one in found] == [timedelta(minutes=30), timedelta(minutes=40)]


def test_a_case_may_say_next_to_nothing(tmp_path):
    (tmp_path / "case.json").write_text(json.dumps({"incident": CASE["incident"]}))
    found = bundle.opened(tmp_path)
    assert (found.id, found.inquiry.bad, found.inquiry.baseline) == (tmp_path.name, Bad(), ())


def test_files_are_found_packed_or_not(tmp_path):
    folder(tmp_path)
    (tmp_path / "logs.jsonl").write_bytes(b"a\nb\n")
    (tmp_path / "traces.jsonl.gz").write_bytes(gzip.compress(b"c\n"))
    found = bundle.opened(tmp_path)
    with found.lines("logs.jsonl") as logs, found.lines("traces.jsonl") as traces, found.lines("metrics.om") as metrics:
        assert (list(logs), list(traces), list(metrics)) == ([b"a\n", b"b\n"], [b"c\n"], [])


def test_a_packed_file_that_was_cut_off_is_read_as_far_as_it_goes(tmp_path):
    folder(tmp_path)
    (tmp_path / "logs.jsonl.gz").write_bytes(gzip.compress(b"a line\n" * 100_000)[:-20])
    with bundle.opened(tmp_path).lines("logs.jsonl") as lines:
        assert set(lines) <= {b"a line\n"}


def test_only_pairs_of_names_are_calls(tmp_path):
    folder(tmp_path)
    (tmp_path / "topology.json").write_text('[["a", "b"], ["a"], 3, ["b", null], ["b", "c"]]')
    assert bundle.opened(tmp_path).topology() == (("a", "b"), ("b", "c"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"incident": ["2026-03-02T12:10:00Z", "2026-03-02T12:00:00Z"]}, "incident: it ends before it begins"),
        ({"incident": None}, "incident: a window is expected"),
        ({"baseline": [["noon", "one"]]}, "baseline 1: 'noon' is no time"),
        ({"baseline": "yesterday"}, "baseline: a list of windows is expected"),
        ({"bad": "slow"}, "bad: "),
        ({"bad": {"slower_than_ms": -1}}, "bad: "),
        ({"changes": ["deploy"]}, "change 1: an object is expected"),
        ({"flow": "checkout"}, "flow: an object is expected"),
    ],
)
def test_what_is_wrong_with_a_case_is_said_with_its_place(tmp_path, wrong, said):
    with pytest.raises(BadBundle, match=f"case.json: {said}"):
        bundle.opened(folder(tmp_path, **wrong))


def test_a_folder_without_a_case_says_so(tmp_path):
    with pytest.raises(BadBundle, match=r"holds no case\.json"):
        bundle.opened(tmp_path)


def test_a_case_that_is_not_json_says_so(tmp_path):
    (tmp_path / "case.json").write_text("{")
    with pytest.raises(BadBundle, match="is not JSON"):
        bundle.opened(tmp_path)
