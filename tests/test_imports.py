"""Imports go one way only, so that each package can be understood, tested and replaced without those above it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# What each package may import of the others.
MAY_IMPORT = {
    "connectors": set[str](),
    "evidence": {"connectors"},
    "telemetry": {"connectors"},
    "slo": {"telemetry", "connectors"},
    "alerts": {"slo", "telemetry", "evidence", "connectors"},
    "dashboards": {"alerts", "slo", "telemetry", "evidence", "connectors"},
    "config": {"dashboards", "alerts", "slo", "telemetry", "evidence", "connectors"},
    "demo": set[str](),
    # Only the list of the shop's processes; everything else of the shop it runs.
    "launcher": {"demo"},
}
PLAIN_PYTHON = ("connectors", "evidence", "launcher", "demo")
PACKAGES = MAY_IMPORT.keys() | {"tests", "bench"}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """The dotted names that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(path)}


def names(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_stands_below_it(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    above = {
        str(path.relative_to(ROOT)): found for path in modules(package) if (found := roots(path) & PACKAGES - allowed)
    }
    assert above == {}


@pytest.mark.parametrize("package", PLAIN_PYTHON)
def test_plain_packages_do_not_know_django(package: str) -> None:
    assert names([path for path in modules(package) if "django" in roots(path)]) == []


def test_only_tasks_and_the_wiring_know_celery() -> None:
    allowed = {ROOT / "config/celery.py"}
    knowing = [
        path
        for package in MAY_IMPORT
        for path in modules(package)
        if "celery" in roots(path) and path.name != "tasks.py" and path not in allowed
    ]
    assert names(knowing) == []


def test_evidence_knows_stores_only_by_their_data_types() -> None:
    others = {
        name
        for path in modules("evidence")
        for name in imported(path)
        if name.startswith("connectors") and not name.startswith("connectors.telemetry")
    }
    assert others == set()


def test_the_launcher_knows_only_the_list_of_the_shops_processes() -> None:
    others = {
        name
        for path in modules("launcher")
        for name in imported(path)
        if name.startswith("demo") and not name.startswith("demo.processes")
    }
    assert others == set()


def test_nothing_is_imported_from_a_package_of_leftovers() -> None:
    leftovers = {"utils", "helpers", "services", "common", "core"}
    assert names([path for package in PACKAGES for path in modules(package) if path.stem in leftovers]) == []
