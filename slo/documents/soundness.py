"""Whether a definition makes sense, and fits where objectives are stored: a sentence for everything that does not."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

from slo import tiers, wording
from slo.counting import Sli
from slo.definition import Definition
from slo.tiers import Tier

SHORTEST, LONGEST = timedelta(hours=1), timedelta(days=366)
LONGEST_NAME = 80
LONGEST_METRIC = 200
# Decimal places that are kept.
OF_TARGETS, OF_SHARES, OF_LIMITS, OF_CONFIDENCES = 11, tiers.SHARE_PLACES, 9, 3
LARGEST_LIMIT = Decimal(10) ** 15
MOST_BAD = 32_767


def problems(definition: Definition) -> list[str]:
    return [*_naming(definition), *_counting(definition.sli), *_budget(definition), *_alerting(definition)]


def fitting(found: Sequence[Tier], window: timedelta, target: Decimal) -> tuple[tuple[Tier, ...], list[str]]:
    """Another tool's alerts that make sense here, and a sentence for each other one, which never fires."""
    refused = {tier: problem for tier in found if (problem := tiers.problem(tier, window, target))}
    kept = tuple(tier for tier in found if tier not in refused)
    return kept, [f"The alert {_tier(tier)} was left out. {problem}" for tier, problem in refused.items()]


def _tier(tier: Tier) -> str:
    return f"{tier.severity} {wording.duration(tier.long)} / {wording.duration(tier.short)}"


def _naming(definition: Definition) -> Iterator[str]:
    for what, name in (("objective", definition.name), ("flow", definition.flow)):
        if len(name) > LONGEST_NAME:
            yield f"The name of the {what} has {len(name)} letters. Choose one of at most {LONGEST_NAME}."
    if any("\0" in text for text in _texts(definition)):
        yield "It holds a NUL sign, which no database keeps. Take it out."


def _texts(definition: Definition) -> Iterator[str]:
    sli = definition.sli
    yield from (definition.name, definition.flow, definition.description, *sli.group_by)
    yield from (sli.metric, sli.bad_metric, sli.bad_expression, sli.total_expression, sli.expression)
    for pair in definition.labels.items():
        yield from pair
    for matcher in (*sli.matchers, *sli.bad_matchers):
        yield from (matcher.label, matcher.value)


def _counting(sli: Sli) -> Iterator[str]:
    for metric in (sli.metric, sli.bad_metric):
        if len(metric) > LONGEST_METRIC:
            yield f"The metric's name has {len(metric)} letters; Fireline keeps at most {LONGEST_METRIC}."
    if sli.threshold is not None and (_places(sli.threshold) > OF_LIMITS or abs(sli.threshold) >= LARGEST_LIMIT):
        yield f"The limit {sli.threshold} has too many digits: {OF_LIMITS} after the point are kept, 15 before."
    if sli.kind == "latency" and sli.threshold is not None and sli.threshold <= 0:
        yield "A latency's limit is a time above 0."
    if len(set(sli.group_by)) < len(sli.group_by):
        yield "A label can be grouped by only once."


def _budget(definition: Definition) -> Iterator[str]:
    window, budgeting = definition.window.length, definition.budgeting
    if not SHORTEST <= window <= LONGEST:
        yield (
            f"A window of {wording.duration(window)} is not possible: "
            f"it lasts from {wording.duration(SHORTEST)} to {wording.duration(LONGEST)}."
        )
    if _places(definition.target) > OF_TARGETS:
        yield f"The target {definition.target} has more digits than are kept: {OF_TARGETS} after the point."
    if budgeting.length is not None and not timedelta(0) < budgeting.length <= window:
        yield "A time slice is longer than nothing and at most as long as the window."


def _alerting(definition: Definition) -> Iterator[str]:
    for tier in definition.tiers:
        if problem := tiers.problem(tier, definition.window.length, definition.target):
            yield f"The tier {_tier(tier)}: {problem}"
    shares = [tier.budget_share for tier in definition.tiers]
    for alert in definition.budget_alerts:
        shares.append(alert.spent)
        if not 0 < alert.spent <= 1:
            yield f"A budget alert tells when up to {wording.percent(1)} is spent, not {wording.percent(alert.spent)}."
    if any(_places(share) > OF_SHARES for share in shares):
        yield f"A share of the budget has more digits than are kept: {OF_SHARES - 2} after the point of a percentage."
    if definition.no_data and definition.no_data.after <= timedelta(0):
        yield "A no-data alert waits longer than nothing."
    confidence = definition.policy.confidence
    if confidence is not None and _places(Decimal(str(confidence))) > OF_CONFIDENCES:
        yield f"The confidence {confidence} has more digits than are kept: {OF_CONFIDENCES} after the point."
    if not 1 <= definition.policy.min_bad <= MOST_BAD:
        yield f"At least 1 bad event is needed for an alert, at most {MOST_BAD}."


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
