"""Secrets are made once, and only their owner can read them."""

from pathlib import Path

from launcher import keys


def test_a_secret_is_made_once(tmp_path: Path) -> None:
    assert keys.secret_key(tmp_path) == keys.secret_key(tmp_path)


def test_two_installations_have_different_secrets(tmp_path: Path) -> None:
    assert keys.password(tmp_path / "one") != keys.password(tmp_path / "two")


def test_only_the_owner_can_read_a_secret(tmp_path: Path) -> None:
    keys.ingest_token(tmp_path / "secrets")
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "secrets" / "ingest-token").stat().st_mode & 0o777 == 0o600
