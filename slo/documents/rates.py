"""Queries of rates, as Sloth's files hold them, as counts: `rate(…[window])` answers events a second, not events."""

import re

from slo.counting import WINDOW, Marks, Sli
from slo.documents import indicators, selectors
from slo.documents.selectors import Selector

EXPRESSION = (
    "The queries are more than sums of counters, so that they are counted as expressions, as they answer for each "
    "time slice. With sum(rate(…)) of plain selectors, each increment would be counted exactly."
)
PER_SECOND = (
    "The queries answer events a second, so that their counts are none of events; the ratio is right. "
    "Use increase() to have the events counted."
)
_PLACEHOLDER = re.compile(r"\{\{-?\s*\.window\s*-?\}\}")
_RATE = re.compile(r"\brate(\s*\()")
_STRING_OR_RANGE = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`|\[[^\[\]]*\]|\{[^{}]*\}")
# Whatever does not grow in proportion when each rate does.
_NOT_LINEAR = re.compile(r"[*/%^<>!]|==|\b(?:irate|deriv|quantile|\w*_quantile|\w*_over_time|clamp\w*|count|group)\b")


def counted(marked: str, total: str, marks: Marks) -> tuple[Sli, list[str]]:
    """The SLI of two queries with `{{.window}}`, and what about it is not as it was. Raises `ValueError`."""
    chosen, all_events = (selectors.rated(query, _PLACEHOLDER) for query in (marked, total))
    if chosen is not None and all_events is not None:
        return indicators.exact(chosen, all_events, marks), []
    rest = _rest(marked, all_events)
    if rest is not None and all_events is not None:
        return indicators.exact(rest, all_events, "good" if marks == "bad" else "bad"), []
    queries = [_PLACEHOLDER.sub(WINDOW, query) for query in (marked, total)]
    notes = [EXPRESSION]
    if any(_RATE.search(query) for query in queries):
        if all(_linear(query) for query in queries):
            queries = [_RATE.sub(r"increase\1", query) for query in queries]
        else:
            notes.append(PER_SECOND)
    return indicators.by_expression(queries[0], queries[1], marks), notes


def _rest(marked: str, all_events: Selector | None) -> Selector | None:
    """What is not marked, where the marked events are all but those: a latency's count without a bucket, say."""
    sides = selectors.difference(marked)
    if sides is None:
        return None
    whole, rest = (selectors.rated(side, _PLACEHOLDER) for side in sides)
    return rest if whole == all_events else None


def windowed(query: str) -> str:
    return _PLACEHOLDER.sub(WINDOW, query)


def _linear(query: str) -> bool:
    """Whether twice the rates answer twice as much, so that rates may be replaced by increases."""
    return not _NOT_LINEAR.search(_STRING_OR_RANGE.sub("", query.replace(WINDOW, "")))
