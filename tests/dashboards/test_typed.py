"""What is typed into the objective's form, and what it means."""

from datetime import timedelta
from decimal import Decimal

import pytest

from dashboards import typed
from dashboards.objective_rows import LONGS
from dashboards.typed import Unreadable
from tests.make import DAY, HOUR, MINUTE


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("99.9", "0.999"),
        (" 99.95 % ", "0.9995"),
        ("99,9", "0.999"),
        ("99.999999999", "0.99999999999"),
        ("0.000000001", "0.00000000001"),
        ("50", "0.5"),
    ],
)
def test_a_target_is_exactly_what_was_typed(text: str, ratio: str) -> None:
    assert typed.target(text) == Decimal(ratio)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0", "above 0"),
        ("-1", "above 0"),
        ("100", "leaves no budget"),
        ("100.0000", "leaves no budget"),
        ("250", "leaves no budget"),
        ("99.9999999999", "at most 9 decimals"),
        ("", "such as 99.9"),
        ("three nines", "such as 99.9"),
        ("NaN", "such as 99.9"),
        ("1e1", "such as 99.9"),
        ("٩٩", "such as 99.9"),
        ("9" * 40, "such as 99.9"),
    ],
)
def test_a_target_that_makes_no_sense_is_refused_with_a_sentence(text: str, says: str) -> None:
    with pytest.raises(Unreadable, match=says):
        typed.target(text)


@pytest.mark.parametrize("text", ["", "-60", "60.5", "0", "garbage", "9" * 30, str(367 * 86_400)])
def test_a_window_comes_from_the_list(text: str) -> None:
    with pytest.raises(Unreadable, match="from the list"):
        typed.seconds(text)


@pytest.mark.parametrize("text", ["", "0", "-1", "0.0000001", "100000", "soon"])
def test_a_limit_is_some_seconds(text: str) -> None:
    with pytest.raises(Unreadable):
        typed.limit(text)


def test_an_unusual_window_stays_in_the_list() -> None:
    lengths = [length for _, length in typed.choices(LONGS, "18000")]
    assert timedelta(hours=5) in lengths
    assert lengths == sorted(lengths)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30d", 30 * DAY),
        ("30 d", 30 * DAY),
        ("30 days", 30 * DAY),
        ("4w", 28 * DAY),
        ("1 y", 365 * DAY),
        ("1 h 30 min", 90 * MINUTE),
        ("90m", 90 * MINUTE),
        ("1.5 hours", 90 * MINUTE),
        ("1\u00a0h", HOUR),
    ],
)
def test_a_length_is_written_as_people_write_it(text: str, length: timedelta) -> None:
    assert typed.length(text) == length


@pytest.mark.parametrize("text", ["", "30", "d", "0 d", "-1 h", "1 month", "1 h and a half", "٣ d", "9" * 50 + " d"])
def test_a_length_without_a_unit_or_a_sense_is_refused(text: str) -> None:
    with pytest.raises(Unreadable, match="with its unit"):
        typed.length(text)


def test_a_length_beyond_all_calendars_is_refused() -> None:
    with pytest.raises(Unreadable, match="longer than anything"):
        typed.length("9" * 30 + " y")


@pytest.mark.parametrize("length", [MINUTE, 90 * MINUTE, 30 * DAY, DAY + HOUR + MINUTE + timedelta(seconds=1)])
def test_a_length_that_was_stored_can_be_typed_again(length: timedelta) -> None:
    assert typed.length(typed.written(length)) == length


@pytest.mark.parametrize(("text", "level"), [("0.8", "0.8"), ("-3", "-3"), ("1,5", "1.5"), ("0", "0")])
def test_a_gauge_is_compared_with_any_number(text: str, level: str) -> None:
    assert typed.level(text) == Decimal(level)


@pytest.mark.parametrize("text", ["", "high", "1" + "0" * 15, "0.0000000001"])
def test_a_level_that_cannot_be_kept_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        typed.level(text)


@pytest.mark.parametrize("text", ["", "49", "100", "95.55", "sure"])
def test_a_confidence_is_at_least_an_even_chance_and_never_certainty(text: str) -> None:
    with pytest.raises(Unreadable):
        typed.confidence(text)


def test_labels_are_apart_by_commas_or_spaces_and_named_once() -> None:
    assert typed.labels(" region,tenant region ") == ("region", "tenant")
    assert typed.labels("") == ()


@pytest.mark.parametrize("text", ["a-b", "1a", "a=b", "ä", "x" * 101, "a b c d e f"])
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        typed.labels(text)


def test_no_time_zone_is_utc_and_an_unknown_one_is_refused() -> None:
    assert typed.zone(" ") == "UTC"
    assert typed.zone("Europe/Berlin") == "Europe/Berlin"
    with pytest.raises(Unreadable, match="no time zone Mars"):
        typed.zone("Mars/Base")


@pytest.mark.parametrize("text", ["", "0", "2.5", "-1", "1001", "two"])
def test_a_whole_number_is_one_within_its_bounds(text: str) -> None:
    with pytest.raises(Unreadable, match="expected"):
        typed.whole(text, 1000, "expected")
