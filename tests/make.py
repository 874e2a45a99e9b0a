"""Plain functions that make what tests need; each gives something valid, a test names only what matters to it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

from django.contrib.auth.models import User

from slo import ledger
from slo.definitions import save_objective
from slo.groups import Group
from slo.judgement import Rule
from slo.ledger import Batch
from slo.models import AlertRule, Flow, Ledger, Objective
from slo.slices import Measured
from slo.tiers import WORKBOOK_TIERS, Severity, Tier
from telemetry.models import Source

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)

# Bad and all events of one slice; None is an unmeasured one.
type Counts = tuple[float, float] | None

_number = count(1)


def make_user(username: str = "", password: str = "correct horse", **fields: Any) -> User:
    return User.objects.create_user(username or f"user-{next(_number)}", password=password, **fields)


def make_source(url: str = "http://127.0.0.1:9", **fields: Any) -> Source:
    """A Prometheus; where nothing listens, unless a test says where."""
    return Source.objects.create(**{"name": f"Prometheus {next(_number)}", "url": url} | fields)


def make_flow(name: str = "", **fields: Any) -> Flow:
    name = name or f"Flow {next(_number)}"
    slug = name.lower().replace(" ", "-")
    return Flow.objects.create(**{"name": name, "slug": slug, "selector": slug} | fields)


def make_objective(
    target: str = "0.999",
    window: timedelta = 30 * DAY,
    tiers: Sequence[Rule] = (),
    flow: Flow | None = None,
    source: Source | None = None,
    **fields: Any,
) -> Objective:
    """An availability objective on `requests_total`; without tiers unless given."""
    defaults: Mapping[str, Any] = {
        "name": f"Objective {next(_number)}",
        "metric": "requests_total",
        "bad_matchers": [{"label": "code", "op": "=~", "value": "5.."}],
    }
    objective = Objective(
        **{**defaults, **fields},
        flow=flow or make_flow(),
        source=source or make_source(),
        target=Decimal(target),
        window=window,
    )
    return save_objective(objective, tiers)


def tier(
    severity: Severity = "page",
    long: timedelta = HOUR,
    short: timedelta = 5 * MINUTE,
    budget_share: str = "0.02",
) -> Tier:
    return Tier(severity, long, short, Decimal(budget_share))


def make_tier(objective: Objective, **fields: Any) -> AlertRule:
    """One more tier of an objective: page, 1 h / 5 min, 2 % of the budget."""
    values = tier(**fields)
    return AlertRule.objects.create(
        objective=objective,
        severity=values.severity,
        long=values.long,
        short=values.short,
        budget_share=values.budget_share,
    )


def make_tiers(objective: Objective, tiers: Sequence[Tier] = WORKBOOK_TIERS) -> list[AlertRule]:
    """The workbook's tiers, each as a row."""
    return [
        make_tier(objective, severity=one.severity, long=one.long, short=one.short, budget_share=str(one.budget_share))
        for one in tiers
    ]


def make_slices(
    objective: Objective,
    start: datetime,
    counts: Sequence[Counts],
    length: timedelta = MINUTE,
    reason: str = "No series matched.",
    group: Group = (),
) -> datetime:
    """Append slices of `length` that begin at `start`, as the worker would; the end of the last one.

    `start` must be where the objective's ledgers end, if they have begun. For several groups use `make_groups`.
    """
    return make_groups(objective, start, {group: counts}, length, reason)


def make_groups(
    objective: Objective,
    start: datetime,
    counts: Mapping[Group, Sequence[Counts]],
    length: timedelta = MINUTE,
    reason: str = "No series matched.",
) -> datetime:
    """`make_slices` for several groups at once, as many slices of each."""
    slices = {group: measured(start, some, length, reason) for group, some in counts.items()}
    assert ledger.append([Batch(objective, slices)]), "The ledger has moved since this objective was loaded."
    return next(iter(slices.values()))[-1].end


def measured(
    start: datetime, counts: Sequence[Counts], length: timedelta = MINUTE, reason: str = "No series matched."
) -> list[Measured]:
    """Slices of `length` that follow each other from `start` on."""
    return [
        Measured(start + n * length, start + (n + 1) * length, bad, total, "" if one else reason)
        for n, one in enumerate(counts)
        for bad, total in [one or (None, None)]
    ]


def book_of(objective: Objective, group: str = "") -> Ledger:
    """The ledger of an objective that has one."""
    found = ledger.book(objective, group)
    assert found, "Nothing of this group was measured."
    return found
