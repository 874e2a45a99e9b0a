"""When something takes place that repeats by a rule (RFC 5545) at a time of day in a time zone."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from slo.periods import Interval

_FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS = (
    *("FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"),
    *("BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS", "BYHOUR"),
)
# A rule that names no day within these will name none later: 29 February comes after eight years at most.
_HORIZON = timedelta(days=9 * 366)
_DAY = timedelta(days=1)
_EXAMPLE = "Write it like FREQ=WEEKLY;BYDAY=SU or FREQ=MONTHLY;BYDAY=1SA;COUNT=12."


def check(rule: str, start: datetime, zone: str) -> None:
    """Raises `ValueError`, with a sentence that says what to write instead, unless `rule` repeats from `start` on."""
    local = _local(start, zone)
    first = next(_times(rule, zone, local, local + _HORIZON), None)
    if first is None:
        raise ValueError("The rule names no day at all. Check its days and months, and that it does not end too early.")
    if first != local:
        raise ValueError(
            f"The rule does not name {local:%A %-d %B %Y, %H:%M}, when it begins. Begin on"
            f" {first:%A %-d %B %Y, %H:%M}, which is the first time that it names, or change the rule."
        )


def occurrences(
    rule: str, start: datetime, length: timedelta, zone: str, since: datetime, until: datetime
) -> list[Interval]:
    """What takes place for any time between `since` and `until`, in order. Without a rule it takes place once.

    It begins at the zone's time of day whatever the season; a time that the clock skips is moved by as much as it
    does. `length` is time that passes, every time the same.
    """
    if not rule:
        starts: Sequence[datetime] = [start]
    else:
        # Whole days, so that one answer serves the many questions of a day.
        starts = _starts(rule, start, zone, max(2, (until - start) // _DAY + 2) * _DAY)
    return [(begin, begin + length) for begin in starts if begin < until and begin + length > since]


def next_occurrences(
    rule: str, start: datetime, length: timedelta, zone: str, after: datetime, count: int = 5
) -> list[Interval]:
    """The next `count` that end after `after`: the first may have begun."""
    if not rule:
        return [(start, start + length)] if start + length > after else []
    local = _local(start, zone)
    begins = (_instant(at, zone) for at in _times(rule, zone, local, max(local, _local(after, zone)) + _HORIZON))
    return list(islice(((begin, begin + length) for begin in begins if begin + length > after), count))


def ended(rule: str, last: datetime) -> str:
    """The same rule, for which nothing begins after `last`."""
    parts = [part for part in rule.split(";") if not part.upper().startswith(("UNTIL=", "COUNT="))]
    return ";".join([*parts, f"UNTIL={last.astimezone(UTC):%Y%m%dT%H%M%SZ}"])


@lru_cache(maxsize=2048)
def _starts(rule: str, start: datetime, zone: str, length: timedelta) -> Sequence[datetime]:
    local = _local(start, zone)
    return [_instant(at, zone) for at in _times(rule, zone, local, local + length)]


def _times(rule: str, zone: str, first: datetime, until: datetime) -> Iterator[datetime]:
    """The zone's times of day that the rule names, without the zone. Raises `ValueError` for what is no rule.

    The bound keeps a rule that names no day from searching forever; a rule must not have it beside a count.
    """
    parts = _parts(rule)
    count, ends = parts.pop("COUNT", ""), parts.pop("UNTIL", "")
    last = min(until, _until(ends, zone)) if ends else until
    text = ";".join(f"{name}={value}" for name, value in parts.items())
    try:
        found = rrulestr(text, dtstart=first)
        most = int(count) if count else None
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(f"{rule} is not a rule that can be read ({error}). {_EXAMPLE}") from error
    if not isinstance(found, rrule) or (most is not None and most < 1):
        raise ValueError(f"{rule} is not a rule that can be read. {_EXAMPLE}")
    return islice(iter(found.replace(until=last)), most)


def _parts(rule: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in rule.strip().rstrip(";").removeprefix("RRULE:").split(";")]
    parts = {name.strip().upper(): value.strip().upper() for name, _, value in pairs}
    if parts.get("FREQ") not in _FREQUENCIES:
        raise ValueError(f"A rule repeats by the day, week, month or year. {_EXAMPLE}")
    for name, value in parts.items():
        if name not in _PARTS or not value:
            raise ValueError(f"{name or 'An empty part'} cannot stand in a rule here. {_EXAMPLE}")
    if parts.get("INTERVAL", "1").lstrip("0") == "":
        raise ValueError(f"Every 0 days is never. {_EXAMPLE}")
    return parts


def _until(text: str, zone: str) -> datetime:
    """The last moment that `UNTIL` allows, on the zone's clock: a day, a local time, or one in UTC with a Z."""
    for form in ("%Y%m%d", "%Y%m%dT%H%M%S", "%Y%m%dT%H%M%SZ"):
        try:
            found = datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
        if form.endswith("Z"):
            return _local(found, zone)
        found = found.replace(tzinfo=None)
        return found + _DAY - timedelta(seconds=1) if form == "%Y%m%d" else found
    raise ValueError(f"UNTIL={text} is not a time: write UNTIL=20260401 or UNTIL=20260401T120000Z.")


def _local(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def _instant(local: datetime, zone: str) -> datetime:
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
