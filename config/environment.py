"""Reads settings from the environment; a bad value stops the process with a sentence that names it."""

import os
from collections.abc import Callable
from datetime import timedelta

from django.core.exceptions import ImproperlyConfigured


def _parsed[T](name: str, default: T, parse: Callable[[str], T], expected: str) -> T:
    raw = os.environ.get(name, "").strip()
    if not raw:
        return default
    try:
        return parse(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} is {raw!r}, but must be {expected}.") from None


def text(name: str, default: str = "") -> str:
    return _parsed(name, default, str, "a text")


def required(name: str, hint: str) -> str:
    value = text(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {hint}")
    return value


def flag(name: str, default: bool) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}

    def parse(raw: str) -> bool:
        if raw.lower() not in words:
            raise ValueError
        return words[raw.lower()]

    return _parsed(name, default, parse, "one of true, false, 1, 0, yes, no, on, off")


def whole(name: str, default: int) -> int:
    return _parsed(name, default, int, "a whole number")


def number(name: str, default: float) -> float:
    return _parsed(name, default, float, "a number")


def seconds(name: str, default: float) -> timedelta:
    return timedelta(seconds=number(name, default))


def days(name: str, default: float, least: float) -> timedelta:
    """A length in days, refused when it is below `least`."""
    found = number(name, default)
    if not found >= least:
        raise ImproperlyConfigured(f"{name} is {found:g}, but must be at least {least:g} days.")
    return timedelta(days=found)


def words(name: str, default: str = "") -> list[str]:
    return [word.strip() for word in text(name, default).split(",") if word.strip()]
