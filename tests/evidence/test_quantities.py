"""Numbers as a sentence has them."""

import pytest

from evidence import quantities


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0000346, "35 µs"),
        (0.0062, "6.2 ms"),
        (0.0346, "35 ms"),
        (4.12, "4.1 s"),
        (60, "60 s"),
        (300, "5 min"),
        (9000, "2.5 h"),
    ],
)
def test_a_duration_has_two_digits_and_a_unit_that_fits(value: float, shown: str) -> None:
    assert quantities.seconds(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0, "0 %"), (0.0123, "1.2 %"), (0.3, "30 %"), (1, "100 %")])
def test_a_share_is_shown_in_percent(value: float, shown: str) -> None:
    assert quantities.percent(value) == shown


@pytest.mark.parametrize(
    ("names", "shown"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), (list("abcdef"), "a, b, c, d and 2 more")],
)
def test_a_list_stays_readable(names: list[str], shown: str) -> None:
    assert quantities.some(names) == shown
