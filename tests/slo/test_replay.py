"""Replaying an objective over a history: the same as living through it, only faster."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.confidence import lower_bound
from slo.counting import Sli
from slo.definition import BudgetAlert, Definition, NoDataAlert
from slo.history import History
from slo.judgement import Rule, instants, step
from slo.periods import Interval, Window
from slo.replay import Event, replay, why
from slo.slices import Measured
from slo.states import AlertState, Policy, Reading
from slo.tiers import Tier
from slo.windows import Mark

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# Ten minutes before a week and a month begin.
EVENING = datetime(2026, 5, 31, 23, 50, tzinfo=UTC)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

type Counts = tuple[float, float] | None

PAGE = Tier("page", 10 * MINUTE, 3 * MINUTE, Decimal("0.2"))
SLOW_PAGE = Tier("page", 20 * MINUTE, 5 * MINUTE, Decimal("0.3"))
TICKET = Tier("ticket", 40 * MINUTE, 10 * MINUTE, Decimal("0.4"))
TRICKLE = Tier("ticket", 100 * MINUTE, 10 * MINUTE, Decimal(1))
HALF, ALL = BudgetAlert("ticket", Decimal("0.5")), BudgetAlert("page", Decimal(1))
SILENT = NoDataAlert("ticket", 5 * MINUTE)
DEFINITION = Definition(
    "Quick",
    Sli("events"),
    Decimal("0.9"),
    Window(100 * MINUTE),
    tiers=(TICKET, PAGE, SLOW_PAGE, TRICKLE),
    budget_alerts=(HALF, ALL),
    no_data=SILENT,
)


def measured(counts: Sequence[Counts], start: datetime = NOON, length: timedelta = MINUTE) -> list[Measured]:
    return [
        Measured(start + n * length, start + (n + 1) * length, *(one or (None, None))) for n, one in enumerate(counts)
    ]


def minute(count: int, start: datetime = NOON) -> datetime:
    return start + count * MINUTE


def lived(definition: Definition, history: History) -> list[Event]:
    """Every slice shown to every rule, one after the other."""
    states: dict[Rule, AlertState] = {}
    events: list[Event] = []
    for mark in history.marks[1:]:
        for one in step(definition, history, mark.at, states):
            states[one.rule] = one.state
            if one.moved:
                change = (one.old.state, one.state.state, one.reason, one.reading, one.silenced)
                events.append(Event(mark.at, one.rule, *change))
    return events


def replayed(definition: Definition, history: History) -> list[Event]:
    assert history.begins is not None
    assert history.ends is not None
    return replay(definition, history, history.begins, history.ends)


# Stretches rather than single slices: alerts need something that lasts.
kinds = st.sampled_from([None, (0, 0), (0, 50), (1, 50), (10, 50), (50, 50), (1, 1), (0.1, 0.7), (2, 20), (5, 50)])
histories = st.lists(st.tuples(kinds, st.integers(1, 25)), min_size=1, max_size=12).map(
    lambda runs: [one for one, count in runs for _ in range(count)]
)
maintenance = st.lists(st.tuples(st.integers(-5, 150), st.integers(1, 30)), max_size=3).map(
    lambda found: [(left, left + length) for left, length in found]
)
policies = st.builds(
    Policy,
    min_bad=st.sampled_from([0, 1, 2, 5]),
    confidence=st.sampled_from([None, 0.5, 0.95, 0.999]),
    hold=st.sampled_from([0.0, 0.5, 2.0]),
    min_coverage=st.sampled_from([0.0, 0.5, 1.0]),
)
windows = st.sampled_from(
    [Window(100 * MINUTE), Window(4 * DAY), Window(7 * DAY, "week"), Window(30 * DAY, "month", "Europe/Berlin")]
)


@given(histories, maintenance, policies, windows, st.sampled_from([NOON, EVENING]))
def test_a_replay_is_the_same_as_living_through_it(
    counts: list[Counts], out: list[tuple[int, int]], policy: Policy, window: Window, start: datetime
) -> None:
    definition = replace(DEFINITION, policy=policy, window=window)
    excluded = [(minute(left, start), minute(right, start)) for left, right in out]
    history = History.of(measured(counts, start), excluded)
    assert replayed(definition, history) == lived(definition, history)


@given(histories, maintenance)
def test_slices_of_any_length_replay_the_same_as_living_through_them(
    counts: list[Counts], out: list[tuple[int, int]]
) -> None:
    excluded = [(minute(left), minute(right)) for left, right in out]
    history = History.of(measured(counts, length=timedelta(seconds=97)), excluded)
    assert replayed(DEFINITION, history) == lived(DEFINITION, history)


@given(histories, maintenance, windows)
def test_the_marks_that_a_step_asks_for_are_all_it_needs(
    counts: list[Counts], out: list[tuple[int, int]], window: Window
) -> None:
    definition = replace(DEFINITION, window=window)
    full = History.of(measured(counts), [(minute(left), minute(right)) for left, right in out])
    at = full.marks[-1].at
    asked = [*instants(definition, at), *(edge for interval in full.excluded for edge in interval)]
    sparse = History(only(full.marks, asked), full.excluded, full.begins)
    assert step(definition, sparse, at, {}) == step(definition, full, at, {})


def test_a_step_asks_for_full_hours_where_windows_are_long() -> None:
    long = replace(DEFINITION, window=Window(7 * DAY), tiers=(Tier("ticket", 4 * DAY, HOUR, Decimal("0.5")),))
    at = NOON + 30 * MINUTE
    assert set(instants(long, at)) == {at, NOON - 4 * DAY, at - HOUR, NOON - 7 * DAY, at - 5 * MINUTE}


def only(marks: Sequence[Mark], asked: Sequence[datetime]) -> list[Mark]:
    found = {max((n for n, mark in enumerate(marks) if mark.at <= at), default=-1) for at in asked}
    return [marks[position] for position in sorted(found) if position >= 0]


@given(histories, maintenance)
def test_each_rule_alternates_between_firing_and_resolved(counts: list[Counts], out: list[tuple[int, int]]) -> None:
    history = History.of(measured(counts), [(minute(left), minute(right)) for left, right in out])
    for rule in {event.rule for event in replayed(DEFINITION, history)}:
        news = [event.new for event in replayed(DEFINITION, history) if event.rule == rule]
        assert news == [("firing", "resolved")[n % 2] for n in range(len(news))]


@given(histories)
def test_a_tier_fires_only_on_numbers_that_allow_it(counts: list[Counts]) -> None:
    for event in replayed(DEFINITION, History.of(measured(counts))):
        if isinstance(event.reading, Reading) and event.new == "firing":
            rates = (event.reading.burn_long, event.reading.burn_short, event.reading.bound)
            assert all(rate is not None and rate > event.reading.factor for rate in rates)
            assert event.reading.long.bad >= 2


@given(histories)
def test_every_reason_is_a_sentence_that_fits_its_column(counts: list[Counts]) -> None:
    for event in replayed(DEFINITION, History.of(measured(counts))):
        assert 0 < len(event.reason) <= 300


@given(histories, st.integers(0, 100))
def test_an_account_of_an_instant_is_what_was_decided_then(counts: list[Counts], back: int) -> None:
    history = History.of(measured(counts))
    at = history.marks[max(1, len(history.marks) - 1 - back)].at
    account = why(DEFINITION, history, at)
    states: dict[Rule, AlertState] = {}
    for mark in history.marks[1:]:
        judged = step(DEFINITION, history, mark.at, states)
        states = {one.rule: one.state for one in judged}
        if mark.at == at:
            assert [(one.rule, one.state.state, one.state.calm_since) for one in account.judged] == [
                (one.rule, one.state.state, one.state.calm_since) for one in judged
            ]
            assert [one.reason for one in account.judged] == [one.reason for one in judged]


def test_before_the_first_slice_there_is_no_account() -> None:
    with pytest.raises(ValueError, match="Nothing had been measured yet"):
        why(DEFINITION, History.of(measured([(0, 1)])), NOON)


# -- What the rules do, by example -----------------------------------------------------------------------------------
OUTAGE: list[Counts] = [*[(0, 50)] * 30, *[(50, 50)] * 12, *[(0, 50)] * 60]


def told(counts: Sequence[Counts], *rules: Rule, excluded: Sequence[Interval] = ()) -> list[tuple[int, str, bool]]:
    """Minute, new state and whether a page silenced it, of these rules' events; all of them are replayed."""
    found = replayed(DEFINITION, History.of(measured(counts), excluded))
    return [((event.at - NOON) // MINUTE, event.new, event.silenced) for event in found if event.rule in rules]


def test_an_outage_fires_once_and_resolves_once() -> None:
    assert told(OUTAGE, PAGE) == [(33, "firing", False), (47, "resolved", False)]


def test_a_ticket_beside_a_firing_page_is_silenced() -> None:
    fired, resolved = told(OUTAGE, TICKET)
    assert fired == (34, "firing", True)
    assert resolved[1:] == ("resolved", False)


def test_a_ticket_that_fires_with_the_page_at_one_instant_is_silenced() -> None:
    sudden: list[Counts] = [(40, 50)]
    twins = replace(DEFINITION, tiers=(replace(PAGE, severity="ticket"), PAGE))
    found = replayed(twins, History.of(measured(sudden * 3)))
    assert [(event.rule.severity, event.silenced) for event in found if isinstance(event.rule, Tier)] == [
        ("ticket", True),
        ("page", False),
    ]


def test_a_ticket_stays_silenced_as_long_as_a_page_fires() -> None:
    history = History.of(measured([(50, 50)] * 30))
    first = {one.rule: one.state for one in step(DEFINITION, history, minute(20), {})}
    assert first[TICKET].silenced_since == minute(20)
    second = {one.rule: one.state for one in step(DEFINITION, history, minute(21), first)}
    assert second[TICKET].silenced_since == minute(20)
    alone = {one.rule: one.state for one in step(DEFINITION, history, minute(22), {TICKET: second[TICKET]})}
    assert alone[TICKET].silenced_since == minute(20)


def test_budget_and_no_data_alerts_are_never_silenced() -> None:
    assert [silenced for _, _, silenced in told([(50, 50)] * 80, HALF, ALL)] == [False, False]


def test_an_outage_in_maintenance_fires_nothing() -> None:
    assert told(OUTAGE, *DEFINITION.tiers, excluded=[(minute(30), minute(42))]) == []


def test_maintenance_that_ends_during_an_outage_lets_it_fire_afterwards() -> None:
    assert told(OUTAGE, PAGE, excluded=[(minute(30), minute(36))])[0] == (37, "firing", False)


def test_a_stretch_without_data_fires_the_no_data_alert_until_something_is_measured() -> None:
    assert told([*[(0, 5)] * 10, *[None] * 7, (0, 5)], SILENT) == [(15, "firing", False), (18, "resolved", False)]


def test_no_data_in_maintenance_is_expected() -> None:
    counts: list[Counts] = [*[(0, 5)] * 10, *[None] * 7, (0, 5)]
    assert told(counts, SILENT, excluded=[(minute(10), minute(17))]) == []


def test_no_data_from_the_beginning_is_told_after_a_while() -> None:
    assert told([None] * 8, SILENT) == [(5, "firing", False)]


def test_a_slow_burn_that_no_other_tier_sees_is_told_by_the_trickle() -> None:
    slow: list[Counts] = [(float(n % 6 == 0), 1) for n in range(100)]
    assert told(slow, PAGE, SLOW_PAGE, TICKET) == []
    assert told(slow, TRICKLE)[0][1:] == ("firing", False)


def test_every_step_instead_of_every_slice_sees_fewer_instants() -> None:
    history = History.of(measured(OUTAGE))
    found = replay(DEFINITION, history, NOON, minute(100), step=10 * MINUTE)
    assert {(event.at - NOON) % (10 * MINUTE) for event in found} == {timedelta(0)}


def test_only_what_changes_within_the_stretch_is_told() -> None:
    found = replay(DEFINITION, History.of(measured(OUTAGE)), minute(50), minute(90))
    assert all(event.at > minute(50) for event in found)


def test_long_windows_begin_on_full_hours_in_arrays_too() -> None:
    half_past = NOON + 30 * MINUTE
    counts: list[Counts] = [(10, 50) if n < 3 else (0, 0) for n in range(1200)]
    history = History.of(measured(counts, half_past, 5 * MINUTE))
    long = replace(DEFINITION, window=Window(4 * DAY), tiers=(), no_data=None)
    found = replayed(long, history)
    # The bad quarter of an hour leaves the window of four days at a full hour, all at once.
    assert found[-1].at == NOON + 4 * DAY + HOUR
    assert found == lived(long, history)


def test_exactly_at_its_limit_a_window_is_calm_in_arrays_too() -> None:
    # In floats, 0.29 times 100 is less than 29.
    tier = replace(PAGE, budget_share=Decimal("0.1"))
    edge = replace(DEFINITION, target=Decimal("0.71"), tiers=(tier,), policy=Policy(confidence=None))
    counts: list[Counts] = [*[(60, 100)] * 10, *[(29, 100)] * 10]
    history = History.of(measured(counts))
    found = [event for event in replayed(edge, history) if event.rule == tier]
    assert [(event.new, (event.at - NOON) // MINUTE) for event in found] == [("firing", 2), ("resolved", 15)]
    assert replayed(edge, history) == lived(edge, history)


def test_windows_that_are_not_sure_enough_are_passed_over_without_a_bound_for_each() -> None:
    """Each minute of a month may have counts of its own; inverting a distribution for each of them took seconds."""
    counts: list[Counts] = [(0.0022 * total, total) for total in range(100, 700)]
    unsure = replace(DEFINITION, target=Decimal("0.998"), tiers=(TRICKLE,), budget_alerts=(), no_data=None)
    lower_bound.cache_clear()
    assert replayed(unsure, History.of(measured(counts))) == []
    assert lower_bound.cache_info().misses < 10
