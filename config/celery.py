"""The Celery application: finds each app's tasks.py, and says when beat sends which."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("fireline")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
