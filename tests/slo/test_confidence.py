"""The lower bound against the definition it is the answer to, and against published values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.confidence import lower_bound, may_reach


def tail(bad: int, total: int, ratio: float) -> float:
    """The probability of at least `bad` of `total`, term by term."""
    return math.fsum(math.comb(total, k) * ratio**k * (1 - ratio) ** (total - k) for k in range(bad, total + 1))


@given(st.integers(1, 300), st.data())
def test_at_the_bound_so_many_bad_events_are_just_as_likely_as_the_doubt_allows(
    total: int, data: st.DataObject
) -> None:
    bad = data.draw(st.integers(1, total))
    assert tail(bad, total, lower_bound(bad, total)) == pytest.approx(0.05, rel=1e-9)


@given(st.integers(0, 10**7), st.integers(1, 10**9))
def test_the_bound_is_below_the_ratio_and_grows_with_the_bad_events(bad: int, total: int) -> None:
    bad = min(bad, total - 1)
    assert 0 <= lower_bound(bad, total) < lower_bound(bad + 1, total) <= (bad + 1) / total


@pytest.mark.parametrize(
    ("bad", "total", "bound"),
    [
        # α^(1/n) when all are bad; 1 − (1 − α)^(1/n) for a single one.
        (10, 10, 0.05**0.1),
        (1, 100, 1 - 0.95**0.01),
        # R: binom.test(5, 20, alternative = "greater")
        (5, 20, 0.104081),
    ],
)
def test_known_values(bad: int, total: int, bound: float) -> None:
    assert lower_bound(bad, total) == pytest.approx(bound, rel=1e-5)


def test_without_bad_events_anything_down_to_zero_is_possible() -> None:
    assert lower_bound(0, 1000) == 0
    assert lower_bound(0, 0) == 0


def test_more_confidence_asks_for_more() -> None:
    assert lower_bound(10, 100, 0.99) < lower_bound(10, 100, 0.95) < lower_bound(10, 100, 0.5)


def test_fractions_of_events_lie_between_their_neighbours() -> None:
    assert lower_bound(2, 100) < lower_bound(2.5, 100) < lower_bound(3, 100)


def test_many_events_narrow_to_the_normal_approximation() -> None:
    ratio, total = 0.001, 10**9
    normal = ratio - 1.6448536 * math.sqrt(ratio * (1 - ratio) / total)
    assert lower_bound(ratio * total, total) == pytest.approx(normal, rel=1e-5)


@pytest.mark.parametrize("confidence", [0, 1, -1, 95])
def test_confidence_is_a_ratio(confidence: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        lower_bound(1, 2, confidence)


# -- Many counts at once ---------------------------------------------------------------------------------------------
SIZES = st.integers(1, 10**9)


@given(
    st.lists(st.tuples(SIZES, st.floats(0, 1)), min_size=1, max_size=40),
    st.floats(1e-6, 0.999),
    st.sampled_from([0.5, 0.95, 0.999]),
)
def test_comparing_many_counts_is_comparing_each_bound(
    counts: list[tuple[int, float]], limit: float, confidence: float
) -> None:
    total = np.array([float(total) for total, _ in counts])
    # Close to the limit, where it matters.
    spread = np.array([share for _, share in counts]) * 6 - 2
    bad = np.clip(np.round(total * limit + spread * np.sqrt(total * limit)), 0, total)
    bounds = np.array([lower_bound(*pair, confidence) for pair in zip(bad.tolist(), total.tolist(), strict=True)])
    found = may_reach(bad, total, limit, confidence)
    assert found[bounds >= limit].all()
    assert not found[bounds < limit * (1 - 1e-4)].any()


def test_fractions_of_events_are_compared_as_well() -> None:
    bad, total = np.array([0.3, 2.5, 30.5, 99.5]), np.array([0.7, 100.0, 100.0, 99.5])
    for limit in (0.001, 0.01, 0.2, 0.97):
        assert may_reach(bad, total, limit).tolist() == [
            lower_bound(b, t) >= limit for b, t in zip(bad.tolist(), total.tolist(), strict=True)
        ]
