"""E-mail, as text and as HTML, through Django's mailer."""

from smtplib import SMTPException, SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from alerts.channels.errors import TransportError
from alerts.message import Notification
from alerts.models import Channel


def send(channel: Channel, notification: Notification) -> None:
    """Raises `TransportError`."""
    recipients = [address.strip() for address in str(channel.config.get("to", "")).split(",") if address.strip()]
    if not recipients:
        raise TransportError("The channel has no recipients. Enter them again.", permanent=True)
    try:
        _message(recipients, notification).send(using="default")
    except SMTPRecipientsRefused:
        raise TransportError("The mail server refused every recipient. Check the addresses.", permanent=True) from None
    except SMTPException as error:
        raise TransportError(f"The mail server refused the message ({type(error).__name__}).") from None
    except OSError as error:
        raise TransportError(f"The mail could not be handed over: {error.strerror or error}.") from None


def _message(recipients: list[str], notification: Notification) -> EmailMultiAlternatives:
    context = {"note": notification}
    message = EmailMultiAlternatives(
        subject=notification.subject,
        body=render_to_string("mail/notification.txt", context),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=recipients,
        headers=_headers(notification),
    )
    message.attach_alternative(render_to_string("mail/notification.html", context), "text/html")
    return message


def _headers(notification: Notification) -> dict[str, str]:
    """Threads an incident's mails in the reader, and tells other machines not to answer."""
    thread = f"<{notification.dedup_key}@fireline>"
    return {
        "Message-ID": f"<{notification.event_id}@fireline>",
        "In-Reply-To": thread,
        "References": thread,
        "Auto-Submitted": "auto-generated",
        "X-Fireline-Event": notification.event_id,
    }
