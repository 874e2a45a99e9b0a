"""Encrypts what must not be read from a database dump: credentials and webhook addresses."""

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.db import models


def _box() -> Fernet:
    key = hashlib.sha256(b"fireline credentials\0" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


def seal(value: Any) -> str:
    return _box().encrypt(json.dumps(value).encode()).decode()


def unseal(sealed: str) -> Any:
    """What `seal` was given. Raises `ValueError` when it was sealed under another FIRELINE_SECRET_KEY."""
    try:
        return json.loads(_box().decrypt(sealed.encode()))
    except InvalidToken:
        raise ValueError(
            "The stored credentials were encrypted with another FIRELINE_SECRET_KEY. Enter them again."
        ) from None


if TYPE_CHECKING:
    _ObjectField = models.TextField[dict[str, Any], dict[str, Any]]
else:
    _ObjectField = models.TextField


class SealedField(_ObjectField):
    """A JSON object, encrypted at rest. One that cannot be decrypted any more reads as empty."""

    def from_db_value(self, value: str | None, expression: object, connection: object) -> dict[str, Any]:
        if not value:
            return {}
        try:
            opened: dict[str, Any] = unseal(value)
        except ValueError:
            return {}
        return opened

    def get_prep_value(self, value: Any) -> str:
        return seal(value) if value else ""
