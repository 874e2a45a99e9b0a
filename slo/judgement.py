"""Every alert rule of an objective shown one slice: what it saw, what it decides, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from slo import absence, periods, spending, states
from slo.absence import Absence
from slo.definition import BudgetAlert, Definition, NoDataAlert
from slo.history import History
from slo.spending import Spent
from slo.states import AlertState, Reading
from slo.tiers import Tier

type Rule = Tier | BudgetAlert | NoDataAlert
type Seen = Reading | Spent | Absence


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule at one instant: its state before and after, what it saw, and the sentence that follows from that."""

    rule: Rule
    old: AlertState
    state: AlertState
    reason: str
    reading: Seen
    # A ticket tier beside a page that fires.
    silenced: bool = False

    @property
    def moved(self) -> bool:
        return self.state.state != self.old.state


def rules(definition: Definition) -> tuple[Rule, ...]:
    """Every alert rule: the tiers, then the budget alerts, then the one for no data."""
    no_data = (definition.no_data,) if definition.no_data else ()
    return (*definition.tiers, *definition.budget_alerts, *no_data)


def step(definition: Definition, history: History, at: datetime, before: Mapping[Rule, AlertState]) -> list[Judged]:
    """Every rule shown the slice that ends at `at`. A rule without a state `before` was inactive."""
    judged = [judge(definition, history, rule, before.get(rule, AlertState()), at) for rule in rules(definition)]
    paging = any(pages(one.rule) and one.state.state == "firing" for one in judged)
    return [_beside(one, paging, at) for one in judged]


def instants(definition: Definition, at: datetime) -> list[datetime]:
    """Where `step` at `at` needs the history's marks, besides the edges of what is excluded."""
    spans = [span for tier in definition.tiers for span in (tier.long, tier.short)]
    spans += [definition.no_data.after] if definition.no_data else []
    starts = [periods.beginning(at, span) for span in spans]
    return [at, *starts, *([definition.window.start(at)] if definition.budget_alerts else [])]


def judge(definition: Definition, history: History, rule: Rule, state: AlertState, at: datetime) -> Judged:
    """One rule shown the slice that ends at `at`, by itself."""
    reading = look(definition, history, rule, at)
    match rule, reading:
        case Tier(), Reading():
            new, reason = states.decide(state, rule, reading, at, definition.policy)
        case BudgetAlert(), Spent():
            new, reason = spending.decide(state, rule, reading, definition.window, at, definition.policy)
        case NoDataAlert(), Absence():
            new, reason = absence.decide(state, rule, reading, at)
        case _:
            raise TypeError(f"{type(rule).__name__} was shown a {type(reading).__name__}.")
    return Judged(rule, state, new, reason, reading)


def look(definition: Definition, history: History, rule: Rule, at: datetime) -> Seen:
    """What a rule sees of the slices until `at`."""
    target, window, maintenance = definition.target, definition.window, history.in_maintenance(at)
    match rule:
        case Tier():
            long, short = history.window(at, rule.long), history.window(at, rule.short)
            return states.read(long, short, rule, target, window.length, definition.policy, maintenance)
        case BudgetAlert():
            totals = history.between(window.start(at), at)
            return spending.read(totals, target, window, at, maintenance)
        case NoDataAlert():
            begun = history.begins is not None and at - rule.after >= history.begins
            return Absence(history.window(at, rule.after), begun, maintenance)


def pages(rule: Rule) -> bool:
    """Whether it is a tier that pages: it silences the ticket tiers beside it."""
    return isinstance(rule, Tier) and rule.severity == "page"


def tickets(rule: Rule) -> bool:
    return isinstance(rule, Tier) and rule.severity == "ticket"


def _beside(one: Judged, paging: bool, at: datetime) -> Judged:
    silenced = paging and tickets(one.rule)
    since = (one.old.silenced_since or at) if silenced and one.state.state == "firing" else None
    return replace(one, state=replace(one.state, silenced_since=since), silenced=silenced)
