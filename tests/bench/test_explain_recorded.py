"""Recorded incidents of other systems, and running explain on them."""

import sys

import orjson
import pytest

from bench.explain import running, tables
from bench.explain.answer import Answer, Culprit, Found
from bench.explain.recorded import Case, cases, place, published


def make_case(name: str = "park-01", **known) -> Case:
    return Case(name, {"kind": "culprit", "candidates": 20, **known})


def make_segments(*scored: tuple[float, dict[str, str]]) -> Answer:
    return Answer(findings=tuple(Found("segments", "", score, 1, "", names, {}) for score, names in scored))


def test_a_case_belongs_to_the_set_before_its_dash():
    assert make_case("park-01").set == "park"


def test_chance_is_a_guess_among_the_candidates():
    assert make_case().chance(1) == 0.05
    assert make_case().chance(3) == pytest.approx(0.15)
    assert make_case(candidates=2).chance(3) == 1


def test_a_culprit_that_ties_takes_the_worst_place():
    answer = Answer(culprits=(Culprit("gate", "code", 0.5), Culprit("ride", "code", 0.5)))
    assert place(make_case(service="gate"), answer).rank == 2


def test_a_culprit_that_is_not_listed_has_no_rank():
    assert place(make_case(service="gate"), Answer()).rank is None


def test_a_segment_must_have_exactly_the_true_attributes():
    case = make_case(kind="segment", segments=[{"line": "7", "peer": "1"}])
    answer = make_segments((0.9, {"line": "7"}), (0.4, {"line": "7", "peer": "1"}))
    assert place(case, answer).rank == 2


def test_of_two_true_segments_the_better_placed_one_counts():
    case = make_case(kind="segment", segments=[{"line": "7"}, {"line": "8"}])
    assert place(case, make_segments((0.9, {"line": "8"}), (0.8, {"line": "1"}))).rank == 1


def test_a_change_is_found_among_the_findings():
    case = make_case(kind="change", service="gate")
    findings = tuple(Found("changes", "", score, 1, name, {}, {}) for name, score in (("ride", 0.9), ("gate", 0.6)))
    assert place(case, Answer(findings=findings)).rank == 2


def test_an_unknown_kind_of_truth_is_named():
    with pytest.raises(ValueError, match="park-01: what is a mood"):
        place(make_case(kind="mood"), Answer())


def test_cases_are_the_folders_that_have_a_truth(tmp_path):
    (tmp_path / "truth.json").write_bytes(orjson.dumps({"park-02": {"kind": "culprit"}, "park-09": {}}))
    for name in ("park-02", "park-03"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "case.json").write_text("{}")
    assert [case.name for case in cases(tmp_path)] == ["park-02"]


def test_what_others_published_is_read_from_a_table(tmp_path):
    table = tmp_path / "published.csv"
    table.write_text("set,method,first\npark,Oracle,0.87\npark,Dice,0.2\n")
    assert published(table) == {"park": [("Oracle", 0.87), ("Dice", 0.2)]}


def test_the_table_shows_each_fault_beside_chance(capsys):
    right, wrong = Answer(culprits=(Culprit("gate", "code", 1),)), Answer(failure="no answer")
    placed = [
        place(make_case("park-01", service="gate", fault="delay"), right),
        place(make_case("park-02", service="gate", fault="crash"), wrong),
    ]
    tables.recorded(placed, {"park": [("Oracle", 0.87)]})
    said = capsys.readouterr().out
    assert "| **park** | all | 2 | 50% (9%–91%) | 50% (9%–91%) | 5.0% | 15.0% | Oracle 87% |" in said
    assert "|  | crash | 1 | 0% (0%–79%)" in said
    assert "- park-02 (crash): no answer" in said


# -- Running -----------------------------------------------------------------------------------------------------------
def explained(program: str, tmp_path) -> Answer:
    return running.explain([sys.executable, "-c", program], tmp_path, tmp_path)


def test_a_program_is_told_the_bundle(tmp_path):
    program = """import json, sys
print(json.dumps({"headline": " ".join(sys.argv[1:]), "onset": None, "findings": [], "culprits": []}))"""
    assert explained(program, tmp_path).headline == f"--bundle {tmp_path} --json"


def test_a_program_that_fails_is_no_answer(tmp_path):
    assert explained("raise SystemExit('no case.json')", tmp_path).failure == "no case.json"


def test_a_program_that_prints_something_else_is_no_answer(tmp_path):
    assert explained("print('[]')", tmp_path).failure.startswith("not what explain prints")
