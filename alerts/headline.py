"""The sentence an incident goes by: what fails, how much of it, and since when."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from slo import wording
from slo.models import Objective

LONGEST = 300


# What an objective of this kind finds wrong with its flow.
_WRONG = {
    Objective.Kind.EVENTS: "is failing",
    Objective.Kind.LATENCY: "is slow",
    Objective.Kind.GAUGE: "is out of bounds",
    Objective.Kind.FRESHNESS: "is out of date",
    Objective.Kind.BOOL: "is down",
}


def title(objective: Objective, share: float | None, since: datetime, labels: Mapping[str, str] | None = None) -> str:
    """`Checkout is failing for region eu: 31 % of requests since 14:03 UTC`.

    `share` is bad of all (0…1) since then, `labels` name the group, if it is one.
    """
    what = f"{objective.flow.name} {_WRONG[Objective.Kind(objective.kind)]}"
    amount = f": {wording.percent(share, 2)} {_of_what(objective)}" if share else ""
    last = f"{amount}{ending(since)}"
    # A long name must not cost the numbers.
    return f"{what}{of_group(labels or {})}"[: LONGEST - len(last)] + last


def of_group(labels: Mapping[str, str]) -> str:
    """` for region eu, tenant a`; empty without grouping."""
    return f" for {group_words(labels)}" if labels else ""


def group_words(labels: Mapping[str, str]) -> str:
    """`region eu, tenant a`."""
    return ", ".join(f"{name} {value or '(none)'}" for name, value in sorted(labels.items()))


def counts_time(objective: Objective) -> bool:
    """Whether the objective's events are time slices, rather than requests."""
    of_time = (Objective.Kind.GAUGE, Objective.Kind.FRESHNESS, Objective.Kind.BOOL)
    return objective.kind in of_time or objective.method == Objective.Method.TIMESLICES


def events(objective: Objective) -> str:
    """What the objective counts, in the plural."""
    return "time slices" if counts_time(objective) else "requests"


def _of_what(objective: Objective) -> str:
    if counts_time(objective):
        return "of the time"
    if objective.kind == Objective.Kind.LATENCY and objective.threshold is not None:
        return f"of requests over {seconds(objective.threshold)}"
    return "of requests"


def ending(since: datetime) -> str:
    """What a title says last."""
    return f" since {clock(since)}"


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M}{wording.NBSP}UTC"


def seconds(threshold: Decimal) -> str:
    """`500 ms`, `1 s`: a latency threshold as people say it."""
    if threshold < 1:
        return f"{wording.plain(threshold * 1000)}{wording.NBSP}ms"
    return f"{wording.plain(threshold)}{wording.NBSP}s"
