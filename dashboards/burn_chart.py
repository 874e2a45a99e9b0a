"""The data of an incident's burn chart: both windows of a tier around the onset, on a log scale, with what happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboards.templatetags.fireline import burn, span_of

# What is shown before the onset and after the end.
BEFORE = timedelta(minutes=30)
AFTER = timedelta(minutes=10)
POINTS = 180
MOST_MARKS = 8
LONGEST_LABEL = 28
# Where a burn of nothing is drawn.
FLOOR = 0.1

type Points = Sequence[tuple[datetime, float | None]]


@dataclass(frozen=True, slots=True)
class Mark:
    at: datetime
    label: str
    tone: str = ""


def frame(
    onset: datetime, resolved: datetime | None, measured: datetime, short: timedelta
) -> tuple[datetime, datetime]:
    """From when to when: enough calm before the onset to see the rise, and until the last measurement or the end."""
    end = min(measured, resolved + max(AFTER, short * 2)) if resolved else measured
    start = onset - max(BEFORE, short)
    return start, max(end, onset + timedelta(minutes=1))


def data(
    long: Points,
    short: Points,
    lengths: tuple[timedelta, timedelta],
    factor: float,
    severity: str,
    marks: Sequence[Mark],
    bounds: tuple[datetime, datetime],
    as_of: datetime,
) -> dict[str, Any]:
    """What `<fl-chart>` draws; both series stand at the same instants, `None` where nothing was measured."""
    start, end = bounds
    shown = sorted((mark for mark in marks if start <= mark.at <= end), key=lambda mark: mark.at)
    return {
        "as_of": as_of.isoformat(),
        "columns": [
            [round(at.timestamp()) for at, _ in long],
            [value for _, value in short],
            [value for _, value in long],
        ],
        "series": [
            {"label": span_of(lengths[1]), "class": "l-bad"},
            {"label": span_of(lengths[0]), "class": "l-main"},
        ],
        "marks": [
            {"at": round(mark.at.timestamp()), "label": mark.label[:LONGEST_LABEL], "tone": mark.tone}
            for mark in shown[:MOST_MARKS]
        ],
        "limit": factor,
        "limit_label": f"{severity} at {burn(factor)}",
        "log": True,
        "floor": FLOOR,
        "from": round(start.timestamp()),
        "to": round(end.timestamp()),
    }
