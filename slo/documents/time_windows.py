"""OpenSLO's time windows: rolling, or aligned to the calendar of a time zone."""

from datetime import date
from zoneinfo import ZoneInfo, available_timezones

from slo.documents import durations
from slo.documents.tree import Value
from slo.periods import NOMINAL, Calendar, Window

# A Monday, the first of a month, of a quarter and of a year: where calendar windows may begin to count.
ALIGNED = "2024-01-01 00:00:00"
CALENDARS: dict[str, Calendar] = {
    "1w": "week",
    "7d": "week",
    "1M": "month",
    "1Q": "quarter",
    "3M": "quarter",
}
WRITTEN: dict[Calendar, str] = {"week": "1w", "month": "1M", "quarter": "1Q"}


def read(value: Value) -> Window:
    """The window of `spec.timeWindow`, a list of one. Raises `DocumentError`."""
    windows = value.items()
    if len(windows) != 1:
        raise value.error("One time window is needed, such as a duration of 30d with isRolling: true.")
    window = windows[0]
    if window["isRolling"].flag(default=not window["calendar"]):
        return Window(window["duration"].read(durations.parse))
    return _calendar(window)


def write(window: Window) -> dict[str, object]:
    if not window.calendar:
        return {"duration": durations.text(window.length), "isRolling": True}
    return {
        "duration": WRITTEN[window.calendar],
        "isRolling": False,
        "calendar": {"startTime": ALIGNED, "timeZone": window.zone},
    }


def _calendar(window: Value) -> Window:
    duration, start = window["duration"], window["calendar.startTime"]
    calendar = CALENDARS.get(duration.text())
    if calendar is None:
        raise duration.error("Calendar windows are a week (1w), a month (1M) or a quarter (1Q).")
    _check_start(start, calendar)
    zone = window["calendar.timeZone"]
    name = zone.text("UTC")
    if name not in available_timezones():
        raise zone.error(f"There is no time zone {name!r}. Write one such as Europe/Berlin.")
    return Window(NOMINAL[calendar], calendar, ZoneInfo(name).key)


def _check_start(start: Value, calendar: Calendar) -> None:
    """Periods begin at midnight, weeks on a Monday, months and quarters on their first day."""
    text = start.text(ALIGNED)
    day, _, time = text.replace("T", " ").partition(" ")
    try:
        first = date.fromisoformat(day)
    except ValueError:
        raise start.error(f"{text!r} is no time. Write it as {ALIGNED}.") from None
    begins = {
        "week": first.weekday() == 0,
        "month": first.day == 1,
        "quarter": first.day == 1 and first.month % 3 == 1,
    }
    if not begins[calendar] or time.strip("0:.Z"):
        raise start.error(
            "Fireline's weeks begin on Monday at midnight, its months and quarters on their first day. "
            "Let the window start there."
        )
