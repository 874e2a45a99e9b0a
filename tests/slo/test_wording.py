"""Numbers in sentences."""

from datetime import timedelta
from decimal import Decimal

import pytest

from slo import wording


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "0.25 s"),
        (12, "12 s"),
        (300, "5 min"),
        (3600, "1 h"),
        (4800, "1 h 20 min"),
        (24 * 3600, "24 h"),
        (36 * 3600, "36 h"),
        (3 * 24 * 3600, "3 d"),
        (30 * 24 * 3600 + 7200 + 5, "30 d 2 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert wording.duration(timedelta(seconds=seconds)) == text.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (14.4, "14.4"),
        (0.1 + 0.2, "0.3"),
        (1234.5, "1,234"),
        (0.00345678, "0.00346"),
        (100, "100"),
        (0, "0"),
        (-2, "-2"),
    ],
)
def test_numbers_have_three_digits_and_no_artefacts(number: float, text: str) -> None:
    assert wording.plain(number) == text


def test_targets_keep_all_their_digits() -> None:
    assert wording.exact_percent(Decimal("0.99999999999")) == "99.999999999\N{NARROW NO-BREAK SPACE}%"
    assert wording.exact_percent(Decimal("0.90000000000")) == "90\N{NARROW NO-BREAK SPACE}%"


def test_a_burn_rate_takes_more_digits_rather_than_look_equal() -> None:
    assert wording.burn(14.42, Decimal("14.4")) == "14.42×"
    assert wording.burn(14.4, Decimal("14.4")) == "14.4×"
    assert wording.burn(20, Decimal("14.4")) == "20×"
