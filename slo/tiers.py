"""Alert tiers as data: the SRE workbook's, the same for other windows, and how soon each one can fire."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import ROUND_HALF_EVEN, ROUND_UP, Context, Decimal
from typing import Literal

from slo import wording

type Severity = Literal["page", "ticket"]

# Below this, a window holds too few scrapes to say anything.
SHORTEST = timedelta(minutes=5)
SHORT_PER_LONG = 12
# What is kept of a share of the budget.
SHARE_PLACES = 12
# Of a factor: fewer digits than shares have, so that 14 over 28 days, a share of 0.02083…, is 14 again.
_FACTOR = Context(prec=8, rounding=ROUND_HALF_EVEN)
# Lengths that people can remember; windows that must shrink or grow take one of these.
_ROUND = (
    *(timedelta(minutes=count) for count in (5, 10, 15, 20, 30, 45)),
    *(timedelta(hours=count) for count in (1, 2, 3, 4, 6, 8, 12, 16, 20)),
    *(timedelta(days=count) for count in (1, 2, 3, 4, 5, 7, 10, 14, 21, 28)),
)


@dataclass(frozen=True, slots=True)
class Tier:
    """Fires when `budget_share` (0…1) of the whole budget burns within `long`, and `short` says it still does."""

    severity: Severity
    long: timedelta
    short: timedelta
    budget_share: Decimal

    def factor(self, window: timedelta) -> Decimal:
        """The burn rate above which it fires, for an objective over `window`; 1 spends the budget exactly."""
        return _FACTOR.plus(self.budget_share * _quotient(window, self.long))


def share_of(factor: Decimal, long: timedelta, window: timedelta) -> Decimal:
    """The share of the budget that burns within `long` at a burn rate of `factor`; `Tier.factor` gives that back."""
    share = factor / _quotient(window, long)
    return share.quantize(Decimal(1).scaleb(-SHARE_PLACES), ROUND_HALF_EVEN).normalize()


# Site Reliability Workbook, chapter 5, table 5-8: burn rates 14.4, 6, 3 and 1 over 30 days.
WORKBOOK_TIERS = (
    Tier("page", timedelta(hours=1), timedelta(minutes=5), Decimal("0.02")),
    Tier("page", timedelta(hours=6), timedelta(minutes=30), Decimal("0.05")),
    Tier("ticket", timedelta(days=1), timedelta(hours=2), Decimal("0.10")),
    Tier("ticket", timedelta(days=3), timedelta(hours=6), Decimal("0.10")),
)
# What a slow burn may cost that no page tells: all of the budget, over the whole window.
TRICKLE_SHARE = Decimal(1)
TRICKLE_SHORT = 10


@dataclass(frozen=True, slots=True)
class Preset:
    """A choice of tiers for an objective over 30 days, which is scaled for others."""

    name: str
    about: str
    tiers: tuple[Tier, ...]
    # Whether a ticket tells of a flow that spends its whole budget too slowly for any of `tiers`.
    trickle: bool

    def scaled(self, window: timedelta, target: Decimal | None = None) -> tuple[Tier, ...]:
        """The tiers for an objective over `window`; see `scaled_for`."""
        last = (trickle(window),) if self.trickle else ()
        return tuple(dict.fromkeys((*(_scaled(tier, window, target) for tier in self.tiers), *last)))


WORKBOOK = Preset(
    "Workbook", "Two pages and three tickets: the Site Reliability Workbook's, and a trickle.", WORKBOOK_TIERS, True
)
PRESETS = (
    WORKBOOK,
    Preset("Pages only", "What somebody should be woken for; nothing else.", WORKBOOK_TIERS[:2], False),
    Preset("Tickets only", "Nobody is woken: for flows that can wait until the morning.", WORKBOOK_TIERS[2:], True),
    Preset(
        "Patient",
        "Waits until twice as much is spent, so that fewer people are woken.",
        tuple(replace(tier, budget_share=2 * tier.budget_share) for tier in WORKBOOK_TIERS),
        True,
    ),
)


def trickle(window: timedelta) -> Tier:
    """A ticket for a flow that fails now and then, too rarely for any other tier, until its whole budget is spent."""
    return Tier("ticket", window, window / TRICKLE_SHORT, TRICKLE_SHARE)


def scaled_for(window: timedelta, target: Decimal | None = None) -> tuple[Tier, ...]:
    """The workbook's tiers for an objective over `window`, and the one for a trickle.

    What a tier promises is its share of the budget, so that share stays, and with it the time to detection: it
    does not depend on the length of the long window. The long window stays too, as long as its factor is at
    least 1: below, it would alert on a flow that ends its window with budget left. Otherwise it shrinks. Windows
    under 5 minutes measure noise, so very short objectives raise the share instead. With a `target`, a long
    window grows until a complete outage exceeds its factor. Tiers that become equal are given once.
    """
    return WORKBOOK.scaled(window, target)


def _scaled(tier: Tier, window: timedelta, target: Decimal | None) -> Tier:
    long = next(_shorter(tier.long, window, tier.budget_share))
    if target is not None:
        long = next((length for length in _longer(long) if _can_fire(tier, length, window, target)), long)
    share = max(tier.budget_share, _quotient(long, window).quantize(Decimal("0.000001"), ROUND_UP))
    short = tier.short if long == tier.long else max(long / SHORT_PER_LONG, timedelta(minutes=1))
    return Tier(tier.severity, long, short, share)


def _shorter(long: timedelta, window: timedelta, share: Decimal) -> Iterator[timedelta]:
    candidates = [length for length in _ROUND if length <= long]
    yield from (length for length in reversed(candidates) if share * _quotient(window, length) >= 1)
    yield SHORTEST


def _longer(long: timedelta) -> Iterator[timedelta]:
    yield long
    yield from (length for length in _ROUND if length > long)


def _can_fire(tier: Tier, long: timedelta, window: timedelta, target: Decimal) -> bool:
    return tier.budget_share * _quotient(window, long) * (1 - target) < 1


def detection_time(
    tier: Tier,
    window: timedelta,
    target: Decimal,
    error_ratio: float | Decimal,
    rate: float | None = None,
    min_bad: int = 2,
) -> timedelta | None:
    """How long errors at `error_ratio` (0…1), after a time without any, take to fire `tier`; `None`: never.

    (1 − target) / error ratio · long · factor (Site Reliability Workbook, chapter 5). The short window is full of
    errors by then, as it is the shorter one. With `rate` (events a second) at least as long as `min_bad` bad
    events take. Slices and the confidence that a page needs come on top.
    """
    ratio = Decimal(str(error_ratio))
    threshold = (1 - target) * tier.factor(window)
    if ratio <= threshold:
        return None
    longest = _seconds(tier.long) * threshold / ratio
    if rate is not None:
        if rate <= 0:
            return None
        longest = max(longest, min_bad / (Decimal(str(rate)) * ratio))
    return timedelta(seconds=float(longest))


def problem(tier: Tier, window: timedelta, target: Decimal) -> str | None:
    """Why this tier makes no sense for the objective, as a sentence for its author; `None` when it does."""
    if tier.short <= timedelta(0) or not 0 < tier.budget_share <= 1:
        return f"Windows must be longer than nothing, and the share of the budget at most {wording.percent(1)}."
    if tier.short >= tier.long:
        return (
            f"The short window ({wording.duration(tier.short)}) must be shorter than the long one "
            f"({wording.duration(tier.long)}): it tells that the burn still lasts."
        )
    if tier.long > window:
        return (
            f"The long window ({wording.duration(tier.long)}) is longer than the objective's "
            f"({wording.duration(window)}). Choose a shorter one."
        )
    return _never_fires(tier, window, target)


def _never_fires(tier: Tier, window: timedelta, target: Decimal) -> str | None:
    factor, most = tier.factor(window), 1 / (1 - target)
    if factor < most:
        return None
    return (
        f"This tier can never fire: it needs a burn rate above {wording.burn(factor)}, but with a target of "
        f"{wording.exact_percent(target)} even a complete outage burns at {wording.burn(most)} only. "
        "Choose a longer long window or a smaller share of the budget."
    )


def _seconds(length: timedelta) -> Decimal:
    return Decimal(length // timedelta(microseconds=1)) / 1_000_000


def _quotient(length: timedelta, other: timedelta) -> Decimal:
    # Decimal, because timedelta / timedelta is a float, and 0.02 · 720 would print as 14.399999999999999.
    return _seconds(length) / _seconds(other)
