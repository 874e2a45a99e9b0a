"""The share of bad events over a window as PromQL, for rules: extrapolated by `rate()`, as every rule's is."""

import json
import re
from datetime import timedelta
from decimal import Decimal

from slo.counting import WINDOW, Comparison, Matcher, Sli, boundaries, selector
from slo.definition import Definition
from slo.documents import durations

# Longer windows are built from what was recorded of short ones, so that Prometheus does not read 30 days each time.
LONGEST = timedelta(days=3)
# How often a judged expression is looked at.
STEP = timedelta(minutes=1)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_SIGNS: dict[Comparison, str] = {"lte": "<=", "lt": "<", "gte": ">=", "gt": ">"}


def ratio(definition: Definition, window: timedelta) -> str:
    """Bad events per event over `window`; nothing while there are none. Raises `ValueError` for a lacking part."""
    sli, budgeting = definition.sli, definition.budgeting
    if sli.by_time:
        return f"1 - avg_over_time(({_good(sli)})[{durations.text(window)}:{durations.text(STEP)}])"
    if budgeting.method == "timeslices" and budgeting.length is not None and budgeting.target is not None:
        bad, total = _events(sli, budgeting.length)
        # A time slice without events is a good one.
        verdict = f"(({bad}) / ({total} > 0) or {total}) > bool {1 - budgeting.target:f}"
        return f"avg_over_time(({verdict})[{durations.text(window)}:{durations.text(budgeting.length)}])"
    bad, total = _events(sli, window)
    return f"({bad}) / ({total} > 0)"


def counts(definition: Definition, window: timedelta) -> tuple[str, str] | None:
    """Bad and all events within `window`; `None` where time slices count."""
    if definition.sli.by_time or definition.budgeting.method == "timeslices":
        return None
    return _events(definition.sli, window)


def native(sli: Sli) -> Sli:
    """A latency counted by native histograms, as `histogram_fraction` interpolates them; any other as it is."""
    if sli.kind != "latency" or sli.by_expression:
        return sli
    counted = f"increase({selector(sli.metric, sli.matchers)}[{WINDOW}])"
    total = f"histogram_count({counted})"
    # Of nothing observed the fraction is NaN, which compares with nothing.
    good = f"histogram_fraction(-Inf, {_limit(sli).normalize():f}, {counted}) * {total} >= 0"
    return Sli("events", bad_expression=good, total_expression=total, marks="good", group_by=sli.group_by)


def _events(sli: Sli, window: timedelta) -> tuple[str, str]:
    marked, total = _marked(sli, window)
    # Until the first of them, marked events have no series: there were none.
    marked = f"({marked} or {total} * 0)"
    return (f"{total} - {marked}" if sli.counts_good else marked), total


def _marked(sli: Sli, window: timedelta) -> tuple[str, str]:
    if sli.by_expression:
        marked, total = (_own(sli, query, window) for query in (sli.bad_expression, sli.total_expression))
        return marked, total
    if sli.kind == "latency":
        edge = Matcher("le", "=~", "|".join(re.escape(one) for one in boundaries(_limit(sli))))
        marked = selector(f"{sli.metric}_bucket", (*sli.matchers, edge))
        return _increase(sli, marked, window), _increase(sli, selector(f"{sli.metric}_count", sli.matchers), window)
    rest = sli.bad_matchers if sli.bad_metric else (*sli.matchers, *sli.bad_matchers)
    marked = selector(sli.bad_metric or sli.metric, rest)
    return _increase(sli, marked, window), _increase(sli, selector(sli.metric, sli.matchers), window)


def _limit(sli: Sli) -> Decimal:
    if sli.threshold is None:
        raise ValueError("It needs a threshold.")
    return sli.threshold


def _good(sli: Sli) -> str:
    """1 while the worst series is good, 0 while it is not."""
    expression = f"(\n{sli.expression}\n)"
    match sli.kind:
        case "freshness":
            verdict = f"(time() - {expression}) <= bool {_limit(sli):f}"
        case "bool":
            verdict = f"{expression} == bool 1"
        case _:
            verdict = f"{expression} {_SIGNS[sli.comparison]} bool {_limit(sli):f}"
    return f"min{_by(sli)} ({verdict})"


def _increase(sli: Sli, series: str, window: timedelta) -> str:
    return f"sum{_by(sli)} (increase({series}[{durations.text(window)}]))"


def _own(sli: Sli, expression: str, window: timedelta) -> str:
    # On lines of its own, so that a comment at its end does not swallow the bracket.
    return f"sum{_by(sli)} (\n{expression.replace(WINDOW, durations.text(window))}\n)"


def _by(sli: Sli) -> str:
    names = (label if _LABEL.fullmatch(label) else json.dumps(label, ensure_ascii=False) for label in sli.group_by)
    return f" by({', '.join(names)})" if sli.group_by else ""
