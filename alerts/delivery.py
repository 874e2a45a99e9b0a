"""Delivers what the outbox owes: claimed first, sent with no lock held, marked as sent only after that."""

import logging
from collections.abc import Callable
from datetime import datetime

from django.utils import timezone

from alerts import notification, outbox, timeline
from alerts.channels import email, webhook
from alerts.channels.errors import TransportError
from alerts.message import Notification
from alerts.models import Channel, Delivery

log = logging.getLogger(__name__)

type Send = Callable[[Channel, Notification], None]
SENDERS: dict[str, Send] = {Channel.Kind.WEBHOOK: webhook.send, Channel.Kind.EMAIL: email.send}


def deliver_due(now: datetime) -> int:
    """Try everything that is due, one after the other; answers how many went out."""
    return sum(deliver(pk, now) for pk in outbox.due(now).values_list("pk", flat=True))


def deliver(delivery_id: int, now: datetime) -> bool:
    """Try one delivery, if it is due and nobody else has it; answers whether it went out.

    At least once: a worker that dies between sending and marking leaves it to be sent again, with the same
    `event_id` for the receiver to tell.
    """
    delivery = outbox.claim(delivery_id, now)
    if delivery is None:
        return False
    try:
        send(delivery.channel, notification.compose(delivery, now), enabled_only=True)
    except TransportError as error:
        _record_failure(delivery, error)
        return False
    finished = timezone.now()
    outbox.sent(delivery, finished)
    timeline.delivered(delivery, finished)
    return True


def send(channel: Channel, message: Notification, *, enabled_only: bool = False) -> None:
    """Raises `TransportError`."""
    if enabled_only and not channel.enabled:
        raise TransportError("The channel is switched off.", permanent=True)
    SENDERS[channel.kind](channel, message)


def send_test(channel: Channel) -> None:
    """Send an invented notification, so that somebody sees whether it arrives. Raises `TransportError`.

    What came of it is noted on the channel, as for a real one.
    """
    now = timezone.now()
    try:
        send(channel, notification.invented(channel, now))
    except TransportError as error:
        Channel.objects.filter(pk=channel.pk).update(last_error=str(error), last_error_at=now)
        raise
    Channel.objects.filter(pk=channel.pk).update(last_sent_at=now, last_error="")


def _record_failure(delivery: Delivery, error: TransportError) -> None:
    now = timezone.now()
    log.warning("Delivery %s to channel %s failed: %s", delivery.pk, delivery.channel_id, error)
    if outbox.failed(delivery, error, now):
        timeline.undelivered(delivery, error, now)
