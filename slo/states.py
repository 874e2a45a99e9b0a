"""When a tier fires, freezes and resolves: a pure function of two windows of the ledger, with the reason in words."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from slo import wording
from slo.budget import burn, burns_faster
from slo.confidence import lower_bound
from slo.tiers import Tier
from slo.windows import Totals

type State = Literal["inactive", "firing", "resolved"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What firing and resolving ask for, on top of both burn rates being above the tier's factor."""

    # With one bad event any ratio is chance.
    min_bad: int = 2
    # One-sided, for the long window's error ratio; `None` for the textbook's plain comparison.
    confidence: float | None = 0.95
    # The short window must be calm for this share of its length before the alert resolves.
    hold: float = 0.5
    # A short window with less coverage than this says nothing.
    min_coverage: float = 0.5

    def hold_for(self, tier: Tier) -> timedelta:
        return tier.short * self.hold


STANDARD = Policy()
IN_MAINTENANCE = "Frozen: in maintenance"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a tier sees at one instant."""

    long: Totals
    short: Totals
    # Burn rates; `None` where nothing was measured.
    burn_long: float | None
    burn_short: float | None
    # The lowest burn rate over the long window that its counts still allow with the policy's confidence.
    # `None` while the burn rate itself is not above the factor, and where no confidence is asked for.
    bound: float | None
    factor: Decimal
    # Whether the burn rates, compared exactly, are above the factor.
    long_burns: bool
    short_burns: bool
    # Whether the newest slice is taken out of everything.
    maintenance: bool = False


@dataclass(frozen=True, slots=True)
class AlertState:
    """The state of one alert; all times are ends of slices."""

    state: State = "inactive"
    # Since when it is in this state; `None` if always.
    since: datetime | None = None
    # Set while unmeasured: the state neither fires nor resolves.
    frozen_since: datetime | None = None
    # Set while firing and the short window no longer burns.
    calm_since: datetime | None = None
    # Set while a ticket fires beside a page of the same objective and group: it then says nothing of its own.
    silenced_since: datetime | None = None


def read(
    long: Totals,
    short: Totals,
    tier: Tier,
    target: Decimal,
    window: timedelta,
    policy: Policy = STANDARD,
    maintenance: bool = False,
) -> Reading:
    """What `tier` of an objective sees, when its two windows hold `long` and `short`."""
    factor = tier.factor(window)
    long_burns = burns_faster(long, target, factor)
    return Reading(
        long,
        short,
        burn(long, target),
        burn(short, target),
        lowest_burn(long, target, policy) if long_burns else None,
        factor,
        long_burns,
        burns_faster(short, target, factor),
        maintenance,
    )


def lowest_burn(long: Totals, target: Decimal, policy: Policy = STANDARD) -> float | None:
    """The lowest burn rate that these counts allow with the policy's confidence; `None` if none is asked for."""
    if policy.confidence is None:
        return None
    return lower_bound(long.bad, long.total, policy.confidence) / float(1 - target)


def decide(
    state: AlertState, tier: Tier, reading: Reading, at: datetime, policy: Policy = STANDARD
) -> tuple[AlertState, str]:
    """The state after `reading` was taken at `at`, and the sentence that says why.

    - In maintenance or unmeasured (too little coverage of the short window, nothing in the long one): frozen. Nothing
      fires, nothing resolves, a firing alert keeps firing.
    - Fires when both windows burn faster than the factor, on at least `min_bad` bad events, and the long window
      does so with the policy's confidence.
    - Resolves when the short window has not burned faster than the factor for `hold` of its length without a break.
    """
    if why := _unmeasured(tier, reading, policy):
        return replace(state, frozen_since=state.frozen_since or at, calm_since=None), why
    state = replace(state, frozen_since=None)
    return (
        _while_firing(state, tier, reading, at, policy)
        if state.state == "firing"
        else _while_calm(state, tier, reading, at, policy)
    )


def frozen(state: AlertState, at: datetime) -> AlertState:
    """The state when not even a reading can be taken, because the ledger is late."""
    return replace(state, frozen_since=state.frozen_since or at, calm_since=None)


def _while_calm(
    state: AlertState, tier: Tier, reading: Reading, at: datetime, policy: Policy
) -> tuple[AlertState, str]:
    if why := _not_enough(tier, reading, policy):
        return state, why
    sentence = f"{_both(tier, reading)}, above {wording.burn(reading.factor)}"
    return AlertState("firing", since=at), f"{sentence}: {_events(reading.long)} in {wording.duration(tier.long)}"


def _while_firing(
    state: AlertState, tier: Tier, reading: Reading, at: datetime, policy: Policy
) -> tuple[AlertState, str]:
    if reading.short_burns:
        return replace(state, calm_since=None), f"{_both(tier, reading)}, above {wording.burn(reading.factor)}"
    calm_since, hold = state.calm_since or at, policy.hold_for(tier)
    calm = f"{_short(tier, reading)}, no longer above {wording.burn(reading.factor)}"
    if at - calm_since >= hold:
        return AlertState("resolved", since=at), calm
    return replace(state, calm_since=calm_since), f"{calm}; resolves if that lasts {wording.duration(hold)}"


def _unmeasured(tier: Tier, reading: Reading, policy: Policy) -> str | None:
    if reading.maintenance:
        return IN_MAINTENANCE
    if reading.short.coverage < policy.min_coverage:
        share = f"only {wording.percent(reading.short.coverage)}" if reading.short.measured else "nothing"
        return f"Frozen: {share} of the last {wording.duration(tier.short)} was measured"
    if not reading.long.measured:
        return f"Frozen: nothing of the last {wording.duration(tier.long)} was measured"
    return None


def _not_enough(tier: Tier, reading: Reading, policy: Policy) -> str | None:
    """Why these numbers do not fire; `None` when they do."""
    factor, long = wording.burn(reading.factor), _long(tier, reading)
    if not reading.long_burns:
        return f"{long}, not above {factor}"
    if not reading.short_burns:
        return f"{long}, but {_short(tier, reading)}: not above {factor}"
    if reading.long.bad < policy.min_bad:
        return f"{_both(tier, reading)}, but only {_events(reading.long)}; {policy.min_bad} bad ones are needed"
    if policy.confidence is None:
        return None
    # In floats, and so is the bound: it is far coarser than their last bit.
    if reading.bound is None or reading.bound <= reading.factor:
        bound = wording.burn(reading.bound or 0.0, reading.factor)
        return f"{long}, but only {bound} with {wording.percent(policy.confidence)} confidence: not above {factor}"
    return None


def _long(tier: Tier, reading: Reading) -> str:
    return f"{wording.burn(reading.burn_long or 0.0, reading.factor)} over {wording.duration(tier.long)}"


def _short(tier: Tier, reading: Reading) -> str:
    return f"{wording.burn(reading.burn_short or 0.0, reading.factor)} over {wording.duration(tier.short)}"


def _both(tier: Tier, reading: Reading) -> str:
    return f"{_long(tier, reading)} and {_short(tier, reading)}"


def _events(totals: Totals) -> str:
    return f"{wording.plain(totals.bad, 12)} of {wording.plain(totals.total, 12)} events bad"
