"""Filters that say what an objective is about: its promise, its window, what an event of it is, and its alert rules."""

from django import template

from dashboards.templatetags.fireline import duration, ratio, span_of, target
from slo.definition import BudgetAlert, NoDataAlert
from slo.definitions import budgeting_of, rule_of, sli_of, window_of
from slo.judgement import Rule
from slo.models import AlertRule, Objective

register = template.Library()

PERIODS = {"week": "week", "month": "month", "quarter": "quarter"}


@register.filter
def promise(objective: Objective) -> str:
    """What must be true of how much: `99.9 % of Checkout’s events are good, over a rolling 30 d.`"""
    return f"{target(objective.target)} of {objective.flow}’s {_good(objective)}, over {_window(objective)}."


def _good(objective: Objective) -> str:
    limit = duration(float(objective.threshold)) if objective.threshold is not None else ""
    budgeting = budgeting_of(objective)
    if budgeting.method == "timeslices" and budgeting.length and budgeting.target is not None:
        return f"{span_of(budgeting.length)} slices have at least {target(budgeting.target)} good events"
    match objective.kind:
        case Objective.Kind.LATENCY if limit:
            return f"events take at most {limit}"
        case Objective.Kind.GAUGE:
            level = f"{objective.threshold:f}".rstrip("0").rstrip(".") if objective.threshold is not None else "?"
            return f"time has a value {objective.get_comparison_display()} {level}"
        case Objective.Kind.FRESHNESS:
            return f"time has a success at most {limit} old"
        case Objective.Kind.BOOL:
            return "time is up"
    return "events are good"


def _window(objective: Objective) -> str:
    window = window_of(objective)
    if not window.calendar:
        return f"a rolling {span_of(window.length)}"
    where = "" if window.zone == "UTC" else f" in {window.zone}"
    return f"each calendar {PERIODS[window.calendar]}{where}"


@register.filter
def window_name(objective: Objective) -> str:
    """In what its budget is given: `30 d`, or `this month`."""
    window = window_of(objective)
    return f"this {PERIODS[window.calendar]}" if window.calendar else span_of(window.length)


@register.filter
def window_so_far(objective: Objective) -> str:
    """What its numbers cover: `the last 30 d`, or `this month so far`."""
    window = window_of(objective)
    return f"this {PERIODS[window.calendar]} so far" if window.calendar else f"the last {span_of(window.length)}"


@register.filter
def events(objective: Objective) -> str:
    """What its counts count."""
    by_time = sli_of(objective).by_time or objective.method == Objective.Method.TIMESLICES
    return "time slices" if by_time else "events"


@register.filter
def limit(objective: Objective) -> str:
    """A latency's threshold beside its target: ` < 300 ms`; empty for other kinds."""
    if objective.kind != Objective.Kind.LATENCY or objective.threshold is None:
        return ""
    return f"< {duration(float(objective.threshold))}"


@register.filter
def rule_name(row: AlertRule) -> str:
    """`1 h / 5 m`, `75 % of the budget spent`, `no data for 15 m`."""
    return rule_in_words(rule_of(row))


@register.filter
def rule_in_words(rule: Rule) -> str:
    """The same of a rule that is not stored."""
    match rule:
        case BudgetAlert():
            return f"{ratio(rule.spent, 0)} of the budget spent"
        case NoDataAlert():
            return f"no data for {span_of(rule.after)}"
    return f"{span_of(rule.long)} / {span_of(rule.short)}"
