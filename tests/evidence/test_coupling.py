"""How much of a callee's loss its caller shares, learnt from the baseline."""

import numpy as np
import pytest

from evidence.coupling import LEAST, couplings
from tests.evidence.measured import series

RANDOM = np.random.default_rng(3)
WAITED = 20 + RANDOM.normal(0, 4, 200)
HANDED_OVER = 20 + RANDOM.normal(0, 4, 200)
OWN = 50 + RANDOM.normal(0, 1, 200)
ASKED = 100 + RANDOM.normal(0, 3, 200)
TIMES = series("x", [0.0] * 200).times


def test_a_callee_that_is_waited_for_is_told_from_one_that_is_not() -> None:
    found = couplings((TIMES, OWN + WAITED), (TIMES, ASKED), {"bank": (TIMES, WAITED), "queue": (TIMES, HANDED_OVER)})
    assert found["bank"] == pytest.approx(1.0, abs=0.1)
    assert found["queue"] <= LEAST + 0.1


def test_a_callee_that_never_varied_is_taken_to_be_waited_for() -> None:
    assert couplings((TIMES, OWN), (TIMES, ASKED), {"cache": (TIMES, np.full(200, 3.0))}) == {"cache": 1.0}


def test_nothing_is_learnt_from_a_few_minutes() -> None:
    few = TIMES[:9]
    assert couplings((few, OWN[:9]), (few, ASKED[:9]), {"queue": (few, HANDED_OVER[:9])}) == {"queue": 1.0}
