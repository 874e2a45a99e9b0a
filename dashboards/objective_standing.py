"""How one objective stands, read from its ledgers: budget, coverage, rules, groups, and how fresh all of it is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from alerts.models import Alert
from alerts.watches import slice_of
from dashboards import meters, running
from dashboards.meters import Meter, RuleStanding
from dashboards.running import Whole
from slo import judgement, ledger
from slo.budget import Budget, Exhaustion, burn, exhaustion
from slo.definitions import definition_of, window_of
from slo.models import AlertRule, Ledger, Objective
from slo.windows import NOTHING

# An objective that is this many slices late is stale.
LATE = 3
# Over what the present rate is taken.
LATELY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """One group of an objective: a row of the table that compares them."""

    book: Ledger
    status: str
    budget: Budget
    # Why its newest slice was not measured; empty when it was.
    reason: str

    @property
    def achieved(self) -> float | None:
        ratio = self.budget.totals.ratio
        return None if ratio is None else 1 - ratio


@dataclass(frozen=True, slots=True)
class Standing:
    """One group of an objective (or all of it, without grouping) at `as_of`, the end of its last slice.

    `as_of` is `None` while nothing is measured.
    """

    as_of: datetime | None
    # The ledger that is shown; `None` before there is one.
    book: Ledger | None
    groups: tuple[GroupStanding, ...]
    budget: Budget
    # The last hour's burn rate, and how long the budget lasts at it; `None` where nothing was measured.
    rate: float | None
    exhaustion: Exhaustion | None
    tiers: tuple[Meter, ...]
    # Budget and no-data alerts.
    notices: tuple[RuleStanding, ...]
    # How much of the wanted past is measured, 0…1, while history is read; `None` when all is.
    progress: float | None
    # Why it is not up to date, in a sentence; empty when it is.
    stale: str
    # Whether the newest slice is taken out of everything.
    maintenance: bool = False

    @property
    def status(self) -> str:
        firing = {one.severity for one in self.tiers if one.firing}
        return _status(firing, bool(self.stale) or self.as_of is None, self.maintenance)

    @property
    def achieved(self) -> float | None:
        ratio = self.budget.totals.ratio
        return None if ratio is None else 1 - ratio

    @property
    def unmeasured(self) -> timedelta:
        return max(timedelta(0), self.budget.totals.span - self.budget.totals.measured)

    @property
    def excluded(self) -> timedelta:
        """How much of the window maintenance takes out."""
        return self.budget.totals.excluded

    @property
    def silenced(self) -> bool:
        return any(one.standing.silenced for one in self.tiers)


def standing(objective: Objective, now: datetime, group: str = "") -> Standing:
    """The named group, or else the one that is worst off. As many queries however many slices, groups and tiers."""
    at = objective.measured_until or now
    rows = list(objective.rules.active())
    for row in rows:
        row.objective = objective
    alerts = list(Alert.objects.filter(tier__in=rows))
    books = ledger.books(objective)
    groups = _groups(objective, books, rows, alerts)
    book = next((one.book for one in groups if one.book.group == group), None) or (groups[0].book if groups else None)
    progress, stale = _progress(objective), _why_stale(objective, now)
    if book is None or objective.measured_until is None:
        budget = Budget(NOTHING, objective.target, objective.window)
        return Standing(objective.measured_until, book, groups, budget, None, None, (), (), progress, stale)
    instants = [at - LATELY, *judgement.instants(definition_of(objective, rows), at)]
    history = ledger.histories([book], instants)[book.pk]
    found = meters.standings(book, rows, alerts, at, history)
    budget, recent = ledger.budget(book, at), history.window(at, LATELY)
    return Standing(
        as_of=objective.measured_until,
        book=book,
        groups=groups if objective.grouping else (),
        budget=budget,
        rate=burn(recent, objective.target),
        exhaustion=exhaustion(budget, recent),
        tiers=tuple(sorted(meters.meters(found), key=_first)),
        notices=tuple(one for one in found if one.row.kind != AlertRule.Kind.BURN),
        progress=progress,
        stale=stale,
        maintenance=history.in_maintenance(at),
    )


def _first(meter: Meter) -> tuple[bool, timedelta]:
    """Pages before tickets, the fastest first."""
    return meter.severity != AlertRule.Severity.PAGE, meter.long


# -- Groups
def _groups(
    objective: Objective, books: Sequence[Ledger], rows: Iterable[AlertRule], alerts: Iterable[Alert]
) -> tuple[GroupStanding, ...]:
    """Worst first: what fires, then the least budget left; those that are gone come last."""
    tiers = {row.pk: row for row in rows if row.kind == AlertRule.Kind.BURN}
    firing: dict[str, set[str]] = {}
    for alert in alerts:
        if alert.state == Alert.State.FIRING and alert.tier_id in tiers:
            firing.setdefault(alert.group, set()).add(tiers[alert.tier_id].severity)
    wholes = running.wholes(books)
    found = [_group(objective, book, wholes.get(book.pk, Whole()), firing.get(book.group, set())) for book in books]
    return tuple(sorted(found, key=_rank))


def _group(objective: Objective, book: Ledger, whole: Whole, firing: set[str]) -> GroupStanding:
    budget = whole.budget or Budget(NOTHING, objective.target, objective.window)
    unknown = bool(whole.reason) or not budget.totals.measured
    return GroupStanding(book, _status(firing, unknown, whole.maintenance), budget, whole.reason)


def _rank(one: GroupStanding) -> tuple[int, float, str]:
    place = ("paging", "burning", "ok", "maintenance", "no-data").index(one.status)
    left = one.budget.left
    return min(place, 2) if one.status != "no-data" else place, 2.0 if left is None else left, one.book.group


def _status(firing: set[str], unknown: bool, maintenance: bool) -> str:
    if AlertRule.Severity.PAGE in firing:
        return "paging"
    if firing:
        return "burning"
    if maintenance:
        return "maintenance"
    return "no-data" if unknown else "ok"


# -- How fresh it is
def _progress(objective: Objective) -> float | None:
    """How much of the past that its window needs is read; history is read backwards, after the newest slices."""
    if objective.archived_at or objective.flow.archived_at:
        return None
    until, begins, goal = objective.measured_until, objective.measured_from, objective.history_goal
    if until is None or begins is None:
        return 0.0
    wanted = goal or window_of(objective).start(until)
    if begins <= wanted or goal is None:
        return None
    return max(0.0, (until - begins) / (until - wanted))


def _why_stale(objective: Objective, now: datetime) -> str:
    if objective.archived_at or objective.flow.archived_at:
        return ""
    if objective.last_error:
        return objective.last_error
    if objective.measured_until is None:
        # The bar says that it is being measured, unless it has had ample time.
        late = now - objective.created_at > 10 * settings.SLICE
        return "Nothing has measured it yet. Is a Celery worker running?" if late else ""
    if objective.measured_until < now - LATE * slice_of(objective) - settings.SETTLE:
        return "Nothing has measured it since. Is a Celery worker running?"
    return ""
