"""Keeps spans and logs in a database of their own, where the settings name one."""

from typing import Any

from django.conf import settings
from django.db.models import Model

EMBEDDED = {"storedtrace", "storedspan", "storedlog"}


def database() -> str:
    """The alias of the database that holds spans and logs."""
    return "telemetry" if "telemetry" in settings.DATABASES else "default"


class TelemetryRouter:
    def db_for_read(self, model: type[Model], **hints: Any) -> str | None:
        return database() if model._meta.model_name in EMBEDDED else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        if model_name in EMBEDDED:
            return db == database()
        return db == "default"
