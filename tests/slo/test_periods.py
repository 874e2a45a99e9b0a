"""Where windows begin: rolling ones at a length's distance, calendar ones at a midnight of their zone."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.periods import FINE, NOMINAL, Calendar, Window, beginning, period
from tests.make import DAY, HOUR, MINUTE, NOON

BERLIN = "Europe/Berlin"
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
zones = st.sampled_from(["UTC", BERLIN, "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe"])
calendars: st.SearchStrategy[Calendar] = st.sampled_from(["week", "month", "quarter"])


def span(calendar: Calendar, zone: str, at: str) -> list[str]:
    return [f"{edge:%Y-%m-%d %H:%M}" for edge in period(calendar, zone, datetime.fromisoformat(at))]


@pytest.mark.parametrize(
    ("calendar", "zone", "at", "found"),
    [
        ("week", "UTC", "2026-03-04T10:00Z", ["2026-03-02 00:00", "2026-03-09 00:00"]),
        ("month", "UTC", "2024-02-29T10:00Z", ["2024-02-01 00:00", "2024-03-01 00:00"]),
        ("month", "UTC", "2026-12-31T23:59Z", ["2026-12-01 00:00", "2027-01-01 00:00"]),
        ("quarter", "UTC", "2026-03-04T10:00Z", ["2026-01-01 00:00", "2026-04-01 00:00"]),
        ("quarter", "UTC", "2026-11-30T10:00Z", ["2026-10-01 00:00", "2027-01-01 00:00"]),
        # The clock changes within it, so the month has an hour less.
        ("month", BERLIN, "2026-03-04T10:00Z", ["2026-02-28 23:00", "2026-03-31 22:00"]),
        # Still February in New York.
        ("month", "America/New_York", "2026-03-01T04:00Z", ["2026-02-01 05:00", "2026-03-01 05:00"]),
    ],
)
def test_a_calendar_period_is_that_of_the_zone(calendar: Calendar, zone: str, at: str, found: list[str]) -> None:
    assert span(calendar, zone, at) == found


def test_at_its_last_midnight_a_period_is_shown_whole_once_more() -> None:
    assert span("month", "UTC", "2026-03-01T00:00Z") == ["2026-02-01 00:00", "2026-03-01 00:00"]


@given(moments, calendars, zones)
def test_every_moment_lies_in_one_period_and_periods_follow_each_other(
    at: datetime, calendar: Calendar, zone: str
) -> None:
    start, end = period(calendar, zone, at)
    assert start < at <= end
    assert period(calendar, zone, end) == (start, end)
    assert period(calendar, zone, start)[1] == start
    assert period(calendar, zone, end + MINUTE)[0] == end
    assert abs((end - start) - NOMINAL[calendar]) <= timedelta(days=2, hours=2)


@given(moments, st.integers(1, 365 * 24).map(lambda hours: hours * HOUR))
def test_a_long_window_begins_on_a_full_hour_and_is_never_too_short(at: datetime, length: timedelta) -> None:
    start = beginning(at, length)
    assert length <= at - start < length + HOUR
    if length > FINE:
        assert (start.minute, start.second, start.microsecond) == (0, 0, 0)
    else:
        assert at - start == length


def test_the_span_of_a_calendar_window_is_known_ahead() -> None:
    assert Window(30 * DAY, "month", BERLIN).span(NOON) == 31 * DAY - HOUR
    assert Window(30 * DAY).span(NOON) == 30 * DAY
