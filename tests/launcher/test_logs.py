from pathlib import Path

from launcher import logs


def test_the_last_runs_log_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("yesterday")
    logs.rotate(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"web.log.1": "yesterday"}


def test_a_long_log_is_cut_while_its_program_goes_on_writing(tmp_path: Path) -> None:
    with (tmp_path / "web.log").open("a") as log:
        print("much", file=log, flush=True)
        logs.bound(tmp_path, most=4)
        print("more", file=log, flush=True)
    assert (tmp_path / "web.log").read_text() == "more\n"
    assert (tmp_path / "web.log.1").read_text() == "much\n"


def test_a_short_log_stays_whole(tmp_path: Path) -> None:
    (tmp_path / "web.log").write_text("some")
    logs.bound(tmp_path, most=4)
    assert [path.name for path in tmp_path.iterdir()] == ["web.log"]
