"""Since when: the step in the counts, not the instant of the alert."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from connectors.telemetry import to_ns
from evidence.onset import Count, Step, onset, step

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SLICE = timedelta(seconds=10)


def counts(*pairs: tuple[float, float]) -> Sequence[Count]:
    return [Count(NOON + index * SLICE, bad, total) for index, (bad, total) in enumerate(pairs)]


def test_the_onset_is_the_start_of_the_first_slice_that_burns() -> None:
    found = onset(counts(*[(0, 200)] * 20, *[(62, 200)] * 5))
    assert found is not None
    assert found.at == NOON + 20 * SLICE
    assert found.before == 0
    assert found.after == pytest.approx(0.31)


def test_a_lone_error_before_does_not_move_the_onset() -> None:
    found = onset(counts(*[(0, 200)] * 5, (1, 200), *[(0, 200)] * 14, *[(20, 200)] * 5))
    assert found is not None
    assert found.at == NOON + 20 * SLICE


def test_a_rise_over_a_steady_error_rate_is_found() -> None:
    found = onset(counts(*[(10, 200)] * 30, *[(40, 200)] * 6))
    assert found is not None
    assert found.at == NOON + 30 * SLICE


def test_slices_without_traffic_do_not_hide_the_onset() -> None:
    found = onset(counts(*[(0, 50)] * 5, *[(0, 0)] * 5, *[(25, 50)] * 3))
    assert found is not None
    assert NOON + 5 * SLICE <= found.at <= NOON + 10 * SLICE


@pytest.mark.parametrize(
    "pairs",
    [[], [(5, 10)], [(0, 100)] * 10, [(5, 100)] * 10, [(50, 100)] * 5 + [(0, 100)] * 5, [(0, 0)] * 4],
    ids=["nothing", "one slice", "all good", "steady", "a fall", "no traffic"],
)
def test_without_a_rise_there_is_no_onset(pairs: list[tuple[float, float]]) -> None:
    assert onset(counts(*pairs)) is None


def test_one_error_among_thousands_is_not_yet_a_rise() -> None:
    assert onset(counts(*[(0, 10)] * 10, (1, 10))) is None


def stepped(*values: float) -> Step | None:
    times = np.array([to_ns(NOON + index * SLICE) for index in range(len(values))], dtype=np.int64)
    return step(times, np.array(values))


def test_the_step_of_a_metric_is_its_first_high_value() -> None:
    found = stepped(*[0.2, 0.21, 0.19, 0.2] * 5, *[0.5, 0.52, 0.48])
    assert found is not None
    assert found.at_ns == to_ns(NOON + 20 * SLICE)
    assert found.before == pytest.approx(0.2)
    assert found.after == pytest.approx(0.5)


@pytest.mark.parametrize(
    "values",
    [[], [0.2, 0.9], [0.2] * 10, [0.2, 0.21, 0.19, 0.2] * 5, [0.5] * 8 + [0.2] * 8],
    ids=["nothing", "too few", "constant", "noise", "a fall"],
)
def test_without_a_rise_a_metric_has_no_step(values: list[float]) -> None:
    assert stepped(*values) is None
