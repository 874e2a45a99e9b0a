"""Rules of repetition: on the zone's clock, never endless, and refused with a sentence when they say nothing."""

from datetime import datetime, timedelta

import pytest

from slo import recurrence
from tests.make import DAY, HOUR, MINUTE, NOON

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def starts(rule: str, start: str, since: str, until: str, zone: str = "UTC", length: timedelta = HOUR) -> list[str]:
    found = recurrence.occurrences(rule, at(start), length, zone, at(since), at(until))
    assert all(end - begin == length for begin, end in found)
    return [f"{begin:%m-%d %H:%M}" for begin, _end in found]


def test_once_is_once() -> None:
    start = NOON.isoformat()
    assert starts("", start, start, (NOON + DAY).isoformat()) == ["03-02 12:00"]
    assert starts("", start, (NOON + HOUR).isoformat(), (NOON + DAY).isoformat()) == []


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("FREQ=DAILY", ["03-02 12:00", "03-03 12:00", "03-04 12:00"]),
        ("FREQ=DAILY;INTERVAL=2", ["03-02 12:00", "03-04 12:00"]),
        ("FREQ=DAILY;COUNT=2", ["03-02 12:00", "03-03 12:00"]),
        ("FREQ=DAILY;UNTIL=20260303", ["03-02 12:00", "03-03 12:00"]),
        ("FREQ=DAILY;UNTIL=20260303T115959Z", ["03-02 12:00"]),
        ("FREQ=DAILY;UNTIL=20260303T120000", ["03-02 12:00", "03-03 12:00"]),
        ("FREQ=WEEKLY;BYDAY=MO,WE", ["03-02 12:00", "03-04 12:00"]),
        ("freq=monthly;byday=1mo", ["03-02 12:00"]),
        ("RRULE:FREQ=YEARLY", ["03-02 12:00"]),
    ],
)
def test_rules_name_their_times(rule: str, found: list[str]) -> None:
    assert starts(rule, "2026-03-02T12:00Z", "2026-03-01T00:00Z", "2026-03-05T00:00Z") == found


def test_it_stays_at_the_zones_time_of_day_when_the_clocks_change() -> None:
    # On 29 March the clock in Berlin goes from 2 to 3; in UTC all that follows is an hour earlier.
    found = starts("FREQ=DAILY", "2026-03-27T23:30+01:00", "2026-03-27T00:00Z", "2026-03-31T00:00Z", BERLIN)
    assert found == ["03-27 22:30", "03-28 22:30", "03-29 21:30", "03-30 21:30"]


def test_a_time_that_the_clock_skips_is_moved_and_one_that_it_repeats_is_taken_once() -> None:
    spring = starts("FREQ=DAILY", "2026-03-28T02:30+01:00", "2026-03-28T00:00Z", "2026-03-30T12:00Z", BERLIN)
    assert spring == ["03-28 01:30", "03-29 01:30", "03-30 00:30"]
    autumn = starts("FREQ=DAILY", "2026-10-24T02:30+02:00", "2026-10-24T00:00Z", "2026-10-26T12:00Z", BERLIN)
    assert autumn == ["10-24 00:30", "10-25 00:30", "10-26 01:30"]


def test_what_began_before_and_still_lasts_is_found() -> None:
    assert starts(
        "FREQ=DAILY", "2026-03-02T23:00Z", "2026-03-04T00:30Z", "2026-03-04T02:00Z", length=timedelta(hours=2)
    ) == ["03-03 23:00"]


def test_an_old_rule_is_as_right_as_a_new_one() -> None:
    assert starts("FREQ=WEEKLY;BYDAY=SU", "2016-01-03T02:00Z", "2026-03-01T00:00Z", "2026-03-09T00:00Z") == [
        "03-01 02:00",
        "03-08 02:00",
    ]


def test_the_next_times_begin_with_the_one_that_lasts() -> None:
    found = recurrence.next_occurrences("FREQ=DAILY", NOON, HOUR, "UTC", NOON + 30 * MINUTE, 3)
    assert [begin for begin, _end in found] == [NOON, NOON + DAY, NOON + 2 * DAY]
    assert recurrence.next_occurrences("", NOON, HOUR, "UTC", NOON + HOUR) == []
    leap = recurrence.next_occurrences("FREQ=YEARLY", at("2024-02-29T00:00Z"), HOUR, "UTC", NOON, 1)
    assert leap[0][0] == at("2028-02-29T00:00Z")


def test_a_rule_can_be_ended() -> None:
    rule = recurrence.ended("FREQ=DAILY;COUNT=100", NOON + DAY)
    assert starts(rule, NOON.isoformat(), NOON.isoformat(), (NOON + 5 * DAY).isoformat()) == [
        "03-02 12:00",
        "03-03 12:00",
    ]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("FREQ=SECONDLY", "by the day, week, month or year"),
        ("FREQ=MINUTELY", "by the day, week, month or year"),
        ("every sunday", "by the day, week, month or year"),
        ("FREQ=DAILY;BYSECOND=1,2", "BYSECOND cannot stand in a rule"),
        ("FREQ=DAILY;;COUNT=1", "An empty part"),
        ("FREQ=DAILY;INTERVAL=0", "Every 0 days is never"),
        ("FREQ=DAILY;INTERVAL=x", "not a rule that can be read"),
        ("FREQ=DAILY;COUNT=0", "not a rule that can be read"),
        ("FREQ=WEEKLY;BYDAY=XX", "not a rule that can be read"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL=TOMORROW is not a time"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "names no day at all"),
        ("FREQ=DAILY;UNTIL=20200101", "names no day at all"),
        ("FREQ=WEEKLY;BYDAY=SU", "Begin on Sunday 8 March 2026, 12:00"),
    ],
)
def test_a_rule_that_says_nothing_is_refused_with_what_to_write(rule: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        recurrence.check(rule, NOON, "UTC")


@pytest.mark.parametrize("rule", ["FREQ=DAILY", "FREQ=MONTHLY;BYDAY=1MO", "FREQ=WEEKLY;BYDAY=MO;COUNT=3"])
def test_a_rule_that_names_its_first_time_is_good(rule: str) -> None:
    recurrence.check(rule, NOON, "UTC")
