"""What a person sees of `python -m launcher` when it cannot do what was asked."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from launcher import lock
from tests.servers import free_port


def launch(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    ports = {
        name: str(free_port()) for name in ("FIRELINE_WEB_PORT", "FIRELINE_REDIS_PORT", "FIRELINE_PROMETHEUS_PORT")
    }
    environment = os.environ | {"FIRELINE_VAR": str(home)} | ports | settings
    command = [sys.executable, "-m", "launcher", *arguments]
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)


def test_a_taken_port_is_reported_with_its_setting_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken = listener.getsockname()[1]
        done = launch(tmp_path, "demo", FIRELINE_WEB_PORT=str(taken))
    assert done.returncode == 1
    assert f"Port {taken} (the web pages) is taken by another program." in done.stderr
    assert f"FIRELINE_WEB_PORT={taken + 20}" in done.stderr
    assert [path.name for path in (tmp_path / "demo").iterdir()] == ["lock"]


def test_a_setting_that_cannot_be_is_a_sentence_and_no_traceback(tmp_path: Path) -> None:
    done = launch(tmp_path, "demo", FIRELINE_SHOP_PORT="seventy")
    assert done.returncode == 1
    assert "FIRELINE_SHOP_PORT is 'seventy', but must be a whole number" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_second_demo_says_that_one_runs(tmp_path: Path) -> None:
    with lock.held(tmp_path / "demo"):
        done = launch(tmp_path, "demo")
    assert done.returncode == 1
    assert f"process {os.getpid()}" in done.stderr


def test_resetting_throws_the_demos_data_away_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "fireline.sqlite3").touch()
    (tmp_path / "demo" / "prometheus").mkdir(parents=True)
    (tmp_path / "demo" / "fireline.sqlite3").touch()
    assert launch(tmp_path, "reset").returncode == 0
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "demo",
        "demo/lock",
        "fireline.sqlite3",
    ]


def test_a_running_demo_is_not_reset(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "fireline.sqlite3").touch()
    with lock.held(tmp_path / "demo"):
        done = launch(tmp_path, "reset")
    assert done.returncode == 1
    assert (tmp_path / "demo" / "fireline.sqlite3").exists()


def test_an_unknown_word_is_answered_with_the_usage(tmp_path: Path) -> None:
    done = launch(tmp_path, "dmeo")
    assert done.returncode == 2
    assert "python -m launcher demo" in done.stderr


def test_managing_uses_the_data_of_run(tmp_path: Path) -> None:
    done = launch(tmp_path, "manage", "diffsettings", "--all")
    assert f"VAR_DIR = PosixPath('{tmp_path}')" in done.stdout, done.stderr
