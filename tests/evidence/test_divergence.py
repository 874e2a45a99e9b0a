import random
from collections.abc import Callable
from datetime import timedelta

from evidence.case import Interval
from evidence.divergence import Place, places
from evidence.samples import sample
from evidence.sequences import Pairs, pairs
from tests.evidence.traffic import INCIDENT, NOON, Step, Traffic, call, make_inquiry, traffic

INFO, ERROR = 9, 17


def chain(drawn: random.Random, stops: float = 0.0, jitter: bool = True) -> Step:
    """web calls a, which calls b and writes a line on either side of it; a stopped b makes a stop as well."""
    stopped = drawn.random() < stops
    b = Step("b", "work", lines=((INFO, "b begins"), *(() if stopped else ((INFO, "b is done"),))))
    own = drawn.uniform(0.0005, 0.004) if jitter else 1
    a = Step(
        "a", "work", (call("a", b),), own=own, lines=((INFO, "a begins"), *(() if stopped else ((INFO, "a is done"),)))
    )
    return Step("web", "GET /", (call("web", a),), kind="server")


def found(made: Traffic, *baseline: Interval) -> tuple[list[Place], Pairs]:
    chosen = sample(make_inquiry(baseline=baseline) if baseline else make_inquiry(), made.table())
    followed = pairs(chosen, made.log_table())
    return places(chosen, followed), followed


def departed(made: Traffic, *baseline: Interval) -> list[tuple[str, str, str]]:
    """Service, what came before, what no longer follows; where bad requests first depart."""
    first, followed = found(made, *baseline)
    services = followed.spans.services
    return [(services[one.service], followed.name(one.first), followed.name(one.expected)) for one in first if one.rows]


def stopping(part: float) -> Callable[[random.Random], Step]:
    return lambda drawn: chain(drawn, part)


def test_the_innermost_departure_comes_first_and_its_callers_follow():
    ((service, first, expected), *_) = departed(traffic(chain, stopping(0.5)))
    assert (service, first, expected) == ("b", "b begins", "b is done")


def test_calls_and_lines_that_swap_places_by_a_millisecond_are_no_departure():
    made = traffic(lambda drawn: chain(drawn, jitter=False), lambda drawn: chain(drawn, jitter=True))
    assert departed(made) == []


def test_a_baseline_window_that_departs_already_does_not_hide_it():
    early = Interval(NOON - timedelta(hours=3), NOON - timedelta(hours=2))
    late = Interval(NOON + timedelta(minutes=28), NOON + timedelta(minutes=30))
    made = Traffic()
    made.fill(early, chain, 12, seed=1)
    made.fill(late, stopping(1.0), 12, seed=2)
    made.fill(INCIDENT, stopping(1.0), 20, seed=3)
    assert ("b", "b begins", "b is done") in departed(made, early, late)


def test_what_used_to_stop_and_now_goes_on_is_no_trouble():
    assert departed(traffic(stopping(0.5), chain)) == []


def test_a_way_that_is_sometimes_taken_is_taken_again():
    assert departed(traffic(stopping(0.3), stopping(0.35))) == []
