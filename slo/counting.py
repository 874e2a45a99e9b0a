"""How an SLI is counted: one PromQL query that answers the bad (or good) and all events of one slice, exactly.

`increase()` is not used: it ignores the value that a series is born with and extrapolates at the edges. Instead each
observed increment is counted once, by the value now against the value at the slice's start; docs/concepts.md says
how each case is treated.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal

type Kind = Literal["events", "latency", "gauge", "freshness", "bool"]
type Operator = Literal["=", "!=", "=~", "!~"]
type Marks = Literal["bad", "good"]
type Comparison = Literal["lte", "lt", "gte", "gt"]

# The label by which the answer's series are told apart; `good` stands in for `bad` where a bucket counts the good.
ANSWER = "fireline"
# How far back a series that returns after a gap is remembered.
MEMORY = timedelta(hours=1)
WINDOW = "{{window}}"

_PLAIN_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# Escaping any other character would make it a pattern like any other.
_SPECIAL = re.compile(r"[\\.+*?()|\[\]{}^$]")
_PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Matcher:
    label: str
    op: Operator
    value: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The series of a metric that the matchers choose."""

    metric: str
    matchers: tuple[Matcher, ...] = ()

    @property
    def selector(self) -> str:
        return selector(self.metric, self.matchers)


@dataclass(frozen=True, slots=True)
class Sli:
    """How events are counted.

    `events`: a counter; `matchers` choose the series that count, `bad_matchers` the bad ones among them (or, as
    `marks` says, the good ones); with a `bad_metric` these are series of another counter, chosen by `bad_matchers`
    alone. `latency`: a histogram, named without `_bucket`; good took at most `threshold` seconds, a bucket's
    boundary. Either is replaced by two expressions with `{{window}}`, which then count in their own way.

    `gauge`, `freshness`, `bool`: a time slice is an event. It is good when the `expression` compares with the
    threshold as asked, when the Unix time that it answers is at most `threshold` seconds old, when it is 1.

    With `group_by`, each set of values of these labels is counted by itself.
    """

    kind: Kind
    metric: str = ""
    matchers: tuple[Matcher, ...] = ()
    bad_matchers: tuple[Matcher, ...] = ()
    threshold: Decimal | None = None
    bad_expression: str = ""
    total_expression: str = ""
    marks: Marks = "bad"
    bad_metric: str = ""
    expression: str = ""
    comparison: Comparison = "lte"
    group_by: tuple[str, ...] = ()

    @property
    def by_expression(self) -> bool:
        """Whether free PromQL counts, rather than the series of counters."""
        return bool(self.total_expression)

    @property
    def by_time(self) -> bool:
        """Whether time slices are judged, rather than events counted."""
        return self.kind in ("gauge", "freshness", "bool")

    @property
    def counts_good(self) -> bool:
        """Whether the query answers good events instead of bad ones."""
        return (self.kind == "latency" and not self.by_expression) or self.marks == "good"


def promql(sli: Sli, slice: timedelta) -> str:
    """The query for a slice of this length that ends at the instant it is asked for.

    It answers two series of one value for each group, with the group's labels: `fireline="total"`, and
    `fireline="bad"` or, where the good events are counted, `fireline="good"`. No `total` means that nothing was
    measured; without the other there were none of them. Raises `ValueError` for an SLI that lacks a part.
    """
    by = f" by({', '.join(map(_label, sli.group_by))}) " if sli.group_by else ""
    marked = "good" if sli.counts_good else "bad"
    if sli.by_expression:
        parts = {marked: _own(sli.bad_expression, by, slice), "total": _own(sli.total_expression, by, slice)}
    else:
        total = total_choice(sli)
        parts = {
            marked: _increments(marked_choice(sli), total, by, slice),
            "total": _increments(total, total, by, slice),
        }
    return " or ".join(f'label_replace({query}, "{ANSWER}", "{name}", "", "")' for name, query in parts.items())


def alternatives(label: str, values: Sequence[str]) -> Matcher:
    """Any of these values, in the one form that Prometheus looks up instead of trying a pattern on every value."""
    if len(values) == 1:
        return Matcher(label, "=", values[0])
    return Matcher(label, "=~", "|".join(_SPECIAL.sub(r"\\\g<0>", value) for value in values))


def selector(metric: str, matchers: Iterable[Matcher] = ()) -> str:
    """`metric{label="value",…}` with everything escaped that needs to be."""
    terms = [term(matcher) for matcher in matchers]
    if metric and not _PLAIN_METRIC.fullmatch(metric):
        terms.insert(0, f"__name__={_quoted(metric)}")
        metric = ""
    return f"{metric}{{{','.join(terms)}}}"


def matchers_of(rows: Sequence[Mapping[str, str]]) -> tuple[Matcher, ...]:
    """Matchers as an objective stores them: `{"label": …, "op": …, "value": …}`. Raises `ValueError`."""
    return tuple(_matcher(row) for row in rows)


def boundaries(threshold: Decimal) -> tuple[str, ...]:
    """Every way in which clients write this bucket boundary as `le`: `1` and `1.0`, `1e-05` and `0.00001`."""
    fixed = f"{threshold.normalize():f}"
    number = float(threshold)
    return tuple(dict.fromkeys((fixed, fixed if "." in fixed else f"{fixed}.0", repr(number), f"{number:g}")))


