"""Which target history supports, when the chosen one is hopeless or trivial."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from slo import wording
from slo.confidence import lower_bound
from slo.windows import Totals

# Targets that people choose: 50, 80, 90, 95, 98, 99, 99.5 % …
USUAL = tuple(1 - Decimal(step).scaleb(-nines) for nines in range(1, 7) for step in (5, 2, 1))
# A suggested target would have spent at most this share of its budget: a little worse may come.
RESERVE = 0.75
# A target is trivial when, with certainty, less than this share of its budget would have been spent.
TRIVIAL = 0.1
# With less than this share of the time measured, history says too little.
MIN_COVERAGE = 0.5

type Verdict = Literal["hopeless", "trivial"]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Another target, and why."""

    verdict: Verdict
    target: Decimal
    sentence: str


def suggest(totals: Totals, target: Decimal) -> Suggestion | None:
    """Another target for what happened in one window; `None` when the chosen one is neither hopeless nor trivial.

    Hopeless: the budget would have been overspent, and no chance explains it (95 % confidence). Trivial: not even a
    tenth would have been spent, with the same confidence; ten good events say nothing about 99.9 %.
    """
    if totals.coverage < MIN_COVERAGE or not totals.total or totals.ratio is None:
        return None
    allowed, least = float(1 - target), lower_bound(totals.bad, totals.total)
    most = 1 - lower_bound(totals.total - totals.bad, totals.total)
    if least > allowed:
        return _hopeless(totals, totals.ratio, target)
    return _trivial(most, target) if most < TRIVIAL * allowed else None


def _hopeless(totals: Totals, ratio: float, target: Decimal) -> Suggestion | None:
    other = _tightest(ratio)
    if other is None or other >= target:
        return None
    good, times = wording.percent(1 - ratio, 5), wording.plain(ratio / float(1 - target), 2)
    sentence = (
        f"{wording.exact_percent(target)} would not have held: {good} of the events were good, "
        f"and {times} times the budget was spent. {wording.exact_percent(other)} would have held."
    )
    return Suggestion("hopeless", other, sentence)


def _trivial(most: float, target: Decimal) -> Suggestion | None:
    other = _tightest(most)
    if other is None or other <= target:
        return None
    sentence = (
        f"{wording.exact_percent(target)} asks for little: less than {wording.percent(most / float(1 - target), 2)} of "
        f"the budget would have been spent. {wording.exact_percent(other)} would have held as well."
    )
    return Suggestion("trivial", other, sentence)


def _tightest(ratio: float) -> Decimal | None:
    """The highest usual target whose budget these errors leave a reserve of."""
    held = [target for target in USUAL if ratio <= RESERVE * float(1 - target)]
    return held[-1] if held else None
