"""What budget and no-data alerts have to say: a message of its own when one fires and when it clears, no incident."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts import headline, incidents, outbox, payload
from alerts.headline import clock
from alerts.message import Fact, Notification, budget_left, exactly, facts_of, links_of
from alerts.models import Alert, Delivery, Transition
from slo import ledger, wording
from slo.budget import Budget, Exhaustion, exhaustion
from slo.models import AlertRule, Ledger, Objective

# What "the rate at which it burns" is taken from: as long as the long window of the fastest usual tier.
RECENT = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

type Event = Delivery.Event


def follow(transition: Transition, now: datetime) -> None:
    """Owe the messages that a transition which was just recorded asks for, within its transaction."""
    if transition.new != Alert.State.FIRING:
        outbox.owe_the_end(transition, now)
    elif not _larger_share(transition):
        outbox.owe(None, Delivery.Event.NOTICED, transition, now)


def _larger_share(transition: Transition) -> bool:
    """Whether the same slice spent a larger share, whose alert says as much: one message is enough."""
    rule = transition.alert.tier
    if rule.kind != AlertRule.Kind.BUDGET:
        return False
    same_slice = Transition.objects.filter(
        at=transition.at, new=Alert.State.FIRING, alert__group=transition.alert.group
    )
    return same_slice.filter(
        alert__tier__objective=rule.objective_id,
        alert__tier__kind=AlertRule.Kind.BUDGET,
        alert__tier__budget_share__gt=rule.budget_share,
        alert__tier__severity__in=(AlertRule.Severity.PAGE, rule.severity),
    ).exists()


def compose(delivery: Delivery, now: datetime) -> Notification:
    """The message for a delivery that belongs to no incident, from what the database knows at `now`."""
    found = Transition.objects.select_related("alert__tier__objective__flow").get(pk=delivery.transition_id)
    rule, event = found.alert.tier, Delivery.Event(delivery.event)
    view = _view(found)
    return Notification(
        event=event.value,
        event_id=f"fireline-transition-{found.pk}-{event.value}",
        dedup_key=dedup_key(found.alert_id),
        word="Cleared" if event == Delivery.Event.CLEARED else rule.get_severity_display(),
        title=_title(rule, view.labels, event),
        summary=_summary(found, view),
        facts=tuple(_facts(found, view)),
        links=tuple(links_of(rule.objective.flow, rule.objective)),
        details=payload.details_of_notice(found, view.labels, view.budget, view.exhausted_at, now),
    )


def dedup_key(alert_id: int) -> str:
    return f"fireline-alert-{alert_id}"


@dataclass(frozen=True, slots=True)
class View:
    """What the ledger says by now about what a transition was about."""

    objective: Objective
    labels: Mapping[str, str]
    # Up to when it is measured, and the budget as of then; `None` when the ledger is gone.
    until: datetime | None
    budget: Budget | None
    # When the budget is gone if it burns on as in the last hour.
    exhaustion: Exhaustion | None

    @property
    def exhausted_at(self) -> datetime | None:
        """`None`: never, unknown, or gone already."""
        likely = self.exhaustion.likely if self.exhaustion else None
        return self.until + likely if self.until and likely else None


def _view(transition: Transition) -> View:
    objective = transition.alert.tier.objective
    book: Ledger | None = incidents.book_of(transition)
    until = incidents.measured_until(book) if book else None
    if book is None or until is None:
        return View(objective, {}, None, None, None)
    budget = ledger.budget(book, until)
    recent = ledger.totals(book, until - RECENT, until)
    return View(objective, book.labels, until, budget, exhaustion(budget, recent))


def _title(rule: AlertRule, labels: Mapping[str, str], event: Event) -> str:
    objective, group = rule.objective, headline.of_group(labels)
    cleared = event == Delivery.Event.CLEARED
    if rule.kind == AlertRule.Kind.NO_DATA:
        return f"{objective.flow.name}: {objective.name} is {'measured again' if cleared else 'not measured'}{group}"
    share = wording.percent(rule.budget_share)
    spent = f"less than {share}" if cleared else share if rule.budget_share < 1 else "all"
    return f"{objective.flow.name}: {spent} of the error budget of {objective.name} is spent{group}"


def _summary(transition: Transition, view: View) -> str:
    parts = [transition.reason.rstrip(".")]
    if transition.alert.tier.kind == AlertRule.Kind.NO_DATA:
        # The store's own words say what to look into.
        error = view.objective.last_error if transition.new == Alert.State.FIRING else ""
        return ". ".join(filter(None, (*parts, error.rstrip(".")))) + "."
    if view.budget and view.until and (left := view.budget.left) is not None:
        parts.append(f"{budget_left(left)} of {view.objective.name} at {clock(view.until)}")
        parts += _gone_in(view)
    return f"{', '.join(parts)}."


def _gone_in(view: View) -> list[str]:
    """`all of it is gone in 2 d (1 d to 5 d) at the last hour's rate`; nothing while there is no end to it."""
    found = view.exhaustion
    if found is None or not found.likely or not found.earliest:
        return []
    between = f"{_about(found.earliest)} to {_about(found.latest) if found.latest else 'never'}"
    return [f"all of it is gone in {_about(found.likely)} ({between}) at the last hour's rate"]


def _about(length: timedelta) -> str:
    """In minutes at most: a forecast has no seconds."""
    return wording.duration(max(MINUTE, round(length / MINUTE) * MINUTE))


def _facts(transition: Transition, view: View) -> list[Fact]:
    facts = [*facts_of(view.objective, view.labels), Fact("Since", exactly(transition.at))]
    if view.until:
        facts.append(Fact("Measured until", exactly(view.until)))
    if view.budget and view.budget.left is not None:
        facts.append(Fact("Budget left", wording.percent(max(view.budget.left, 0.0))))
    return facts
