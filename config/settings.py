"""Every setting, read from the environment. docs/settings.md explains each; a test keeps the two together."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
from django.utils.csp import CSP

from config import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(env.text("FIRELINE_VAR", str(BASE_DIR / "var")))

SECRET_KEY = env.required(
    "FIRELINE_SECRET_KEY",
    "It signs sessions and encrypts stored credentials. `make demo` and `make run` create one in var/.",
)
DEBUG = env.flag("FIRELINE_DEBUG", False)
BASE_URL = env.text("FIRELINE_BASE_URL", "http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS = env.words("FIRELINE_ALLOWED_HOSTS", "127.0.0.1,localhost")
CSRF_TRUSTED_ORIGINS = env.words("FIRELINE_TRUSTED_ORIGINS", BASE_URL)
BEHIND_TLS = env.flag("FIRELINE_BEHIND_TLS", BASE_URL.startswith("https://"))

# -- What the engine measures, and how often ------------------------------------------------------------------
SLICE = env.seconds("FIRELINE_SLICE_SECONDS", 60)
# Scrapes that belong into a slice are waited for this long after it ended.
SETTLE = env.seconds("FIRELINE_SETTLE_SECONDS", 10)
# A slice of which all scrapes are there by then is counted at once.
PROMPT = min(timedelta(seconds=2), SETTLE)
# An objective that is split by labels keeps a ledger for each of so many groups.
MOST_GROUPS = env.whole("FIRELINE_MOST_GROUPS", 500)
# How often to look whether a slice can be asked for: more often than slices end, as beat does not start with one.
TICK = min(timedelta(seconds=5), max(timedelta(seconds=1), SLICE / 5))
# Older slices are merged to hours; windows of up to `slo.periods.FINE` need the fine ones, and a day to look back.
KEEP_SLICES = env.days("FIRELINE_KEEP_SLICES_DAYS", 14, least=4)
# And kept as long as this, or as the objective's window if that is longer.
KEEP_LEDGER = env.days("FIRELINE_KEEP_LEDGER_DAYS", 400, least=4)

# -- Addresses that users may name (sources, webhooks) although they are internal -------------------------------
INTERNAL_ADDRESSES = env.words("FIRELINE_INTERNAL_ADDRESSES")

# -- The embedded telemetry store ----------------------------------------------------------------------------------
OTLP_MAX_BYTES = env.whole("FIRELINE_OTLP_MAX_BYTES", 16 * 1024 * 1024)
INGEST_TOKEN = env.text("FIRELINE_INGEST_TOKEN")
TRACE_SAMPLE = env.number("FIRELINE_TRACE_SAMPLE", 0.1)
SLOW_TRACE = env.seconds("FIRELINE_SLOW_TRACE_SECONDS", 1)
TRACE_SETTLE = env.seconds("FIRELINE_TRACE_SETTLE_SECONDS", 120)
TELEMETRY_MAX_AGE = env.seconds("FIRELINE_TELEMETRY_MAX_AGE_SECONDS", 3 * 24 * 3600)
TELEMETRY_MAX_ROWS = env.whole("FIRELINE_TELEMETRY_MAX_ROWS", 2_000_000)

# -- What each store of traces or log lines is asked at most for one purpose, e.g. one look at an incident ----------
STORE_MOST_TRACES = env.whole("FIRELINE_STORE_MOST_TRACES", 500)
STORE_MOST_LINES = env.whole("FIRELINE_STORE_MOST_LINES", 20_000)
STORE_MAX_BYTES = env.whole("FIRELINE_STORE_MAX_BYTES", 64 * 1024 * 1024)
STORE_TIME = env.seconds("FIRELINE_STORE_SECONDS", 30)
STORE_MOST_QUESTIONS = env.whole("FIRELINE_STORE_MOST_QUESTIONS", 100)

INSTALLED_APPS = [
    "telemetry",
    "slo",
    "alerts",
    "dashboards",
    "django_htmx",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": False,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "dashboards.shell.shell",
            ],
            "builtins": ["dashboards.templatetags.fireline"],
        },
    }
]

# -- Databases: SQLite in two files, so that ingestion never blocks evaluation; or PostgreSQL ---------------------
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=20000;",
}


def _database(url: str) -> dict[str, Any]:
    parsed: dict[str, Any] = dict(dj_database_url.parse(url))
    if parsed["ENGINE"] == "django.db.backends.sqlite3":
        return parsed | {"OPTIONS": SQLITE_OPTIONS}
    return parsed | {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}


_database_url = env.text("DATABASE_URL", f"sqlite:///{VAR_DIR / 'fireline.sqlite3'}")
_telemetry_url = env.text(
    "FIRELINE_TELEMETRY_DATABASE_URL",
    f"sqlite:///{VAR_DIR / 'telemetry.sqlite3'}" if _database_url.startswith("sqlite") else "",
)
DATABASES = {"default": _database(_database_url)}
if _telemetry_url:
    DATABASES["telemetry"] = _database(_telemetry_url)
DATABASE_ROUTERS = ["telemetry.router.TelemetryRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# -- Celery: carries work, keeps nothing; every task can run twice -------------------------------------------------
REDIS_URL = env.text("FIRELINE_REDIS_URL", "redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 600, "socket_timeout": 5, "socket_connect_timeout": 5}
CELERY_TASK_IGNORE_RESULT = True
# A message that dies with its worker is not missed: the next tick finds the same work due in the database.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0, "interval_step": 0.2}
CELERY_TIMEZONE = "UTC"
CELERY_TASK_TIME_LIMIT = 120

# -- People ---------------------------------------------------------------------------------------------------------
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]

# -- Mail -----------------------------------------------------------------------------------------------------------
_mail_backend = env.text("FIRELINE_EMAIL_BACKEND", "django.core.mail.backends.smtp.EmailBackend")
_mail_options: dict[str, dict[str, Any]] = {
    "django.core.mail.backends.smtp.EmailBackend": {
        "host": env.text("FIRELINE_EMAIL_HOST", "localhost"),
        "port": env.whole("FIRELINE_EMAIL_PORT", 25),
        "username": env.text("FIRELINE_EMAIL_USER"),
        "password": env.text("FIRELINE_EMAIL_PASSWORD"),
        "use_tls": env.flag("FIRELINE_EMAIL_TLS", False),
        "timeout": 10,
    },
    "django.core.mail.backends.filebased.EmailBackend": {
        "file_path": env.text("FIRELINE_EMAIL_FILE_PATH", str(VAR_DIR / "mail")),
    },
}
MAILERS = {"default": {"BACKEND": _mail_backend, "OPTIONS": _mail_options.get(_mail_backend, {})}}
DEFAULT_FROM_EMAIL = env.text("FIRELINE_EMAIL_FROM", "fireline@localhost")

# -- Security ---------------------------------------------------------------------------------------------------------
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
# The proxy that ends TLS redirects to it and promises it (HSTS); senders inside the network may well use plain HTTP.
SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008"]
# The OTLP receiver bounds its own bodies; everything else is a form.
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Served from where they lie: there is nothing to collect.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": env.text("FIRELINE_LOG_LEVEL", "INFO")},
    # At DEBUG it writes the path of every call, and a webhook's path is its secret.
    "loggers": {"urllib3": {"level": "INFO"}},
}
