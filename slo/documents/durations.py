"""Durations as documents write them: `30d`, `1h30m`, OpenSLO's `1M`, `1Q` and `1Y`."""

import re
from datetime import timedelta

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    # Nominal lengths, as budgets and burn rates use them.
    "M": timedelta(days=30),
    "Q": timedelta(days=90),
    "y": timedelta(days=365),
    "Y": timedelta(days=365),
}
_PART = re.compile(r"(\d+)(ms|[smhdwMQyY])")
_WRITTEN = ("d", "h", "m", "s", "ms")


def parse(text: str) -> timedelta:
    """Raises `ValueError` with a sentence."""
    parts = list(_PART.finditer(text))
    if not parts or "".join(part.group() for part in parts) != text.strip():
        raise ValueError(f"{text!r} is no duration. Write a number with a unit: 30s, 5m, 1h, 30d, 4w.")
    try:
        return sum((int(part[1]) * _UNITS[part[2]] for part in parts), timedelta())
    except OverflowError:
        raise ValueError(f"{text!r} is longer than any window can be.") from None


def text(length: timedelta) -> str:
    """The shortest way to write it in one unit; exact to the millisecond."""
    unit = next((unit for unit in _WRITTEN if not length % _UNITS[unit]), "ms")
    return f"{length // _UNITS[unit]}{unit}"
