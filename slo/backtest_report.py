"""A backtest as people and programs read it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from slo import groups, wording
from slo.absence import Absence
from slo.backtest import Backtest
from slo.confidence import lower_bound
from slo.definition import BudgetAlert, NoDataAlert
from slo.judgement import Rule
from slo.outcome import Outcome
from slo.replay import Event
from slo.spending import Spent
from slo.states import Policy, Reading
from slo.tiers import Tier
from slo.windows import Totals

_UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("m", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
)


def as_json(backtest: Backtest) -> dict[str, Any]:
    """The counts, budget and transitions of every group; times in RFC 3339, lengths in seconds, ratios 0…1.

    `transitions` are those of tiers; `lower_bound` is the lowest error ratio that the long window's counts allow with
    the objective's confidence. `notices` are those of budget and no-data alerts.
    """
    return {
        "objective": backtest.definition.name,
        "start": _instant(backtest.start),
        "end": _instant(backtest.end),
        "groups": [_group(one, backtest.definition.policy) for one in backtest.groups],
    }


def as_text(backtest: Backtest) -> str:
    """A table of the groups, and a line for every change of an alert."""
    head = ("group", "good", "bad", "total", "unmeasured", "excluded", "budget left")
    table = [head, *(_row(one) for one in backtest.groups)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    return "\n".join(
        [
            f"{backtest.definition.name}: {_clock(backtest.start)} to {_clock(backtest.end)}",
            "",
            *("  ".join(_cell(text, widths[n], n) for n, text in enumerate(row)).rstrip() for row in table),
            "",
            *(line for one in backtest.groups for line in _told(one)),
        ]
    )


def name(rule: Rule) -> str:
    """`1h/5m`, `budget 50 %`, `no data 15m`."""
    match rule:
        case Tier():
            return f"{_length(rule.long)}/{_length(rule.short)}"
        case BudgetAlert():
            return f"budget {wording.percent(rule.spent)}"
        case NoDataAlert():
            return f"no data {_length(rule.after)}"


def _length(length: timedelta) -> str:
    """As Prometheus writes it: `5m`, `1h20m`, `3d`."""
    parts, rest = list[str](), length
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def _group(one: Outcome, policy: Policy) -> dict[str, Any]:
    return {
        "group": groups.labels(one.group),
        "good": _count(one.totals.total - one.totals.bad),
        "bad": _count(one.totals.bad),
        "total": _count(one.totals.total),
        "unmeasured_seconds": _count(one.unmeasured.total_seconds()),
        "excluded_seconds": _count(one.totals.excluded.total_seconds()),
        "budget_remaining": one.remaining,
        "transitions": [_transition(event, policy) for event in one.events if isinstance(event.reading, Reading)],
        "notices": [_notice(event) for event in one.events if not isinstance(event.reading, Reading)],
    }


def _transition(event: Event, policy: Policy) -> dict[str, Any]:
    return _change(event) | _numbers(event.reading, policy) | {"reason": event.reason, "silenced": event.silenced}


def _change(event: Event) -> dict[str, Any]:
    return {
        "at": _instant(event.at),
        "tier": name(event.rule),
        "severity": event.rule.severity,
        "state": event.new,
    }


def _numbers(reading: object, policy: Policy) -> dict[str, Any]:
    if not isinstance(reading, Reading):
        return {}
    long = reading.long
    bound = lower_bound(long.bad, long.total, policy.confidence) if policy.confidence is not None else None
    return {
        "long": _window(long, reading.burn_long),
        "short": _window(reading.short, reading.burn_short),
        "lower_bound": bound,
    }


def _window(totals: Totals, burn: float | None) -> dict[str, Any]:
    return {"bad": _count(totals.bad), "total": _count(totals.total), "burn": burn}


def _notice(event: Event) -> dict[str, Any]:
    said = {key: value for key, value in _change(event).items() if key != "tier"} | {"rule": name(event.rule)}
    match event.reading:
        case Spent(share=share):
            said["spent"] = share
        case Absence(totals=totals):
            said["measured_seconds"] = _count(totals.measured.total_seconds())
    return said | {"reason": event.reason}


def _row(one: Outcome) -> Sequence[str]:
    left = "unmeasured" if one.remaining is None else wording.percent(one.remaining)
    return (
        groups.text(one.group) or "all",
        wording.plain(one.totals.total - one.totals.bad, 15),
        wording.plain(one.totals.bad, 15),
        wording.plain(one.totals.total, 15),
        wording.duration(one.unmeasured),
        wording.duration(one.totals.excluded),
        left,
    )


def _cell(text: str, width: int, column: int) -> str:
    return text.rjust(width) if column else text.ljust(width)


def _told(one: Outcome) -> Iterator[str]:
    if one.group:
        yield groups.text(one.group)
    if not one.events:
        yield "No alert would have fired."
    for event in one.events:
        state = f"{event.new}, silenced by a page" if event.silenced else event.new
        yield f"{_clock(event.at)}  {event.rule.severity:6}  {name(event.rule):12}  {state}: {event.reason}"


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _count(number: float) -> float:
    """Whole numbers without a fraction."""
    return int(number) if number == int(number) else number
