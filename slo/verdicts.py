"""Time slices that are judged good or bad as a whole, from the events in them."""

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from slo.counting import Comparison, Sli
from slo.definition import Budgeting
from slo.slices import Measured

_COMPARED: Mapping[Comparison, Callable[[float, float], bool]] = {
    "lte": operator.le,
    "lt": operator.lt,
    "gte": operator.ge,
    "gt": operator.gt,
}


def judged(budgeting: Budgeting, slices: Sequence[Measured]) -> list[Measured]:
    """With a budget of time slices each is one event: bad when too few of its own events were good.

    One without events is good. With a budget of events they stay as they are.
    """
    if budgeting.method == "occurrences" or budgeting.target is None:
        return list(slices)
    return [_judged(budgeting, one) for one in slices]


def _judged(budgeting: Budgeting, one: Measured) -> Measured:
    if one.total is None or one.bad is None or budgeting.target is None:
        return one
    # As Decimal: in floats, 95 of 100 is less than 0.95.
    bad = Decimal(one.total) - Decimal(one.bad) < Decimal(one.total) * budgeting.target
    return Measured(one.start, one.end, float(bad), 1.0)


def is_good(sli: Sli, value: float, at: datetime) -> bool:
    """Whether a gauge, a freshness (a Unix time that must be recent) or a bool is good at an instant."""
    threshold = float(sli.threshold or 0)
    match sli.kind:
        case "bool":
            return value == 1
        case "freshness":
            return at.timestamp() - value <= threshold
    return _COMPARED[sli.comparison](value, threshold)
