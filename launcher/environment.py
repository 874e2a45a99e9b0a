"""What each program finds in its environment, on top of what the launcher was started with."""

from collections.abc import Mapping
from urllib.parse import quote

from launcher import keys
from launcher.settings import Settings

# A demo must not write into a database that somebody's shell happens to name.
_NOT_FOR_THE_DEMO = ("DATABASE_URL", "FIRELINE_TELEMETRY_DATABASE_URL", "FIRELINE_REDIS_URL", "FIRELINE_SECRET_KEY")


def engine(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """For web, worker, beat and manage.py. What the person set wins."""
    made = {
        "FIRELINE_VAR": str(settings.home),
        "FIRELINE_SECRET_KEY": environ.get("FIRELINE_SECRET_KEY") or keys.secret_key(settings.secrets),
        "FIRELINE_REDIS_URL": settings.redis_url,
        "FIRELINE_BASE_URL": settings.web_url,
    }
    return made | _set(environ) | _fixed(environ) | {"FIRELINE_VAR": str(settings.home)}


def demo_engine(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The engine's, with short slices so that a fault pages within a minute, and mail that goes to files."""
    made = {
        "FIRELINE_SLICE_SECONDS": "10",
        "FIRELINE_SETTLE_SECONDS": "2",
        "FIRELINE_TRACE_SETTLE_SECONDS": "60",
        "FIRELINE_INTERNAL_ADDRESSES": "127.0.0.0/8",
        "FIRELINE_EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
        "FIRELINE_EMAIL_FILE_PATH": str(settings.home / "mail"),
        "FIRELINE_EMAIL_FROM": "fireline@demo.example",
    }
    secret = {
        "FIRELINE_INGEST_TOKEN": keys.ingest_token(settings.secrets),
        "FIRELINE_DEMO_PASSWORD": keys.password(settings.secrets),
    }
    kept = {name: value for name, value in environ.items() if name not in _NOT_FOR_THE_DEMO}
    return made | engine(settings, kept) | secret


def shop(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """For the shop's processes: its ports, and where OpenTelemetry's exporters send."""
    token = keys.ingest_token(settings.secrets)
    kept = {name: value for name, value in _set(environ).items() if not name.startswith(("FIRELINE_", "OTEL_"))}
    made = {
        "SHOP_BASE_PORT": str(settings.shop_port),
        "OTEL_BSP_SCHEDULE_DELAY": "2000",
        "OTEL_BLRP_SCHEDULE_DELAY": "2000",
        "OTEL_EXPORTER_OTLP_ENDPOINT": settings.web_url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization={quote(f'Bearer {token}')}",
        "FIRELINE_CHANGES_URL": f"{settings.web_url}/api/changes",
        "FIRELINE_INGEST_TOKEN": token,
    }
    return kept | made | _fixed(environ)


def _set(environ: Mapping[str, str]) -> dict[str, str]:
    """Without empty ones: an empty setting means its default."""
    return {name: value for name, value in environ.items() if value}


def _fixed(environ: Mapping[str, str]) -> dict[str, str]:
    """Every program talks to the others over the loopback, whatever proxy the environment names."""
    direct = ",".join(filter(None, (environ.get("NO_PROXY") or environ.get("no_proxy"), "127.0.0.1,localhost")))
    return {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": direct,
        "no_proxy": direct,
    }
