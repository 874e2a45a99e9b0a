"""How numbers, durations, times and bars are printed."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dashboards.templatetags import fireline as tags

NB, NNB = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.512, f"51.2{NNB}%"),
        (1, f"100.0{NNB}%"),
        (0, f"0.0{NNB}%"),
        (0.9999, f"99.9{NNB}%"),
        (0.0002, f"<{NB}0.1{NNB}%"),
        (-0.35, f"−35.0{NNB}%"),
        (-49.0, f"−4,900{NNB}%"),
        (Decimal("0.25"), f"25.0{NNB}%"),
        (None, "–"),
    ],
)
def test_a_ratio_is_a_percentage_that_never_rounds_to_all_or_nothing(value: float | None, printed: str) -> None:
    assert tags.ratio(value) == printed


@pytest.mark.parametrize(
    ("value", "printed"), [("0.9995", "99.95"), ("0.999999999", "99.9999999"), ("0.5", "50"), ("0.900", "90")]
)
def test_a_target_keeps_all_its_digits(value: str, printed: str) -> None:
    assert tags.target(Decimal(value)) == f"{printed}{NNB}%"


@pytest.mark.parametrize(("value", "printed"), [(2376.0, "2,376"), (0.4, "0.4"), (0, "0"), (12.6, "13"), (None, "–")])
def test_a_count_is_whole_unless_it_is_small(value: float | None, printed: str) -> None:
    assert tags.count(value) == printed


@pytest.mark.parametrize(
    ("value", "printed"), [(33.21, "33.2×"), (1, "1×"), (0, "0×"), (0.01, f"<{NB}0.1×"), (1234, "1,234×"), (None, "–")]
)
def test_a_burn_rate_is_a_factor(value: float | None, printed: str) -> None:
    assert tags.burn(value) == printed


@pytest.mark.parametrize(
    ("seconds", "printed"),
    [
        (0, "0 s"),
        (0.0004, "0.4 ms"),
        (0.4, "400 ms"),
        (4.13, "4.1 s"),
        (52, "52 s"),
        (2592, "43 min 12 s"),
        (3600, "1 h"),
        (8100, "2 h 15 min"),
        (165600, "1 d 22 h"),
        (-90, "−1 min 30 s"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, printed: str) -> None:
    assert tags.duration(timedelta(seconds=seconds)) == printed.replace(" ", NB)
    assert tags.duration(seconds) == printed.replace(" ", NB)


@pytest.mark.parametrize(
    ("window", "printed"),
    [
        (timedelta(minutes=5), "5 m"),
        (timedelta(hours=1), "1 h"),
        (timedelta(days=30), "30 d"),
        (timedelta(hours=36), "36 h"),
    ],
)
def test_a_window_is_named_by_its_largest_whole_unit(window: timedelta, printed: str) -> None:
    assert tags.span_of(window) == printed.replace(" ", NB)


def test_a_time_carries_utc_for_machines_people_and_the_script() -> None:
    at = datetime(2026, 11, 19, 14, 3, 11, tzinfo=UTC)
    assert tags.clock(at) == (
        '<time datetime="2026-11-19T14:03:11Z" title="19 Nov 2026, 14:03:11 UTC" data-local="clock">14:03:11 UTC</time>'
    )
    assert "19 Nov" in tags.moment(at)
    assert tags.clock(None) == "–"


def test_how_long_ago_is_told_in_whole_minutes() -> None:
    at = datetime(2026, 11, 19, 14, 3, 11, tzinfo=UTC)
    assert tags.since(at, at + timedelta(minutes=4, seconds=50)) == f"4{NB}min"
    assert tags.since(at, at - timedelta(minutes=4)) == f"0{NB}s"


@pytest.mark.parametrize(
    ("value", "width"), [(0.512, "51.2%"), (0.0001, "0.35%"), (0, "0%"), (-1, "0%"), (2, "100%"), (None, "0%")]
)
def test_a_bar_is_visible_if_it_is_anything_and_never_wider_than_its_track(value: float | None, width: str) -> None:
    assert tags.width(value) == width


def test_a_bar_says_what_it_shows_and_needs_no_style_attribute() -> None:
    printed = tags.bar(0.5, 'half <of> "it"', "bad")
    assert 'role="img" aria-label="half &lt;of&gt; &quot;it&quot;"' in printed
    assert "style=" not in printed


@pytest.mark.parametrize(("left", "tone"), [(0.1, 'data-tone="bad"'), (-2, 'data-tone="bad"'), (0.9, "aria-label")])
def test_a_small_budget_looks_bad(left: float, tone: str) -> None:
    assert tone in tags.budget_bar(left)


def test_a_pill_is_a_word_and_an_icon_never_only_a_colour() -> None:
    assert tags.pill("paging").endswith("Paging</span>")
    assert "#i-bell" in tags.pill("paging")
    assert tags.pill("never-heard-of").endswith("Never heard of</span>")
