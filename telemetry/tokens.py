"""Ingest tokens: shown once, kept as a hash, and known by when they were last used."""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q

from telemetry.models import IngestToken

# So that a leaked one is recognised in logs and by secret scanners.
PREFIX = "fl_"
# Senders send every few seconds; their row is not written that often.
USE_IS_NOTED_EVERY = timedelta(minutes=1)


def digest(token: str) -> str:
    # A plain hash is enough: the token is 256 random bits, not a password.
    return hashlib.sha256(token.encode()).hexdigest()


def create(name: str, user: User | None) -> tuple[IngestToken, str]:
    """A new token's row, and the token itself, which is never known again."""
    token = PREFIX + secrets.token_urlsafe(32)
    return IngestToken.objects.create(name=name, digest=digest(token), created_by=user), token


def verify(token: str, at: datetime) -> bool:
    """Whether the token may send: it is the one of the settings, or a stored one, whose use is then noted."""
    if settings.INGEST_TOKEN and hmac.compare_digest(token.encode(), settings.INGEST_TOKEN.encode()):
        return True
    row = IngestToken.objects.filter(digest=digest(token)).only("pk", "last_used_at").first()
    if row is None:
        return False
    if row.last_used_at is None or row.last_used_at < at - USE_IS_NOTED_EVERY:
        noted = Q(last_used_at=None) | Q(last_used_at__lt=at - USE_IS_NOTED_EVERY)
        IngestToken.objects.filter(noted, pk=row.pk).update(last_used_at=at)
    return True
