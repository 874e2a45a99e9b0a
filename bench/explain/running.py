"""Runs `manage.py explain` on bundles, as its users do: a process a bundle."""

import os
import resource
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson

from bench.explain.answer import Answer

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300.0


def command(text: str) -> list[str]:
    """What to run, to which `--bundle DIR --json` is added; empty for this project's own command."""
    return shlex.split(text) if text else [sys.executable, str(ROOT / "manage.py"), "explain"]


def environment(var: Path) -> dict[str, str]:
    """What the project's settings ask for, with nothing of anybody's own; `var` is a folder it may write to."""
    settings = {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": f"sqlite:///{var}/bench.sqlite3",
        "FIRELINE_VAR": str(var),
        "FIRELINE_SECRET_KEY": "bench",
        "FIRELINE_LOG_LEVEL": "ERROR",
    }
    return {**os.environ, **settings}


def explain(argv: Sequence[str], bundle: Path, var: Path) -> Answer:
    """What it answers; an Answer with its `failure` when it does not."""
    began = time.perf_counter()
    try:
        done = subprocess.run(
            [*argv, "--bundle", str(bundle), "--json"],
            check=False,
            capture_output=True,
            cwd=ROOT,
            env=environment(var),
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        return Answer(failure=f"no answer within {PATIENCE:.0f} s")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        return Answer(failure=said[-1] if said else f"ended with {done.returncode}")
    try:
        return Answer.read(orjson.loads(done.stdout), time.perf_counter() - began)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Answer(failure=f"not what explain prints: {type(error).__name__}: {error}")


def explain_all(argv: Sequence[str], bundles: Mapping[str, Path], var: Path, jobs: int) -> dict[str, Answer]:
    """The answers by name, `jobs` at a time."""
    with ThreadPoolExecutor(jobs) as running:
        answers = running.map(lambda bundle: explain(argv, bundle, var), bundles.values())
        return dict(zip(bundles, answers, strict=True))


def peak_bytes() -> int:
    """The most memory that any ended child of this process had."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
