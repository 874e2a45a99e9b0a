"""The sentence an incident goes by: what fails, how much of it, and since when."""

from datetime import datetime
from decimal import Decimal

from slo import wording
from slo.models import Objective

LONGEST = 300


def title(objective: Objective, share: float | None, since: datetime) -> str:
    """`Checkout is failing: 31 % of requests since 14:03 UTC`; `share` is bad of all (0…1) since then."""
    flow = objective.flow.name
    if objective.kind == Objective.Kind.LATENCY and objective.threshold is not None:
        what, which = f"{flow} is slow", f"of requests over {seconds(objective.threshold)}"
    else:
        what, which = f"{flow} is failing", "of requests"
    amount = f": {wording.percent(share, 2)} {which}" if share else ""
    return f"{what}{amount}{ending(since)}"[:LONGEST]


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
