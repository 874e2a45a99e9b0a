"""How far an incident is from its normal: unlike both what was just before and what is usual."""

from datetime import timedelta

import numpy as np
import pytest

from evidence.case import Interval
from evidence.deviation import deviation, together, windows
from tests.evidence.measured import HOUR, MINUTE, NOON, NORMAL, WRONG, inquiry, noisy, series

ASKED = inquiry()


def chance(values: list[float], baseline: tuple[Interval, ...] = ASKED.baseline) -> float:
    one = series("took", values)
    told = deviation(one.times, one.values, baseline, ASKED.incident)
    assert told is not None
    return told.p


def test_what_is_as_always_is_likely() -> None:
    assert chance(noisy(0.2)) > 0.05


def test_what_doubled_is_unlikely() -> None:
    assert chance(noisy(0.2, 0.4)) < 1e-4


def test_the_more_it_rose_the_less_likely_it_is() -> None:
    assert chance(noisy(0.2, 0.8)) < chance(noisy(0.2, 0.4)) < chance(noisy(0.2, 0.25))


def test_a_fall_is_no_rise() -> None:
    assert chance(noisy(0.2, 0.1)) > 0.5


def test_the_fault_may_end_before_the_incident_does() -> None:
    values = noisy(0.2)
    values[NORMAL : NORMAL + WRONG // 2] = [0.6] * (WRONG // 2)
    assert chance(values) < 1e-3


def test_a_metric_that_often_leaps_is_not_blamed_for_leaping() -> None:
    values = noisy(0.2)
    for start in range(0, NORMAL - 10, 30):
        values[start : start + 10] = [0.6] * 10
    values[NORMAL:] = [0.6] * WRONG
    assert chance(values) > 0.02


def test_a_level_that_had_changed_before_the_onset_is_no_deviation() -> None:
    """The long baseline is of another season; the ten minutes before the onset were just as slow."""
    values = noisy(0.2)
    values[NORMAL - 20 :] = noisy(0.4)[: WRONG + 20]
    assert chance(values) > 0.02


def test_a_rise_is_seen_even_when_the_long_baseline_is_worse() -> None:
    values = noisy(0.9)
    values[NORMAL - 20 : NORMAL] = noisy(0.2)[:20]
    values[NORMAL:] = noisy(0.5)[:WRONG]
    assert chance(values) < 0.02


def test_one_value_before_is_hardly_a_baseline() -> None:
    baseline = (Interval(NOON - MINUTE, NOON),)
    assert chance(noisy(0.2, 0.21), baseline) > 0.1
    assert chance(noisy(0.2, 2.0), baseline) < chance(noisy(0.2, 0.3), baseline)


def test_what_was_not_measured_deviates_in_no_way() -> None:
    one = series("took", noisy(0.2))
    assert deviation(one.times, one.values, (), ASKED.incident) is None
    later = Interval(NOON + HOUR, NOON + 2 * HOUR)
    assert deviation(one.times, one.values, ASKED.baseline, later) is None


def test_one_failed_request_of_few_is_no_failure_rate() -> None:
    one = series("errors", [0.0] * NORMAL + [0.0] * 8 + [0.5, 0.0])
    few = deviation(one.times, one.values, ASKED.baseline, ASKED.incident, "linear", least=0.5)
    many = deviation(one.times, one.values, ASKED.baseline, ASKED.incident, "linear", least=0.001)
    assert few is not None
    assert many is not None
    assert many.p < 0.01 < few.p


def test_several_looks_at_one_thing_count_once() -> None:
    assert together([0.01, 0.01, 0.01]) == pytest.approx(0.01)
    assert 0.01 < together([0.01, 1.0]) < 0.03
    assert together([]) == 1.0


def test_recent_reaches_back_twice_the_length_of_the_incident() -> None:
    one = series("took", noisy(0.2))
    seen = windows(one.times, one.values, ASKED.baseline, ASKED.incident)
    assert (len(seen.incident), len(seen.recent), len(seen.long)) == (WRONG, 2 * WRONG, NORMAL - 2 * WRONG)
    assert np.all(seen.incident == one.values[-WRONG:])
    assert ASKED.incident.length == timedelta(minutes=WRONG)
