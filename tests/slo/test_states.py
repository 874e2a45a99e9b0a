"""When alerts fire, freeze and resolve, and what they say."""

from datetime import datetime, timedelta
from decimal import Decimal

from slo.states import STANDARD, AlertState, Policy, decide, frozen, lowest_burn, read
from slo.tiers import WORKBOOK_TIERS
from slo.windows import Totals
from tests.make import DAY, HOUR, MINUTE, NOON

PAGE = WORKBOOK_TIERS[0]
TARGET, WINDOW = Decimal("0.999"), 30 * DAY
HOLD = STANDARD.hold_for(PAGE)


def counted(bad: float, total: float, length: timedelta = HOUR, coverage: float = 1.0) -> Totals:
    return Totals(bad, total, length * coverage, length)


def decided(
    long: Totals, short: Totals, state: AlertState | None = None, at: datetime = NOON
) -> tuple[AlertState, str]:
    return decide(state or AlertState(), PAGE, read(long, short, PAGE, TARGET, WINDOW), at)


def plain(reason: str) -> str:
    return reason.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


BURNING = (counted(2000, 100_000), counted(800, 10_000, 5 * MINUTE))
QUIET = (counted(2000, 100_000), counted(0, 10_000, 5 * MINUTE))
UNMEASURED = (counted(2000, 100_000), counted(0, 0, 5 * MINUTE, coverage=0))
FIRING = AlertState("firing", since=NOON - HOUR)


def test_it_fires_when_both_windows_burn() -> None:
    state, reason = decided(*BURNING)
    assert state == AlertState("firing", since=NOON)
    assert plain(reason) == "20× over 1 h and 80× over 5 min, above 14.4×: 2,000 of 100,000 events bad in 1 h"


def test_it_does_not_fire_on_the_long_window_alone() -> None:
    state, reason = decided(*QUIET)
    assert state.state == "inactive"
    assert plain(reason) == "20× over 1 h, but 0× over 5 min: not above 14.4×"


def test_it_does_not_fire_on_the_short_window_alone() -> None:
    state, reason = decided(counted(100, 100_000), BURNING[1])
    assert state.state == "inactive"
    assert plain(reason) == "1× over 1 h, not above 14.4×"


def test_exactly_at_the_factor_it_does_not_fire() -> None:
    at_factor = counted(1440, 100_000), counted(144, 10_000, 5 * MINUTE)
    assert decided(*at_factor)[0].state == "inactive"


def test_one_bad_event_is_chance_whatever_the_ratio() -> None:
    state, reason = decided(counted(1, 1), counted(1, 1, 5 * MINUTE))
    assert state.state == "inactive"
    assert plain(reason).endswith("but only 1 of 1 events bad; 2 bad ones are needed")


def test_a_ratio_that_could_be_chance_does_not_fire_and_says_how_sure_it_is() -> None:
    state, reason = decided(counted(3, 200), counted(2, 20, 5 * MINUTE))
    assert state.state == "inactive"
    assert plain(reason) == "15× over 1 h, but only 4.1× with 95 % confidence: not above 14.4×"


def test_a_trickle_that_fails_is_certain_soon() -> None:
    assert decided(counted(2, 2), counted(2, 2, 5 * MINUTE))[0].state == "firing"


def test_it_keeps_firing_while_the_short_window_burns() -> None:
    state, _ = decided(counted(100, 100_000), BURNING[1], FIRING)
    assert state == FIRING


def test_it_resolves_only_when_the_calm_has_lasted() -> None:
    calm, reason = decided(*QUIET, FIRING)
    assert calm.calm_since == NOON
    assert plain(reason) == "0× over 5 min, no longer above 14.4×; resolves if that lasts 2 min 30 s"
    assert decided(*QUIET, calm, NOON + HOLD - MINUTE)[0].state == "firing"
    assert decided(*QUIET, calm, NOON + HOLD)[0] == AlertState("resolved", since=NOON + HOLD)


