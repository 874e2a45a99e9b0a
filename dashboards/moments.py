"""Times as people type them: a date and a time of day in a named zone, as `<input type="datetime-local">` sends it."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones


def read(text: str, zone: str) -> datetime:
    """The instant, in UTC. Raises `ValueError` with a sentence for whoever typed it."""
    try:
        typed = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"“{text[:40]}” is not a date and time. Write it like 2026-03-02 14:03.") from None
    # The zone, too, is refused when it is unknown.
    where = zone_of(zone)
    try:
        return (typed if typed.tzinfo else typed.replace(tzinfo=where)).astimezone(UTC)
    except OverflowError:
        raise ValueError(f"“{text[:40]}” lies too far away. Write it like 2026-03-02 14:03.") from None


def zone_of(name: str) -> ZoneInfo:
    """Raises `ValueError` with a sentence for whoever typed it."""
    if name not in available_timezones():
        raise ValueError(f"“{name[:60]}” is not a time zone. Write it like Europe/Berlin, or UTC.")
    return ZoneInfo(name)


def written(at: datetime, zone: str) -> str:
    """The value of an input that shows this instant."""
    local = at.astimezone(zone_of(zone))
    return f"{local:%Y-%m-%dT%H:%M:%S}" if local.second else f"{local:%Y-%m-%dT%H:%M}"
