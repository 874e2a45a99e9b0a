"""Webhooks: one POST with JSON for each notification; docs/notifications.md describes the fields."""

import requests
from django.conf import settings
from requests import exceptions

from alerts.channels.errors import TransportError
from alerts.message import Notification
from alerts.models import Channel
from connectors import egress
from connectors.errors import ForbiddenAddress

# Seconds to connect, and to wait for the answer's first line. Together shorter than a delivery's lease.
TIMEOUT = (5, 10)
# Of all 4xx these three say *later* rather than *no*: request timeout, too early, too many requests.
WORTH_ANOTHER_TRY = {408, 425, 429}


def send(channel: Channel, notification: Notification) -> None:
    """Raises `TransportError`. An answer of 2xx is taken as received; its body is not read."""
    url = str(channel.config.get("url", ""))
    if not url:
        raise TransportError("The channel has no webhook address. Enter it again.", permanent=True)
    try:
        with egress.session(settings.INTERNAL_ADDRESSES) as session:
            headers = {"User-Agent": "Fireline", "Idempotency-Key": notification.event_id}
            # Not following redirects, because most of them would turn the POST into a GET and lose the message.
            # The answer stays unread, because an endless one must not hold up the other notifications.
            with session.post(
                url, json=notification.payload(), headers=headers, timeout=TIMEOUT, stream=True, allow_redirects=False
            ) as answer:
                _judge(answer)
    except ForbiddenAddress as refusal:
        raise TransportError(str(refusal), permanent=True) from None
    except requests.RequestException as error:
        raise _as_sentence(error) from None


def _judge(answer: requests.Response) -> None:
    if 200 <= answer.status_code < 300:
        return
    said = f"The webhook answered {answer.status_code} {answer.reason or ''}".rstrip()
    if answer.is_redirect:
        raise TransportError(f"{said}: it moved. Enter the address it has now.", permanent=True)
    if answer.status_code >= 500 or answer.status_code in WORTH_ANOTHER_TRY:
        raise TransportError(f"{said}. It will be tried again.")
    raise TransportError(f"{said}. Check its address.", permanent=True)


def _as_sentence(error: requests.RequestException) -> TransportError:
    """The address stays out of it: a webhook's address is often a secret, and this is shown on a page."""
    match error:
        case exceptions.SSLError():
            return TransportError("The webhook's TLS certificate could not be verified.")
        case requests.Timeout():
            return TransportError(f"The webhook did not answer within {TIMEOUT[1]} seconds.")
        case requests.ConnectionError():
            return TransportError("The webhook cannot be reached: no connection, or it broke.")
        case exceptions.InvalidURL() | exceptions.InvalidSchema() | exceptions.MissingSchema():
            return TransportError("The webhook's address is not one that can be called.", permanent=True)
    return TransportError(f"The webhook could not be called ({type(error).__name__}).")
