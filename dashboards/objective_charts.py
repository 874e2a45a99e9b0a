"""Pictures of an objective: what `<fl-chart>` draws, and the drawn line of a preview. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

# The picture's own units; the page stretches it.
WIDTH, HEIGHT = 1000, 200
GRID = 4

# A chart before the first measurement.
NOTHING: dict[str, Any] = {"as_of": None, "columns": [[], []]}

type Points = Sequence[tuple[datetime, float | None]]


def columns(times: Iterable[datetime], lines: Sequence[Sequence[float | None]]) -> list[list[float | int | None]]:
    return [[round(at.timestamp()) for at in times], *(list(line) for line in lines)]


def budget(points: Points, as_of: datetime | None) -> dict[str, Any]:
    """The share of the budget that was left, as `<fl-chart>` draws it; below 0 it is overspent."""
    return {
        "as_of": as_of.isoformat() if as_of else None,
        "columns": columns((at for at, _ in points), [[left for _, left in points]]),
        "series": [{"label": "budget left", "class": "l-main", "fill": True}],
        "limit": 0,
        "limit_label": "nothing left",
    }


def burns(lines: Sequence[tuple[timedelta, str, Points]], as_of: datetime | None, limit: Decimal) -> dict[str, Any]:
    """The burn rate over each window, with its name; `limit` is the factor of the tier that fires first."""
    looks = ("l-main", "s3", "s5", "s2")
    times = [at for at, _ in lines[0][2]] if lines else []
    return {
        "as_of": as_of.isoformat() if as_of else None,
        "columns": columns(times, [[value for _, value in points] for _, _, points in lines]),
        "series": [
            {"label": name, "class": looks[place % len(looks)], "fill": False}
            for place, (_, name, _) in enumerate(lines)
        ],
        "limit": float(limit) if limit else None,
        "limit_label": "pages above",
    }


def ground(start: datetime, end: datetime, label: str = "maintenance") -> dict[str, Any]:
    """A stretch of a chart that is shaded, and says what it is."""
    return {"from": round(start.timestamp()), "to": round(end.timestamp()), "label": label}


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid: where it is, 0…1 from the top, and the share it stands for."""

    place: float
    value: float


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that was not measured, 0…1 from the left."""

    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A line over time as SVG attributes."""

    start: datetime
    end: datetime
    # One polyline for each stretch without a gap, and the area below it.
    lines: tuple[str, ...]
    areas: tuple[str, ...]
    gaps: tuple[Gap, ...]
    ticks: tuple[Tick, ...]
    days: tuple[tuple[float, datetime], ...]

    @property
    def date_format(self) -> str:
        """How the template prints the ends of the line: by day, or by hour when it is short."""
        return "j M" if self.end - self.start > timedelta(days=3) else "H:i"


def picture(points: Points, step: timedelta, gaps: Sequence[tuple[datetime, datetime]]) -> Picture | None:
    """The line of a preview; `None` when nothing was measured. Everything is clamped to the lowest line shown."""
    known = [value for _, value in points if value is not None]
    if not known:
        return None
    start, end = points[0][0] - step, points[-1][0]
    bottom = lowest(min(known))
    drawn = [_polyline(run, start, end, bottom) for run in _runs(points)]
    return Picture(
        start,
        end,
        tuple(" ".join(f"{x:g},{y:g}" for x, y in line) for line in drawn),
        tuple(_area(line) for line in drawn),
        tuple(
            Gap(_place(since, start, end), _place(until, start, end) - _place(since, start, end))
            for since, until in gaps
        ),
        tuple(Tick(part / GRID, 1 - part / GRID * (1 - bottom)) for part in range(GRID + 1)),
        tuple((part / 3, start + (end - start) * part / 3) for part in range(4)),
    )


def lowest(value: float) -> float:
    """The lower end of the scale, for a line that begins at 1: 0, or a round number below an overspent budget."""
    if value >= 0:
        return 0.0
    size = 1.0
    while size < -value and size < 1e9:
        size *= 2
    # A quarter of the height is a round number: of 2, 4, 8 … wholes.
    return 1.0 - 2 * size if size > 1 else -1.0


def unmeasured(slices: Iterable[tuple[datetime, datetime, bool]]) -> list[tuple[datetime, datetime]]:
    """The stretches in which nothing was measured, from slices in order: start, end, whether measured."""
    stretches = []
    for measured, run in groupby(slices, key=lambda one: one[2]):
        if not measured:
            held = list(run)
            stretches.append((held[0][0], held[-1][1]))
    return stretches


def _runs(points: Points) -> list[list[tuple[datetime, float]]]:
    runs: list[list[tuple[datetime, float]]] = [[]]
    for at, value in points:
        if value is not None:
            runs[-1].append((at, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _polyline(
    run: Sequence[tuple[datetime, float]], start: datetime, end: datetime, bottom: float
) -> list[tuple[float, float]]:
    dots = [
        (round(_place(at, start, end) * WIDTH, 2), round((1 - max(bottom, min(1.0, value))) / (1 - bottom) * HEIGHT, 2))
        for at, value in run
    ]
    # A single measurement is a dot: drawn as a short line.
    return dots if len(dots) > 1 else [dots[0], (dots[0][0] + 2, dots[0][1])]


def _area(line: Sequence[tuple[float, float]]) -> str:
    edge = " ".join(f"{x:g},{y:g}" for x, y in line)
    return f"{line[0][0]:g},{HEIGHT} {edge} {line[-1][0]:g},{HEIGHT}"


def _place(at: datetime, start: datetime, end: datetime) -> float:
    return min(1.0, max(0.0, (at - start) / (end - start))) if end > start else 0.0


def burn_down(stretches: Sequence[tuple[datetime, float, bool]], allowed: float) -> list[tuple[datetime, float | None]]:
    """The share of the window's whole budget that was left at each instant: from 1 down to what is left now.

    `stretches` are the bad events of each, in order, with its end and whether any of it was measured; `allowed` is
    how many the whole window allows.
    """
    points: list[tuple[datetime, float | None]] = []
    bad = 0.0
    for at, more, measured in stretches:
        bad += more
        points.append((at, (1 - bad / allowed if allowed else 1.0) if measured else None))
    return points
