"""Incidents: opened by a flow's first firing alert, resolved when none fires; what people do, what they cost."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from alerts import headline, outbox, timeline
from alerts.models import Alert, Delivery, Incident, TimelineEntry, Transition
from evidence.onset import Count, Onset, onset
from slo import ledger
from slo.budget import Budget, burn
from slo.models import AlertRule, Flow, Ledger, Objective, Slice
from slo.windows import Totals

# How far before the alert an onset is looked for, at most. A longer look would find the last incident's.
LOOK_BACK = timedelta(hours=6)


def follow(transition: Transition, now: datetime) -> Incident | None:
    """Bring the flow's incident in line with a transition that was just recorded, within its transaction."""
    # Alerts of two objectives of one flow may move at once; each must see what the other did.
    flow = Flow.objects.select_for_update().get(pk=transition.alert.tier.objective.flow_id)
    if transition.new == Alert.State.FIRING:
        return _join(flow, transition, now)
    return _leave(flow, transition, now)


def _join(flow: Flow, transition: Transition, now: datetime) -> Incident:
    incident = Incident.objects.unresolved().filter(flow=flow).first()
    opened = incident is None
    if incident is None:
        incident = _open(flow, transition, now)
    raised = _raise_severity(incident, transition)
    _attach(transition, incident)
    timeline.fired(incident, transition, opened=opened, held_back=not (opened or raised))
    if opened or raised:
        event = Delivery.Event.OPENED if opened else Delivery.Event.RAISED
        outbox.owe(incident, event, transition, now)
    return incident


def _open(flow: Flow, transition: Transition, now: datetime) -> Incident:
    tier, book = transition.alert.tier, book_of(transition)
    began = onset_of(tier, book, transition.at)
    since = began.at if began else transition.at
    share = ledger.totals(book, since, transition.at).ratio if book else None
    incident = Incident.objects.create(
        flow=flow,
        severity=tier.severity,
        title=headline.title(tier.objective, share, since, book.labels if book else None),
        opened_at=transition.at,
        onset_at=began.at if began else None,
        examples_due_at=now,
        explain_due_at=now,
    )
    if began:
        timeline.began(incident, began)
    return incident


def _raise_severity(incident: Incident, transition: Transition) -> bool:
    tier = transition.alert.tier
    if tier.severity != AlertRule.Severity.PAGE or incident.severity == AlertRule.Severity.PAGE:
        return False
    incident.severity = tier.severity
    # The first example requests are from before it got worse.
    incident.examples_due_at, incident.examples_tries = timezone.now(), 0
    incident.explain_due_at = incident.examples_due_at
    incident.save(update_fields=["severity", "examples_due_at", "examples_tries", "explain_due_at"])
    return True


def _attach(transition: Transition, incident: Incident) -> None:
    Transition.objects.filter(pk=transition.pk).update(incident=incident)
    Alert.objects.filter(pk=transition.alert_id).update(incident=incident)
    transition.incident = transition.alert.incident = incident


def _leave(flow: Flow, transition: Transition, now: datetime) -> Incident | None:
    incident = Incident.objects.unresolved().filter(flow=flow).first()
    if incident is None:
        return None
    _attach(transition, incident)
    timeline.calmed(incident, transition)
    still = Alert.objects.firing().burning().filter(tier__objective__flow=flow)
    if not still.exists():
        _resolve(incident, transition, now)
    return incident


def _resolve(incident: Incident, transition: Transition, now: datetime) -> None:
    incident.state, incident.resolved_at = Incident.State.RESOLVED, transition.at
    incident.examples_due_at, incident.explain_due_at = None, now
    incident.save(update_fields=["state", "resolved_at", "examples_due_at", "explain_due_at"])
    timeline.resolved(incident, transition.at)
    outbox.owe(incident, Delivery.Event.RESOLVED, transition, now)


def book_of(transition: Transition) -> Ledger | None:
    """The ledger that the transition was decided on; `None` when it is not kept any more.

    Of an objective that counts something else by now it is one of an earlier generation.
    """
    objective, group = transition.alert.tier.objective, transition.alert.group
    of_then = Ledger.objects.filter(objective=objective, group=group, created_at__lte=transition.recorded_at)
    found = of_then.order_by("-generation").first()
    if found:
        found.objective = objective
    return found


