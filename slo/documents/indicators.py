"""From the queries of a document to an SLI: exact counting where they are plain selectors, expressions otherwise."""

import re
from collections import Counter
from decimal import Decimal, InvalidOperation

from slo.counting import WINDOW, Comparison, Marks, Matcher, Sli
from slo.documents import selectors
from slo.documents.selectors import Selector

NOTHING_MARKED = "Both queries choose the same series, so that every event would be marked. Add what marks them."
RATIO = (
    "The query answers a ratio, not counts: each time slice weighs the same, a quiet one like a busy one. "
    "With good and total, events are counted."
)
PERHAPS_COUNTERS = (
    "The query names counters without counter: true, so that each slice takes their value as it is. "
    "Say counter: true to have what they count."
)
NOT_SELECTORS = (
    "These counters are expressions, so that Fireline takes the growth of their value. "
    "With plain selectors, each increment is counted exactly."
)
_COUNTER = re.compile(r".+_(total|count|bucket)")


def exact(marked: Selector, total: Selector, marks: Marks) -> Sli:
    """Counters read increment by increment. Raises `ValueError` when nothing tells marked events from others."""
    if latency := _latency(marked, total, marks):
        return latency
    rest = _beyond(marked.matchers, total.matchers)
    if marked.metric != total.metric or rest is None:
        return Sli("events", total.metric, total.matchers, marked.matchers, marks=marks, bad_metric=marked.metric)
    if not rest:
        raise ValueError(NOTHING_MARKED)
    return Sli("events", total.metric, total.matchers, rest, marks=marks)


def by_expression(marked: str, total: str, marks: Marks) -> Sli:
    """Each query answers the events of one slice, which ends at the instant it is asked for."""
    return Sli("events", bad_expression=marked, total_expression=total, marks=marks)


def growth(counter: str) -> str:
    """What a counter given by an expression counted within a slice; after a reset, what it counted since."""
    # Of an expression the past is only answered by a subquery; one step of one second is one evaluation.
    before = f"last_over_time((\n{counter}\n)[1s:1s] offset {WINDOW})"
    return f"((\n{counter}\n) - {before} >= 0) or ((\n{counter}\n) and {before})"


def of_ratio(query: str, answers_good: bool) -> Sli:
    """Each slice is one event, bad by as much as the ratio says."""
    bad = f"1 - (\n{query}\n)" if answers_good else query
    return Sli("events", bad_expression=bad, total_expression=f"(\n{query}\n) * 0 + 1")


def gauge(expression: str, comparison: Comparison, threshold: Decimal) -> Sli:
    return Sli("gauge", expression=expression, comparison=comparison, threshold=threshold)


def perhaps_counters(*queries: str) -> bool:
    """Whether these are plain selectors of what is named as a counter."""
    found = [selectors.parse(query) for query in queries]
    return any(one is not None and _COUNTER.fullmatch(one.metric) for one in found)


def _latency(good: Selector, total: Selector, marks: Marks) -> Sli | None:
    """A histogram's bucket over its count, or over its last bucket."""
    name = good.metric.removesuffix("_bucket")
    if marks != "good" or name == good.metric:
        return None
    if total == Selector(good.metric, total.matchers) and _boundary(total) is None:
        all_events = [one for one in total.matchers if one.label == "le"] == [Matcher("le", "=", "+Inf")]
        total = total.without("le") if all_events else Selector("")
    elif total.metric != f"{name}_count":
        return None
    threshold = _boundary(good)
    if not total.metric or threshold is None or _beyond(good.without("le").matchers, total.matchers) != ():
        return None
    return Sli("latency", name, total.matchers, threshold=threshold)


def _boundary(bucket: Selector) -> Decimal | None:
    match [one for one in bucket.matchers if one.label == "le"]:
        case [Matcher("le", "=", value)]:
            try:
                boundary = Decimal(value)
            except InvalidOperation:
                return None
            return boundary if boundary.is_finite() else None
    return None


def _beyond(matchers: tuple[Matcher, ...], base: tuple[Matcher, ...]) -> tuple[Matcher, ...] | None:
    """What `matchers` ask on top of `base`; `None` if they lack one of its."""
    missing = Counter(base)
    rest = list[Matcher]()
    for one in matchers:
        if missing[one]:
            missing[one] -= 1
        else:
            rest.append(one)
    return None if missing.total() else tuple(rest)
