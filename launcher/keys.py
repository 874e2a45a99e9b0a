"""Secrets that are made once and then kept, readable by their owner only."""

import os
import secrets
from pathlib import Path

# Without the letters and digits that look alike.
_CLEAR = "abcdefghjkmnpqrstuvwxyz23456789"


def kept(path: Path, made: str) -> str:
    """The secret in `path`; `made` is written there first when there is none."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(made + "\n")
    return made


def secret_key(directory: Path) -> str:
    return kept(directory / "secret-key", secrets.token_urlsafe(48))


def ingest_token(directory: Path) -> str:
    return kept(directory / "ingest-token", secrets.token_urlsafe(24))


def password(directory: Path) -> str:
    """One that a person can type from a screen."""
    return kept(directory / "password", "-".join(_word() for _ in range(3)))


def _word() -> str:
    return "".join(secrets.choice(_CLEAR) for _ in range(4))