def total_choice(sli: Sli) -> Choice:
    """The counters of all events."""
    return Choice(f"{sli.metric}_count" if sli.kind == "latency" else sli.metric, sli.matchers)


def marked_choice(sli: Sli) -> Choice:
    """The counters of the bad events, or of the good ones if `counts_good`. Raises `ValueError` without a mark."""
    if sli.kind == "latency":
        if sli.threshold is None:
            raise ValueError("A latency SLI needs a threshold.")
        edge = Matcher("le", "=~", "|".join(re.escape(boundary) for boundary in boundaries(sli.threshold)))
        return Choice(f"{sli.metric}_bucket", (*sli.matchers, edge))
    if sli.bad_metric:
        return Choice(sli.bad_metric, sli.bad_matchers)
    if not sli.bad_matchers:
        raise ValueError("Nothing marks the bad ones among its events, so all of them would be bad.")
    return Choice(sli.metric, (*sli.matchers, *sli.bad_matchers))


def native_choice(sli: Sli) -> Choice | None:
    """The native histograms of a latency SLI, where a store has them."""
    return Choice(sli.metric, sli.matchers) if sli.kind == "latency" else None


def choices(sli: Sli) -> tuple[Choice, ...]:
    """All series that its counting needs; none for an SLI that is not counted from series. Raises `ValueError`."""
    if sli.by_expression or sli.by_time:
        return ()
    total, marked, native = total_choice(sli), marked_choice(sli), native_choice(sli)
    within = sli.kind != "latency" and not sli.bad_metric
    return (total, *(() if within else (marked,)), *((native,) if native else ()))


def _own(expression: str, by: str, slice: timedelta) -> str:
    if not expression.strip():
        raise ValueError("It needs an expression for its bad events and one for all events.")
    # On lines of its own, so that a comment at the expression's end does not swallow the bracket.
    return f"sum{by}(\n{expression.replace(WINDOW, _promql_duration(slice))}\n)"


def _increments(chosen: Choice, all: Choice, by: str, slice: timedelta) -> str:
    """Sum of what the series of `chosen` counted in the slice: their last value in it, less where they started from.

    - A series that was there when the slice began started from its value then.
    - One that was not started from its last value of the past hour, if its target was not up (or not there) when the
      slice began: it is back after a gap.
    - One whose target was never seen within the past hour started from its first value: a baseline, not a burst;
      unless another of the target's series has more scrapes in the slice, so that this one was born under our eyes.
    - Any other is new on a known target, or was reset, and started from zero. When its peak within the slice came
      before the reset, the way up to the peak counts too.

    Where counters are pushed and there is no `up`, the series of `all` events say which targets were there. A
    series without a scrape in the slice stands still; one that died in it still counts its last scrapes.
    """
    # Every operator costs about as much as all the reading: hence `unless` and `or` on sets that are mostly empty.
    m, counted = chosen.selector, all.selector
    s, hour = _promql_duration(slice), _promql_duration(MEMORY)
    now, peak, low = (f"{what}_over_time({m}[{s}])" for what in ("last", "max", "min"))
    before = f"{m} offset {s}"
    up = f"up{{{','.join(term(matcher) for matcher in all.matchers if matcher.label in ('job', 'instance'))}}}"
    was_up = f"({up} offset {s} == 1 or group by(instance, job) ({counted} offset {s}))"
    was_seen = (
        f"(max_over_time({up}[{hour}] offset {s}) == 1"
        f" or group by(instance, job) (last_over_time({counted}[{hour}] offset {s})))"
    )
    return_from = f"last_over_time({m}[{hour}] offset {s}) unless on(instance, job) {was_up}"
    born_later = (
        f"(count_over_time({m}[{s}]) < on(instance, job) group_left()"
        f" max by(instance, job) (count_over_time({counted}[{s}])))"
    )
    baseline = f"{low} unless on(instance, job) {was_seen} unless {born_later}"
    started_from = f"({before} or ({return_from} or {baseline}))"
    # By a label of their own, the two are told apart in one sum, which then needs no zero for groups without a peak.
    return f"""(
  sum{by}(
    ({now} >= {peak}) - ({started_from} <= {low})
    or {now}
    or label_replace(({peak} > {now}) - {before} >= 0, "{ANSWER}", "peak", "", "")
  )
  or count{by}({m}) * 0
)"""


def _matcher(row: Mapping[str, str]) -> Matcher:
    label, op, value = row["label"], row.get("op", "="), row["value"]
    match op:
        case "=" | "!=" | "=~" | "!~":
            return Matcher(label, op, value)
    raise ValueError(f"{op!r} is not a way to match a label; use =, !=, =~ or !~.")


def term(matcher: Matcher) -> str:
    """`label="value"`, as a selector has it."""
    return f"{_label(matcher.label)}{matcher.op}{_quoted(matcher.value)}"


def _label(name: str) -> str:
    return name if _PLAIN_LABEL.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _promql_duration(length: timedelta) -> str:
    milliseconds = length // timedelta(milliseconds=1)
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"
