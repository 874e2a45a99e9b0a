"""Everything that is looked for without running Fireline; `make check` calls it. Says all that is wrong, then ends."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def program(name: str) -> str:
    """One of the programs that were installed next to this Python."""
    return str(Path(sys.executable).with_name(name))


def checks() -> dict[str, list[str]]:
    manage = [sys.executable, "manage.py"]
    templates = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("templates/**/*.html"))
    return {
        "format": [program("ruff"), "format", "--check", "--quiet", "."],
        "lint": [program("ruff"), "check", "--quiet", "."],
        "types": [program("mypy"), "."],
        "missing migrations": [*manage, "makemigrations", "--check", "--dry-run"],
        "deployment": [*manage, "check", "--deploy", "--fail-level", "WARNING"],
        "templates": [program("djade"), "--check", "--target-version", "6.1", *templates],
        "import rules": [sys.executable, "-m", "pytest", "-q", "tests/test_imports.py"],
    }


# As behind a proxy that ends TLS, because the deployment checks are about that.
DEPLOYED = {
    "FIRELINE_SECRET_KEY": "only for checks, and as long and as mixed as the check wants: 0123456789 abcdefghij",
    "FIRELINE_BASE_URL": "https://fireline.example",
    "FIRELINE_ALLOWED_HOSTS": "fireline.example",
}


def passes(name: str, command: list[str], home: str) -> bool:
    """Whether the command ends well. `home` is where Django may open a database: a fresh clone has no place for one."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | DEPLOYED | {"FIRELINE_VAR": home},
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    print(f"  {'ok' if done.returncode == 0 else 'WRONG':6}{name}", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0


def main() -> int:
    print("== Checks", flush=True)
    with tempfile.TemporaryDirectory(prefix="fireline-check-") as home:
        results = [passes(name, command, home) for name, command in checks().items()]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
