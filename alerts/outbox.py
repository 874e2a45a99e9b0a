"""The outbox: which notification is owed to which channel, who may send it now, and what became of it."""

import random
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet

from alerts.channels.errors import TransportError
from alerts.models import Alert, Channel, Delivery, Incident, Transition

# Time for the incident to be explained, so that the first message can say why, and link an example.
PATIENCE = timedelta(seconds=8)
# Longer than any channel takes; a worker that dies while sending gives the delivery back after this.
LEASE = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=10)
# With the pauses above about two hours of trying.
MOST_ATTEMPTS = 18


def owe(incident: Incident | None, event: Delivery.Event, transition: Transition, now: datetime) -> None:
    """Put the event in the outbox, once for every channel that is switched on, however often this is called."""
    wait = PATIENCE if event == Delivery.Event.OPENED else timedelta(0)
    _owe(Channel.objects.filter(enabled=True), incident, event, transition, now + wait)


def owe_the_end(transition: Transition, now: datetime) -> None:
    """Say that an alert of no incident cleared, to those who were told that it fired."""
    fired = Transition.objects.filter(alert=transition.alert_id, at__lt=transition.at, new=Alert.State.FIRING)
    last = fired.order_by("-at").values("pk")[:1]
    told = Channel.objects.filter(enabled=True, deliveries__transition__in=last)
    _owe(told, None, Delivery.Event.CLEARED, transition, now)


def _owe(
    channels: QuerySet[Channel], incident: Incident | None, event: Delivery.Event, cause: Transition, at: datetime
) -> None:
    rows = [
        Delivery(channel=channel, incident=incident, event=event, transition=cause, next_try_at=at)
        for channel in channels
    ]
    Delivery.objects.bulk_create(rows, ignore_conflicts=True)


def due(now: datetime) -> QuerySet[Delivery]:
    """What may be sent now. A channel hears of an incident, or of an alert without one, in order.

    An earlier message holds back the later ones.
    """
    same = Q(incident=OuterRef("incident")) | Q(incident=None, transition__alert=OuterRef("transition__alert"))
    earlier = Delivery.objects.filter(
        same, state=Delivery.State.WAITING, channel=OuterRef("channel"), pk__lt=OuterRef("pk")
    )
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING, next_try_at__lte=now)
    return waiting.filter(~Exists(earlier)).order_by("next_try_at")


def hasten(incident_id: int, now: datetime) -> None:
    """Stop waiting for the explanation: it is there."""
    untried = Delivery.objects.filter(incident=incident_id, state=Delivery.State.WAITING, attempts=0)
    untried.filter(next_try_at__gt=now).update(next_try_at=now)


def claim(delivery_id: int, now: datetime) -> Delivery | None:
    """Take a due delivery for the length of a lease; `None` when it is not due or another worker has it."""
    delivery = due(now).filter(pk=delivery_id).select_related("channel", "transition").first()
    if delivery is None:
        return None
    mine = Delivery.objects.filter(
        pk=delivery.pk, state=Delivery.State.WAITING, next_try_at=delivery.next_try_at, attempts=delivery.attempts
    )
    delivery.attempts, delivery.next_try_at = delivery.attempts + 1, now + LEASE
    if delivery.attempts > MOST_ATTEMPTS:
        # Each one ended so badly that not even the failure was noted.
        mine.update(state=Delivery.State.FAILED, error="Given up: every attempt broke off. See the worker's log.")
        return None
    if not mine.update(attempts=delivery.attempts, next_try_at=delivery.next_try_at):
        return None
    return delivery


def sent(delivery: Delivery, now: datetime) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(state=Delivery.State.SENT, sent_at=now, error="")
    Channel.objects.filter(pk=delivery.channel_id).update(last_sent_at=now, last_error="")


def failed(delivery: Delivery, error: TransportError, now: datetime) -> bool:
    """Note why it failed and when to try again; answers whether it is given up."""
    given_up = error.permanent or delivery.attempts >= MOST_ATTEMPTS
    # Only while the lease is ours: a worker that was slower than its lease must not undo another one's success.
    mine = Delivery.objects.filter(pk=delivery.pk, state=Delivery.State.WAITING, attempts=delivery.attempts)
    mine.update(
        state=Delivery.State.FAILED if given_up else Delivery.State.WAITING,
        next_try_at=now + pause(delivery.attempts),
        error=str(error),
    )
    Channel.objects.filter(pk=delivery.channel_id).update(last_error=str(error), last_error_at=now)
    return given_up


def pause(attempts: int) -> timedelta:
    """How long to wait after so many attempts: doubling, bounded, and spread so that channels do not march in step."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(attempts - 1, 20)))
    return longest * random.uniform(0.8, 1.2)  # noqa: S311 (no secret)
