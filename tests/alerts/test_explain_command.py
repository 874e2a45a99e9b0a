"""`manage.py explain`: from a folder of recorded telemetry to an explanation, without settings or a database."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CASE: dict[str, Any] = {
    "id": "checkout",
    "flow": {"name": "Checkout", "root": {"service": "gateway"}},
    "bad": "error",
    "baseline": [["2026-03-02T11:00:00Z", "2026-03-02T12:00:00Z"]],
    "incident": ["2026-03-02T12:00:00Z", "2026-03-02T12:10:00Z"],
    "changes": [],
}

type Explain = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def explain(tmp_path: Path) -> Explain:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "manage.py", "explain", "--bundle", str(tmp_path), *arguments]
        bare = {"PATH": os.environ["PATH"]}
        return subprocess.run(command, cwd=ROOT, env=bare, check=False, text=True, capture_output=True)

    return run


def counted(folder: Path) -> None:
    """An hour of 100 requests a minute in each of two regions; from noon on half of those in eu fail."""
    rows = ["time,bad,total,region"]
    for minute in range(70):
        at = f"2026-03-02T{11 + minute // 60}:{minute % 60:02}:00Z"
        rows += [f"{at},{50 if minute >= 60 else 1},100,eu", f"{at},1,100,us"]
    (folder / "case.json").write_text(json.dumps(CASE))
    (folder / "counts.csv").write_text("\n".join(rows))


def test_the_answer_is_json_with_everything_that_is_documented(explain: Explain, tmp_path: Path) -> None:
    counted(tmp_path)
    answer = json.loads(explain("--json").stdout)
    assert {"headline", "onset", "findings", "culprits", "skipped"} <= answer.keys()
    assert answer["onset"] == "2026-03-02T12:00:00+00:00"
    best = next(one for one in answer["findings"] if one["question"] == "segments")
    assert best["subject"]["attributes"] == {"region": "eu"}
    assert {one["investigator"] for one in answer["skipped"]} >= {"spans", "logs", "metrics"}


def test_people_read_a_headline_first(explain: Explain, tmp_path: Path) -> None:
    counted(tmp_path)
    assert explain().stdout.startswith("Checkout is failing since 12:00\N{NO-BREAK SPACE}UTC.")


def test_a_folder_that_is_no_bundle_is_bad_input(explain: Explain) -> None:
    done = explain()
    assert done.returncode == 2
    assert "holds no case.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_counts_that_are_none_are_bad_input(explain: Explain, tmp_path: Path) -> None:
    counted(tmp_path)
    (tmp_path / "counts.csv").write_text("a,b\n1,2\n")
    done = explain("--json")
    assert done.returncode == 2
    assert "counts.csv" in done.stderr
