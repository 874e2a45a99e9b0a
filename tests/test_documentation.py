"""What a person can set or run is written down, and what is written down is there."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SETTINGS = (ROOT / "docs/settings.md").read_text()
READ_IN = ("config", "launcher", "dashboards/management", "demo")
NAME = re.compile(r"(FIRELINE_[A-Z_]+[A-Z]|DATABASE_URL)")


def names_in(path: Path) -> set[str]:
    """The settings that a module names, each in a string of its own."""
    constants = (node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str) and NAME.fullmatch(value)}


def read() -> set[str]:
    return {name for directory in READ_IN for path in (ROOT / directory).rglob("*.py") for name in names_in(path)}


def documented() -> set[str]:
    return {
        name for line in SETTINGS.splitlines() if line.startswith("| `") for name in NAME.findall(line.split("|")[1])
    }


def targets() -> list[str]:
    return re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_setting_is_documented() -> None:
    assert read() - documented() == set()


def test_every_documented_setting_is_read() -> None:
    assert documented() - read() == set()


def test_the_containers_are_given_only_documented_settings() -> None:
    given = set(re.findall(r"^ +(FIRELINE_[A-Z_]+):", (ROOT / "docker-compose.yml").read_text(), re.MULTILINE))
    assert given - documented() == set()


def test_every_setting_stands_in_the_table_once() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)`", SETTINGS, re.MULTILINE)
    assert sorted(rows) == sorted(set(rows))


def test_make_help_names_every_target() -> None:
    said = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert re.findall(r"^  make (\S+)", said.stdout, re.MULTILINE) == targets()


@pytest.mark.parametrize(
    "document", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
)
def test_a_document_names_only_what_is_there(document: str) -> None:
    text = (ROOT / document).read_text()
    missing_targets = set(re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)`", text)) - set(targets())
    missing_settings = set(NAME.findall(text)) - documented()
    links = {link.split("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith(("http", "#"))}
    missing_files = {link for link in links if not ((ROOT / document).parent / link).exists()}
    assert (missing_targets, missing_settings, missing_files) == (set(), set(), set())


def test_every_decision_is_about_half_a_page() -> None:
    long = [path.name for path in ROOT.glob("docs/decisions/*.md") if len(path.read_text().split()) > 450]
    assert long == []