def test_a_relapse_starts_the_calm_anew() -> None:
    calm, _ = decided(*QUIET, FIRING)
    relapsed, _ = decided(*BURNING, calm, NOON + MINUTE)
    assert relapsed == FIRING
    assert decided(*QUIET, relapsed, NOON + HOLD)[0].state == "firing"


def test_a_resolved_alert_fires_again() -> None:
    assert decided(*BURNING, AlertState("resolved", since=NOON - HOUR))[0] == AlertState("firing", since=NOON)


def test_no_data_keeps_a_firing_alert_firing() -> None:
    state, reason = decided(*UNMEASURED, FIRING)
    assert (state.state, state.since, state.frozen_since) == ("firing", FIRING.since, NOON)
    assert plain(reason) == "Frozen: nothing of the last 5 min was measured"


def test_no_data_fires_nothing() -> None:
    bad_but_unsure = counted(2000, 2000), counted(100, 100, 5 * MINUTE, coverage=0.4)
    state, reason = decided(*bad_but_unsure)
    assert (state.state, state.frozen_since) == ("inactive", NOON)
    assert plain(reason) == "Frozen: only 40 % of the last 5 min was measured"


def test_frozen_time_is_not_calm_time() -> None:
    calm, _ = decided(*QUIET, FIRING)
    held, _ = decided(*UNMEASURED, calm, NOON + MINUTE)
    thawed, _ = decided(*QUIET, held, NOON + HOLD)
    assert thawed == AlertState("firing", since=FIRING.since, calm_since=NOON + HOLD)


def test_frozen_since_is_when_it_began() -> None:
    first, _ = decided(*UNMEASURED)
    second, _ = decided(*UNMEASURED, first, NOON + MINUTE)
    assert second.frozen_since == NOON
    assert frozen(first, NOON + HOUR) == first


def test_no_traffic_is_measured_and_calm() -> None:
    assert decided(counted(0, 0), counted(0, 0, 5 * MINUTE))[0] == AlertState()
    assert decided(counted(2000, 9000), counted(0, 0, 5 * MINUTE), FIRING)[0].calm_since == NOON


def test_a_burn_rate_just_above_its_factor_is_not_printed_as_equal() -> None:
    _, reason = decided(counted(144_001, 10_000_000), counted(160_000, 10_000_000, 5 * MINUTE))
    assert plain(reason).startswith("14.4001× over 1 h, but only 14.3×")


def test_a_policy_can_ask_for_more() -> None:
    strict = Policy(min_bad=5)
    reading = read(counted(4, 4), counted(4, 4, 5 * MINUTE), PAGE, TARGET, WINDOW, strict)
    assert decide(AlertState(), PAGE, reading, NOON, strict)[0].state == "inactive"
    assert decide(AlertState(), PAGE, reading, NOON)[0].state == "firing"


def test_without_confidence_it_is_the_textbooks_plain_comparison() -> None:
    textbook = Policy(min_bad=1, confidence=None)
    reading = read(counted(3, 200), counted(2, 20, 5 * MINUTE), PAGE, TARGET, WINDOW, textbook)
    state, reason = decide(AlertState(), PAGE, reading, NOON, textbook)
    assert state.state == "firing"
    assert plain(reason) == "15× over 1 h and 100× over 5 min, above 14.4×: 3 of 200 events bad in 1 h"
    assert lowest_burn(reading.long, TARGET, textbook) is None


def test_in_maintenance_it_neither_fires_nor_resolves() -> None:
    burning = read(*BURNING, PAGE, TARGET, WINDOW, maintenance=True)
    assert decide(AlertState(), PAGE, burning, NOON) == (AlertState(frozen_since=NOON), "Frozen: in maintenance")
    quiet = read(*QUIET, PAGE, TARGET, WINDOW, maintenance=True)
    assert decide(FIRING, PAGE, quiet, NOON + HOUR)[0].state == "firing"


def test_maintenance_makes_no_calm() -> None:
    calm, _ = decided(*QUIET, FIRING)
    held, _ = decide(calm, PAGE, read(*QUIET, PAGE, TARGET, WINDOW, maintenance=True), NOON + MINUTE)
    assert held.calm_since is None
