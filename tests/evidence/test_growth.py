from collections.abc import Sequence

import numpy as np

from evidence.growth import certainty, growth


def grown(*windows: Sequence[float]) -> float:
    """By how much it surely grew from the windows before the last to the last."""
    values = np.array([value for window in windows for value in window])
    window = np.repeat(np.arange(len(windows)), [len(values) for values in windows])
    return float(growth(np.zeros(len(values), dtype=np.int64), window, values, 1, len(windows)).surely[0])


def test_what_did_not_change_did_not_grow():
    assert grown([5, 6, 7, 5, 6], [6, 5, 7, 6, 5]) == 0


def test_few_values_that_are_all_far_slower_surely_grew():
    assert grown([3, 4, 3, 3, 4, 3], [2005, 2007, 2010]) > 1000


def test_one_outlier_does_not_make_a_slow_down():
    assert grown([3] * 20, [3] * 19 + [800]) < 5


def test_a_tenth_of_very_slow_ones_does():
    assert grown([3.0] * 300, [3.0] * 270 + [3000.0] * 30) > 100


def test_what_drifts_between_windows_by_itself_must_grow_beyond_that():
    assert grown([3, 3], [23], [150, 170, 90]) < 40
    assert grown([3, 3, 3, 4] * 5, [3, 4, 3, 3] * 5, [150, 170, 90]) > 60


def test_a_window_that_holds_the_trouble_already_does_not_hide_it():
    assert grown([9, 3, 5], [2008, 2013, 2005], [2011, 2013, 2002, 1162]) > 100


def test_a_kind_without_values_on_one_side_has_not_grown():
    empty = np.zeros(0, dtype=np.int64)
    assert growth(empty, empty, np.zeros(0), 2, 2).surely.tolist() == [0, 0]


def test_the_same_small_step_everywhere_is_certain_and_a_single_one_is_not():
    def certain(count: int) -> float:
        window = np.repeat([0, 1], count)
        logs = np.where(window == 1, 0.7, 0.0) + np.tile([-0.2, 0.2, 0.0, 0.1], count)[: 2 * count]
        return float(certainty(np.zeros(2 * count, dtype=np.int64), window, logs, 1, 2)[0])

    assert certain(2) == 0
    assert certain(60) > 0.2
