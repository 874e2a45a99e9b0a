"""An objective's window: rolling, or a calendar period in a time zone."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from slo.instants import floor

type Calendar = Literal["", "week", "month", "quarter"]
type Interval = tuple[datetime, datetime]

# Ledgers keep slices this long at least; later they are thinned to hours. A longer window therefore always begins
# on a full hour, so that thinning changes none.
FINE = timedelta(days=3)
HOUR = timedelta(hours=1)
NOMINAL = {"week": timedelta(days=7), "month": timedelta(days=30), "quarter": timedelta(days=90)}


@dataclass(frozen=True, slots=True)
class Window:
    """`length` is what burn rates are scaled by: of a rolling window its length, of a calendar one 7, 30 or 90 days."""

    length: timedelta
    calendar: Calendar = ""
    zone: str = "UTC"

    def start(self, at: datetime) -> datetime:
        """Where the window that ends at `at` begins."""
        if self.calendar:
            return period(self.calendar, self.zone, at)[0]
        return beginning(at, self.length)

    def span(self, at: datetime) -> timedelta:
        """The whole window: of a calendar one to the end of its period, so that a budget in time is known ahead."""
        if not self.calendar:
            return at - self.start(at)
        first, last = period(self.calendar, self.zone, at)
        return last - first


def beginning(at: datetime, length: timedelta) -> datetime:
    """Where a rolling window of `length` begins that ends at `at`; on a full hour if it is longer than `FINE`."""
    start = at - length
    return floor(start, HOUR) if length > FINE else start


def period(calendar: Calendar, zone: str, at: datetime) -> tuple[datetime, datetime]:
    """Start and end of the calendar period that holds the moment just before `at`, in the zone's own midnights.

    At midnight of the first the old period has just ended and is shown whole for one more instant.
    """
    local = (at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
    match calendar:
        case "week":
            first = local - timedelta(days=local.weekday())
            last = first + timedelta(days=7)
        case "quarter":
            month = (local.month - 1) // 3 * 3 + 1
            first = local.replace(month=month, day=1)
            last = (first.replace(day=28) + timedelta(days=3 * 31 - 24)).replace(day=1)
        case _:
            first = local.replace(day=1)
            last = (first + timedelta(days=32)).replace(day=1)
    midnights = (datetime.combine(day, time(), ZoneInfo(zone)) for day in (first, last))
    start, end = (one.astimezone(at.tzinfo) for one in midnights)
    return start, end
