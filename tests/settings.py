"""The settings that tests run under: those of the product, with a key of their own and nothing outside."""

import atexit
import os
import shutil
import tempfile

os.environ.setdefault("FIRELINE_SECRET_KEY", "only for tests")
if "FIRELINE_VAR" not in os.environ:
    os.environ["FIRELINE_VAR"] = tempfile.mkdtemp(prefix="fireline-tests-")
    atexit.register(shutil.rmtree, os.environ["FIRELINE_VAR"], ignore_errors=True)
os.environ.setdefault("FIRELINE_INTERNAL_ADDRESSES", "127.0.0.0/8")
os.environ.setdefault("FIRELINE_INGEST_TOKEN", "test-ingest-token")

from config.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
CELERY_TASK_ALWAYS_EAGER = False
