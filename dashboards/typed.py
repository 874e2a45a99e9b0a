"""What people type into the objective's form, and what it means: percentages, lengths, limits, labels."""

import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from slo.tiers import SHARE_PLACES

LONGEST_WINDOW = timedelta(days=366)
_TARGET_PLACES = 9
# Of a percentage, as many as are kept.
_SHARE_PLACES = SHARE_PLACES - 2
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]+)\s*")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_SPELT = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("week", "weeks"), "w"),
    **dict.fromkeys(("year", "years"), "y"),
}


class Unreadable(ValueError):
    """What was typed means nothing; the message says what is expected."""


def target(text: str, of: str = "target") -> Decimal:
    """A target as a ratio, from percent with up to nine decimals. Raises `Unreadable`."""
    percent = number(text, f"Enter the {of} as a percentage, such as 99.9.")
    if percent <= 0:
        raise Unreadable(f"A {of} of 0 % or less would allow every request to fail. Choose one above 0 %.")
    if percent >= 100:
        raise Unreadable(
            f"A {of} of 100 % leaves no budget: the first bad request would break it. Choose one below, such as 99.99."
        )
    if places(percent) > _TARGET_PLACES:
        raise Unreadable(f"A {of} has at most {_TARGET_PLACES} decimals.")
    return percent / 100


def share(text: str) -> Decimal:
    """A share of the budget as a ratio, from percent. Raises `Unreadable`."""
    percent = number(text, "Enter the share of the budget as a percentage, such as 2.")
    if not 0 < percent <= 100:
        raise Unreadable("The share of the budget is above 0 % and at most 100 %.")
    if places(percent) > _SHARE_PLACES:
        raise Unreadable(f"The share of the budget has at most {_SHARE_PLACES} decimals.")
    return percent / 100


def confidence(text: str) -> Decimal:
    """A one-sided confidence as a ratio, from percent. Raises `Unreadable`."""
    percent = number(text, "Enter the confidence as a percentage, such as 95.")
    if not 50 <= percent < 100 or places(percent) > 1:
        raise Unreadable("The confidence is at least 50 % and below 100 %, with at most one decimal.")
    return percent / 100


def seconds(text: str) -> timedelta:
    """A window as a select sends it, in whole seconds. Raises `Unreadable`."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text[:9]) <= LONGEST_WINDOW.total_seconds():
        raise Unreadable("Choose a window from the list.")
    return timedelta(seconds=int(text[:9]))


def length(text: str) -> timedelta:
    """A length with its units: 30d, 12 h, 1 h 30 min, 4 weeks. Raises `Unreadable`."""
    rest, found = text.strip().lower().replace("\N{NO-BREAK SPACE}", " "), timedelta(0)
    if not rest.isascii() or len(rest) > 40:
        raise Unreadable(_LENGTH)
    try:
        while rest:
            part = _PART.match(rest)
            unit = _UNITS.get(_SPELT.get(part[2], part[2])) if part else None
            if part is None or unit is None:
                raise Unreadable(_LENGTH)
            found += float(part[1].replace(",", ".")) * unit
            rest = rest[part.end() :]
    except OverflowError:
        raise Unreadable("This is longer than anything Fireline can measure.") from None
    if found <= timedelta(0):
        raise Unreadable(_LENGTH)
    return found


_LENGTH = "Write a length with its unit, such as 30 d, 12 h or 1 h 30 min."


def limit(text: str) -> Decimal:
    """A latency limit in seconds. Raises `Unreadable`."""
    found = number(text, "Enter the limit in seconds, such as 0.25: the end of a bucket that good requests are in.")
    if not 0 < found < 100_000 or places(found) > 6:
        raise Unreadable("The limit is above 0 s, with at most six decimals.")
    return found


def level(text: str) -> Decimal:
    """What a gauge is compared with: any number. Raises `Unreadable`."""
    found = number(text, "Enter the number that the value is compared with, such as 0.8.")
    if abs(found) >= 10**15 or places(found) > 9:
        raise Unreadable("The number has at most 15 digits before the point and nine after it.")
    return found


def whole(text: str, most: int, expected: str) -> int:
    """A whole number from 1 to `most`. Raises `Unreadable` with what is `expected`."""
    cleaned = text.strip()
    if not cleaned.isascii() or not cleaned.isdecimal() or not 1 <= int(cleaned[:9]) <= most:
        raise Unreadable(expected)
    return int(cleaned)


def labels(text: str) -> tuple[str, ...]:
    """Names of labels, apart by commas or spaces; each once. Raises `Unreadable`."""
    found = tuple(dict.fromkeys(text.replace(",", " ").split()))
    wrong = next((name for name in found if not _LABEL.fullmatch(name) or len(name) > 100), None)
    if wrong is not None:
        raise Unreadable(f"“{wrong[:40]}” is no name of a label. Write names such as region, tenant.")
    if len(found) > 5:
        raise Unreadable("Group by at most five labels: each set of their values has a budget of its own.")
    return found


def zone(text: str) -> str:
    """The name of a time zone; UTC if nothing was typed. Raises `Unreadable`."""
    name = text.strip() or "UTC"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Unreadable(f"There is no time zone {name[:60]}. Write one like Europe/Berlin, or UTC.") from None
    return name


def number(text: str, expected: str) -> Decimal:
    """A plain decimal number, with a point or a comma. Raises `Unreadable` with what is `expected`."""
    cleaned = "".join(text.split()).removesuffix("%").replace(",", ".", 1)
    if not cleaned.isascii() or len(cleaned) > 24 or "e" in cleaned.lower():
        raise Unreadable(expected)
    try:
        found = Decimal(cleaned)
    except InvalidOperation:
        raise Unreadable(expected) from None
    if not found.is_finite():
        raise Unreadable(expected)
    return found


def places(found: Decimal) -> int:
    """How many decimals it has."""
    exponent = found.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


# -- As people type it
def plain(found: Decimal) -> str:
    """99.9, not 99.90000 and not 9.99E+1."""
    return f"{found.normalize():f}"


def written(found: timedelta) -> str:
    """A length as it would be typed: 30 d, 1 h 30 min."""
    parts, rest = [], found
    for unit, word in (("d", "d"), ("h", "h"), ("m", "min"), ("s", "s")):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count} {word}")
    return " ".join(parts)


def in_seconds(found: timedelta) -> str:
    return str(found // timedelta(seconds=1))


def choices(usual: Sequence[timedelta], current: str) -> list[tuple[str, timedelta]]:
    """What a select offers: the usual windows, and the current one when it is unusual."""
    offered = set(usual)
    if current.isascii() and current.isdecimal() and len(current) < 9:
        offered.add(timedelta(seconds=int(current)))
    return [(in_seconds(one), one) for one in sorted(offered) if one]
