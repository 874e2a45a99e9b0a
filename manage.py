#!/usr/bin/env python
"""Run one of Django's or Fireline's commands: `manage.py help` lists them."""

import os
import secrets
import sys

from django.core.management import execute_from_command_line

# They read files and ask stores, and neither sign nor seal anything: they run anywhere, without any setting.
WITHOUT_SECRETS = ("backtest", "explain", "rules")

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if sys.argv[1:2] and sys.argv[1] in WITHOUT_SECRETS:
        os.environ.setdefault("FIRELINE_SECRET_KEY", secrets.token_urlsafe())
    execute_from_command_line(sys.argv)
