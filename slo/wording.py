"""How numbers of the engine are written in sentences: plain, short, units joined by no-break spaces."""

from datetime import timedelta
from decimal import Decimal

NBSP = "\N{NO-BREAK SPACE}"
NARROW = "\N{NARROW NO-BREAK SPACE}"
_UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("min", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)


def duration(length: timedelta) -> str:
    """`5 min`, `1 h 20 min`, `24 h`, `3 d`: the two largest units that are not zero, hours up to two days."""
    parts: list[str] = []
    rest = length
    for unit, size in _UNITS if length >= timedelta(days=2) else _UNITS[1:]:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{NBSP}{unit}")
    return NBSP.join(parts[:2]) or f"{length / timedelta(seconds=1):g}{NBSP}s"


def plain(number: float | Decimal, digits: int = 3) -> str:
    """At most `digits` significant digits, whole numbers in full, no exponent: `14.4`, `0.0034`, `1,250`."""
    value = Decimal(str(number))
    if not value:
        return "0"
    places = max(0, digits - 1 - value.adjusted())
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def burn(rate: float | Decimal, against: Decimal | None = None) -> str:
    """`14.4×`; with more digits when it would otherwise look equal to the factor it is held `against`."""
    texts = [plain(rate, digits) for digits in range(3, 8)]
    if against is None or against == Decimal(str(rate)):
        return f"{texts[0]}×"
    return f"{next((text for text in texts if text != plain(against)), texts[-1])}×"


def percent(ratio: float | Decimal, digits: int = 3) -> str:
    return f"{plain(Decimal(str(ratio)) * 100, digits)}{NARROW}%"


def exact_percent(ratio: Decimal) -> str:
    """All digits of a target: `99.95 %`, `99.999999999 %`."""
    return f"{(ratio * 100).normalize():f}{NARROW}%"
