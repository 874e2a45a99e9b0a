"""A burn rate over a day as one small SVG line. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

# The picture's size in its own units, and where the line of the alert lies.
WIDTH, HEIGHT, LIMIT = 100.0, 24.0, 9.6
_TOP, _FLOOR = 1.5, 22.5
# Without an alert to compare with, the line lies where the whole budget lasts exactly one window.
_EVEN = 1.0


@dataclass(frozen=True, slots=True)
class Spark:
    """One polyline for each unbroken stretch; `label` says the same in words, `limit` is the y of the alert."""

    lines: tuple[str, ...]
    limit: float | None
    label: str
    bad: bool


def spark(burns: Sequence[float | None], factor: float | None) -> Spark | None:
    """The line through `burns`, oldest first; `None` in it is a gap. Nothing at all when all of it is a gap."""
    known = [burn for burn in burns if burn is not None]
    if not known or len(burns) < 2:
        return None
    return Spark(
        lines=tuple(" ".join(line) for line in _stretches(burns, factor or _EVEN)),
        limit=LIMIT if factor else None,
        label=_words(known, burns[-1]),
        bad=factor is not None and max(known) > factor,
    )


def height_of(burn: float, factor: float) -> float:
    """The y of a burn rate. A square root, so that 0.3× and 30× fit in one line's height; the factor is at `LIMIT`."""
    return max(_TOP, _FLOOR - sqrt(max(burn, 0.0) / factor) * (_FLOOR - LIMIT))


def _stretches(burns: Sequence[float | None], factor: float) -> list[list[str]]:
    step = WIDTH / (len(burns) - 1)
    lines: list[list[str]] = [[]]
    for place, burn in enumerate(burns):
        if burn is None:
            lines.append([])
        else:
            lines[-1].append(f"{place * step:.2f},{height_of(burn, factor):.2f}")
    return [_visible(line) for line in lines if line]


def _visible(line: list[str]) -> list[str]:
    # A line of one point draws nothing: give it a little length.
    if len(line) > 1:
        return line
    x, y = line[0].split(",")
    return [f"{max(0.0, float(x) - 0.5):.2f},{y}", f"{min(WIDTH, float(x) + 0.5):.2f},{y}"]


def _words(known: Sequence[float], last: float | None) -> str:
    now = "not measured now" if last is None else f"now {last:.1f} times"
    return f"Burn over 24 hours: at most {max(known):.1f} times, {now}"
