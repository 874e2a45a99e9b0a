"""Whatever stores answer, counts, budgets and burn rates are numbers, or unmeasured: one NaN must not spoil a month."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from math import inf, isfinite, nan

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.prometheus import Series
from slo import answers, ledger, spending
from slo.backtest import Backtest
from slo.backtest_report import as_json, as_text
from slo.budget import exhaustion
from slo.chunks import Chunk
from slo.counting import ANSWER, Sli
from slo.definition import BudgetAlert, Definition, NoDataAlert
from slo.history import History
from slo.ledger import Batch
from slo.models import Ledger
from slo.outcome import outcome
from slo.periods import Window
from slo.replay import replay
from slo.slices import Measured
from slo.states import STANDARD, AlertState
from slo.tape import Tape
from slo.tiers import Tier
from tests.make import HOUR, MINUTE, NOON, book_of, make_objective

type Counts = tuple[float, float] | None

odd = st.sampled_from([(nan, nan), (nan, 5.0), (0.0, nan), (inf, inf), (0.0, inf), (nan, inf), (nan, 0.0)])
whole = st.tuples(st.integers(0, 9), st.integers(9, 99)).map(lambda pair: (float(pair[0]), float(pair[1])))
counts = st.lists(st.one_of(st.none(), st.just((0.0, 0.0)), odd, whole), min_size=1, max_size=30)
targets = st.sampled_from([Decimal("0.9"), Decimal("0.999"), Decimal("0.99999999999")])
windows = st.sampled_from([Window(HOUR), Window(7 * timedelta(days=1), "week", "Europe/Berlin")])
often = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

TIER = Tier("page", 10 * MINUTE, 2 * MINUTE, Decimal("0.2"))
HALF, SILENT = BudgetAlert("ticket", Decimal("0.5")), NoDataAlert("ticket", 5 * MINUTE)


def slices(some: Sequence[Counts]) -> list[Measured]:
    return [Measured(NOON + n * MINUTE, NOON + (n + 1) * MINUTE, *(one or (None, None))) for n, one in enumerate(some)]


def counted(some: Sequence[Counts]) -> list[tuple[float, float]]:
    return [one for one in some if one and isfinite(one[0]) and isfinite(one[1])]


def definition(target: Decimal, window: Window) -> Definition:
    return Definition("Odd", Sli("events"), target, window, tiers=(TIER,), budget_alerts=(HALF,), no_data=SILENT)


def is_number(value: float | timedelta | None) -> bool:
    return value is None or isinstance(value, timedelta) or isfinite(value)


@pytest.mark.django_db
@often
@given(counts, targets, windows, st.integers(0, 29))
def test_a_ledgers_budgets_are_numbers_or_unmeasured(
    some: list[Counts], target: Decimal, window: Window, cut: int
) -> None:
    objective = make_objective(str(target), window=window.length, calendar=window.calendar, time_zone=window.zone)
    known = slices(some)
    later, earlier = known[min(cut, len(known) - 1) :], known[: min(cut, len(known) - 1)]
    ledger.append([Batch(objective, {(): later})])
    if earlier:
        assert ledger.prepend(Batch(objective, {(): earlier}))
    book, end = book_of(objective), known[-1].end
    found = ledger.totals(book, NOON, end)
    events = counted(some)
    assert (found.bad, found.total) == (sum(bad for bad, _ in events), sum(total for _, total in events))
    assert found.measured == len(events) * MINUTE
    for at in (one.end for one in known):
        _assert_numbers(book, target, window, at)


def _assert_numbers(book: Ledger, target: Decimal, window: Window, at: datetime) -> None:
    budget = ledger.budget(book, at)
    recent = ledger.totals(book, at - HOUR, at)
    lasts = exhaustion(budget, recent)
    spent = spending.read(budget.totals, target, window, at)
    burns = ledger.burns(book, at, [MINUTE, HOUR])
    assert all(map(is_number, [budget.left, budget.allowed, spent.share, spent.allowed, *burns.values()]))
    assert lasts is None or all(map(is_number, [lasts.earliest, lasts.likely, lasts.latest]))
    assert (budget.left is None) == (budget.totals.measured == timedelta(0))
    _, reason = spending.decide(AlertState(), HALF, spent, window, at, STANDARD)
    assert "nan" not in reason.lower()


@often
@given(counts, targets, windows)
def test_a_backtests_results_are_numbers_or_unmeasured(some: list[Counts], target: Decimal, window: Window) -> None:
    asked = definition(target, window)
    found = outcome(asked, (), Tape.of(slices(some)))
    assert found.totals.measured == len(counted(some)) * MINUTE
    assert is_number(found.remaining)
    report = Backtest(asked, NOON, NOON + len(some) * MINUTE, (found,))
    json.dumps(as_json(report), allow_nan=False)
    assert "nan" not in as_text(report).lower()


@often
@given(counts, targets, windows)
def test_slices_without_numbers_are_replayed_like_unmeasured_ones(
    some: list[Counts], target: Decimal, window: Window
) -> None:
    asked, end = definition(target, window), NOON + len(some) * MINUTE
    missing = [one if one in counted(some) else None for one in some]
    assert replay(asked, History.of(slices(some)), NOON, end) == replay(asked, History.of(slices(missing)), NOON, end)


@given(
    st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=20),
    st.sampled_from(["bad", "good"]),
)
def test_what_a_store_answers_becomes_counts_or_is_unmeasured(values: list[tuple[float, float]], marks: str) -> None:
    sli = Sli("events", bad_expression="a", total_expression="b", marks="good" if marks == "good" else "bad")
    chunk = Chunk(NOON, MINUTE, len(values))
    ends = [end for _, end in chunk.slices()]
    answer = [
        Series({ANSWER: marks}, tuple(zip(ends, (one for one, _ in values), strict=True))),
        Series({ANSWER: "total"}, tuple(zip(ends, (one for _, one in values), strict=True))),
    ]
    for one in answers.slices_of(sli, chunk, answer):
        if one.total is None:
            assert one.bad is None
            assert one.reason
        else:
            assert one.bad is not None
            assert 0 <= one.bad <= one.total < inf
