"""When a time slice is good."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from slo.counting import Comparison, Kind, Sli
from slo.definition import Budgeting
from slo.slices import Measured
from slo.verdicts import is_good, judged

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIVE = timedelta(minutes=5)
SLICES = Budgeting("timeslices", FIVE, Decimal("0.95"))


def one(bad: float | None, total: float | None) -> Measured:
    return Measured(NOON, NOON + FIVE, bad, total, "" if total is not None else "The store did not answer.")


@pytest.mark.parametrize(("bad", "total", "verdict"), [(5, 100, 0), (6, 100, 1), (0, 0, 0), (1, 1, 1)])
def test_a_slice_is_bad_when_too_few_of_its_events_were_good(bad: float, total: float, verdict: float) -> None:
    (found,) = judged(SLICES, [one(bad, total)])
    assert (found.bad, found.total) == (verdict, 1)


def test_an_unmeasured_slice_is_not_judged() -> None:
    assert judged(SLICES, [one(None, None)]) == [one(None, None)]


def test_a_budget_of_events_leaves_the_events() -> None:
    assert judged(Budgeting(), [one(6, 100)]) == [one(6, 100)]


@pytest.mark.parametrize(("comparison", "good"), [("lte", (1, 2)), ("lt", (1,)), ("gte", (2, 3)), ("gt", (3,))])
def test_a_gauge_is_compared_as_asked(comparison: Comparison, good: tuple[float, ...]) -> None:
    sli = Sli("gauge", expression="x", comparison=comparison, threshold=Decimal(2))
    assert tuple(value for value in (1.0, 2.0, 3.0) if is_good(sli, value, NOON)) == good


@pytest.mark.parametrize(
    ("kind", "threshold", "value", "good"),
    [
        ("bool", None, 1, True),
        ("bool", None, 0, False),
        ("freshness", 60, NOON.timestamp() - 60, True),
        ("freshness", 60, NOON.timestamp() - 61, False),
    ],
)
def test_a_probe_is_one_and_a_success_is_recent(kind: Kind, threshold: int | None, value: float, good: bool) -> None:
    sli = Sli(kind, expression="x", threshold=None if threshold is None else Decimal(threshold))
    assert is_good(sli, value, NOON) is good
