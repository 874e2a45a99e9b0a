"""Setting up: what is missing is installed or named in one message, and nothing is left half done."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BASICS = ("bash", "cat", "chmod", "cut", "dirname", "env", "head", "id", "rm", "sort", "tee", "tr")
NOBODY = 65_534


class Machine:
    """A checkout on a machine that has the basic programs and those that a test puts there."""

    def __init__(self, directory: Path) -> None:
        self.checkout = directory / "checkout"
        self.programs = directory / "bin"
        self.said = directory / "said"
        (self.checkout / "launcher").mkdir(parents=True)
        self.programs.mkdir()
        for name in ("launcher/setup.sh", "pyproject.toml", "uv.lock", ".python-version"):
            shutil.copy(ROOT / name, self.checkout / name)
        for name in BASICS:
            (self.programs / name).symlink_to(shutil.which(name) or f"/bin/{name}")
        self.said.touch(mode=0o666)

    def has(self, *names: str, does: str = "true") -> None:
        """Put programs there that write down how they were called, and then do as told."""
        for name in names:
            program = self.programs / name
            program.write_text(f'#!/bin/bash\necho "{name} $*" >> {self.said}\n{does}\n')
            program.chmod(0o755)

    def set_up(self, *arguments: str, user: int | None = None) -> subprocess.CompletedProcess[str]:
        command: Sequence[str] = [str(self.checkout / "launcher/setup.sh"), *arguments]
        environment = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
        environment |= {"PATH": str(self.programs), "HOME": str(self.checkout), "UV_PYTHON_DOWNLOADS": "never"}
        return subprocess.run(
            command, env=environment, user=user, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    @property
    def calls(self) -> list[str]:
        return self.said.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    # Another account must be able to read the checkout.
    outside = Path(tempfile.gettempdir())
    for directory in (tmp_path, *(parent for parent in tmp_path.parents if outside in parent.parents)):
        directory.chmod(0o755)
    return Machine(tmp_path)


def uv(version: str) -> str:
    return f'[ "$1" != --version ] || echo "uv {version}"'


def test_nothing_is_installed_where_everything_is_there(machine: Machine) -> None:
    machine.has("prometheus", "promtool", "redis-server")
    machine.has("uv", does=uv("0.13.9"))
    assert machine.set_up().returncode == 0
    assert machine.calls == ["uv --version", "uv sync --locked --inexact --quiet --no-group dev"]


def test_the_tests_need_more(machine: Machine) -> None:
    machine.has("prometheus", "promtool", "redis-server", "chromium", "initdb")
    machine.has("uv", does=uv("0.13.9"))
    assert machine.set_up("--tests").returncode == 0
    assert machine.calls[-1] == "uv sync --locked --inexact --quiet"


def test_without_apt_one_message_names_what_is_missing_and_the_containers(machine: Machine) -> None:
    done = machine.set_up()
    assert done.returncode == 1
    assert "These programs are missing: prometheus redis-server.\nThis system has no apt-get" in done.stderr
    assert "docker compose --profile demo up" in done.stderr


def test_without_root_or_sudo_nothing_is_tried(machine: Machine) -> None:
    machine.has("apt-get", "uv")
    done = machine.set_up(user=NOBODY if os.geteuid() == 0 else None)
    assert done.returncode == 1
    assert "Installing them takes root or sudo, and neither is available here." in done.stderr
    assert machine.calls == []


def test_the_message_comes_before_anything_is_put_into_the_project(machine: Machine) -> None:
    machine.set_up()
    assert not (machine.checkout / ".tools").exists()
    assert not (machine.checkout / ".venv").exists()


def test_without_pip_the_message_says_how_to_get_it(machine: Machine) -> None:
    machine.has("prometheus", "promtool", "redis-server")
    machine.has("python3", does="exit 1")
    done = machine.set_up()
    assert done.returncode == 1
    assert "apt-get install python3-pip" in done.stderr


def test_an_old_uv_is_not_trusted_with_the_lock_file(machine: Machine) -> None:
    machine.has("prometheus", "promtool", "redis-server")
    machine.has("uv", does=uv("0.4.30"))
    machine.has("python3")
    machine.set_up()
    assert machine.calls[-1].startswith(
        "python3 -m pip install --quiet --disable-pip-version-check --target .tools uv=="
    )


def test_uv_is_installed_into_the_project(machine: Machine) -> None:
    machine.has("prometheus", "promtool", "redis-server")
    (machine.programs / "python3").symlink_to("/usr/bin/python3")
    # The lock is left out: this is about uv alone, and dependencies take longer.
    (machine.checkout / "uv.lock").unlink()
    done = machine.set_up()
    installed = machine.checkout / ".tools/bin/uv"
    version = subprocess.run([installed, "--version"], check=False, capture_output=True, text=True).stdout
    assert version.startswith("uv 0."), done.stderr
