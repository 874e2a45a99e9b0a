"""The demo's past is written once, completely or not at all."""

from pathlib import Path

from launcher import history, settings


def chosen(home: Path) -> settings.Settings:
    return settings.read("demo", {"FIRELINE_VAR": str(home), "FIRELINE_DEMO_DAYS": "2"})


def test_the_first_start_writes_the_history(tmp_path: Path) -> None:
    (job,) = history.jobs(chosen(tmp_path), {})
    assert list(job.command)[5:7] == ["--days", "2"]


def test_a_later_start_keeps_it(tmp_path: Path) -> None:
    (job,) = history.jobs(chosen(tmp_path), {})
    job.then()
    assert history.jobs(chosen(tmp_path), {}) == []


def test_what_an_interrupted_import_left_is_thrown_away(tmp_path: Path) -> None:
    history.jobs(chosen(tmp_path), {})
    half = history.data(chosen(tmp_path)) / "half-a-block"
    half.touch()
    assert len(history.jobs(chosen(tmp_path), {})) == 1
    assert not half.exists()