def onset_of(tier: AlertRule, book: Ledger | None, fired_at: datetime) -> Onset | None:
    """When the burning that fired this tier began, from the ledger's counts over its long window."""
    if book is None:
        return None
    before = Incident.objects.filter(flow=tier.objective.flow_id, resolved_at__lte=fired_at)
    # What burned before the last incident ended was that incident's.
    ended = before.aggregate(last=Max("resolved_at"))["last"]
    start = max(fired_at - min(tier.long, LOOK_BACK), ended or datetime.min.replace(tzinfo=UTC))
    slices = Slice.objects.filter(ledger=book, end__gt=start, end__lte=fired_at, total__isnull=False)
    rows = slices.order_by("end").values_list("start", "bad", "total")
    return onset([Count(begin, bad or 0.0, total or 0.0) for begin, bad, total in rows])


# -- What people do
def acknowledge(incident: Incident, user: User) -> bool:
    """Somebody works on it now; False when it was not open any more, and then nothing changes."""
    now = timezone.now()
    with transaction.atomic():
        open_one = Incident.objects.filter(pk=incident.pk, state=Incident.State.OPEN)
        changes = {"state": Incident.State.ACKNOWLEDGED, "acknowledged_at": now, "acknowledged_by": user}
        if not open_one.update(**changes):
            return False
        TimelineEntry.objects.create(
            incident=incident,
            at=now,
            kind=TimelineEntry.Kind.PERSON,
            icon="user",
            title=f"{user.get_full_name() or user.get_username()} acknowledged.",
            author=user,
            cause="acknowledged",
        )
    incident.refresh_from_db()
    return True


def add_note(incident: Incident, user: User, text: str) -> TimelineEntry:
    """Raises `ValueError`, with a sentence for the author, when there is nothing to note."""
    if not text.strip():
        raise ValueError("The note is empty. Write what you saw or did.")
    return TimelineEntry.objects.create(
        incident=incident,
        at=timezone.now(),
        kind=TimelineEntry.Kind.PERSON,
        icon="note",
        title=f"{user.get_full_name() or user.get_username()} noted",
        text=text.strip(),
        author=user,
    )


# -- What it costs
@dataclass(frozen=True, slots=True)
class Impact:
    """What an incident did to the objective it is about, from `since` to `until`."""

    objective: Objective
    # The labels of the group it is about; none without grouping.
    labels: dict[str, str]
    since: datetime
    until: datetime
    totals: Totals
    # The whole window's budget as of `until`.
    budget: Budget
    # The burn rate over the main alert's short window; `None` when not measured.
    burn_now: float | None

    @property
    def share(self) -> float | None:
        """Bad requests of all, 0…1."""
        return self.totals.ratio

    @property
    def budget_spent(self) -> float | None:
        """The share of the whole budget that these bad requests took; `None` when the window had no traffic."""
        return self.totals.bad / self.budget.allowed if self.budget.allowed else None

    @property
    def exhausted_at(self) -> datetime | None:
        """When nothing is left of the budget if it burns on like now; `None`: never, unknown, or gone already."""
        left = self.budget.exhausted_in(self.burn_now)
        return self.until + left if left else None

    def gone_in(self, at: datetime) -> timedelta | None:
        """How long after `at` that is. Every page and message that says so says this one, to agree with the others."""
        exhausted = self.exhausted_at
        return max(exhausted - at, timedelta(0)) if exhausted else None


def main_transition(incident: Incident) -> Transition | None:
    """The firing the incident is about: its first page, or its first ticket when it has no page."""
    fired = Transition.objects.filter(incident=incident, new=Alert.State.FIRING)
    # Alphabetically, page comes before ticket.
    order = fired.select_related("alert__tier__objective__flow").order_by("alert__tier__severity", "at", "pk")
    return order.first()


def impact(incident: Incident, at: datetime | None = None) -> Impact | None:
    """What the incident did so far, as measured; `None` when the ledger has nothing to say."""
    main = main_transition(incident)
    book = book_of(main) if main else None
    if main is None or book is None:
        return None
    tier = main.alert.tier
    objective = tier.objective
    measured = measured_until(book)
    if measured is None:
        return None
    since = incident.onset_at or incident.opened_at
    until = min(moment for moment in (measured, incident.resolved_at, at) if moment is not None)
    whole, short = ledger.totals_many(book, [(since, max(since, until)), (until - tier.short, until)])
    budget = ledger.budget(book, until)
    return Impact(objective, book.labels, since, until, whole, budget, burn(short, objective.target))


def measured_until(book: Ledger) -> datetime | None:
    """The end of the ledger's last slice; `None` while it is empty."""
    if book.generation == book.objective.generation:
        return book.objective.measured_until
    return Slice.objects.filter(ledger=book).order_by("-end").values_list("end", flat=True).first()
