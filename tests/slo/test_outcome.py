"""What the slices of one group add up to."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from slo.counting import Sli
from slo.definition import Budgeting, Definition
from slo.outcome import outcome
from slo.periods import Window
from slo.slices import Measured
from slo.tape import Tape

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DEFINITION = Definition("Quick", Sli("events"), Decimal("0.9"), Window(DAY), no_data=None, budget_alerts=())


def hourly(bad: Sequence[float | None], total: float = 10) -> Tape:
    counts = [(one, total) if one is not None else (None, None) for one in bad]
    return Tape.of([Measured(FIRST + n * HOUR, FIRST + (n + 1) * HOUR, *one) for n, one in enumerate(counts)])


def test_counts_budget_and_time_are_those_of_its_slices() -> None:
    found = outcome(DEFINITION, (), hourly([1, None, 2, 0]))
    assert (found.totals.bad, found.totals.total, found.unmeasured) == (3, 30, HOUR)
    assert found.remaining == 0


def test_the_budget_is_that_of_the_window_that_ends_last() -> None:
    found = outcome(DEFINITION, (), hourly([10] * 24 + [0] * 24))
    assert found.totals.bad == 240
    assert found.remaining == 1


def test_what_is_excluded_counts_nowhere() -> None:
    found = outcome(DEFINITION, (), hourly([10, 0, 0, 0]), excluded=[(FIRST, FIRST + HOUR)])
    assert (found.totals.bad, found.totals.excluded, found.remaining) == (0, HOUR, 1)


def test_time_without_slices_is_unmeasured() -> None:
    found = outcome(DEFINITION, (), hourly([0, 0]), stretch=(FIRST - HOUR, FIRST + 2 * HOUR))
    assert found.unmeasured == HOUR


def test_nothing_measured_leaves_no_budget_to_speak_of() -> None:
    assert outcome(DEFINITION, (), hourly([None])).remaining is None


def test_the_time_slices_of_a_calendar_month_are_known_ahead() -> None:
    month = replace(DEFINITION, window=Window(30 * DAY, "month"), budgeting=Budgeting("timeslices", HOUR, Decimal(1)))
    found = outcome(month, (), hourly([1] * 6 + [0] * 18, total=1))
    # Six bad hours of the 744 that March has, a tenth of which may be bad.
    assert found.remaining == pytest.approx(1 - 6 / 74.4)
