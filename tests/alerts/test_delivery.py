"""Notifications leave at least once, are told apart, and say on the page what became of them."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.core import mail
from django.test import override_settings
from django.utils import timezone

from alerts import delivery, outbox
from alerts.channels import webhook
from alerts.channels.errors import TransportError
from alerts.message import Notification
from alerts.models import Channel, Delivery, TimelineEntry
from tests.alerts.cast import BAD, GOOD, go_on, make_channel, the_incident, watched
from tests.alerts.inbox import Inbox, inbox
from tests.servers import free_port

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def chat() -> Iterator[Inbox]:
    with inbox() as box:
        yield box


def burning(channel_url: str) -> Delivery:
    """An incident was opened: what is owed to a webhook there."""
    make_channel(url=channel_url)
    go_on(watched(), [BAD, BAD])
    return Delivery.objects.get()


def due_at(owed: Delivery) -> timedelta:
    owed.refresh_from_db()
    return owed.next_try_at - timezone.now()


def test_the_webhook_is_told_once(chat: Inbox) -> None:
    owed = burning(chat.url)
    for _ in range(3):
        delivery.deliver_due(owed.next_try_at)
    owed.refresh_from_db()
    assert owed.state == Delivery.State.SENT
    assert [message["event"] for message in chat.received] == ["opened"]
    assert owed.channel.last_sent_at is not None


def test_the_first_message_waits_a_moment_for_examples(chat: Inbox) -> None:
    owed = burning(chat.url)
    assert delivery.deliver_due(owed.next_try_at - SECOND) == 0
    outbox.hasten(the_incident().pk, owed.next_try_at - SECOND)
    owed.refresh_from_db()
    assert delivery.deliver_due(owed.next_try_at) == 1


def test_two_workers_on_one_delivery_send_it_once(chat: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    owed = burning(chat.url)
    other_worker = []

    def send(channel: Channel, message: Notification) -> None:
        other_worker.append(delivery.deliver(owed.pk, owed.next_try_at + SECOND))
        webhook.send(channel, message)

    monkeypatch.setitem(delivery.SENDERS, "webhook", send)
    assert delivery.deliver(owed.pk, owed.next_try_at)
    assert other_worker == [False]
    assert len(chat.received) == 1


def test_a_worker_that_dies_before_sending_gives_the_delivery_back(
    chat: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed = burning(chat.url)
    start = owed.next_try_at
    with monkeypatch.context() as dying:
        dying.setitem(delivery.SENDERS, "webhook", die)
        with pytest.raises(KeyboardInterrupt):
            delivery.deliver(owed.pk, start)
    assert not delivery.deliver(owed.pk, start + outbox.LEASE - SECOND)
    assert delivery.deliver(owed.pk, start + outbox.LEASE)
    assert len(chat.received) == 1


def test_a_worker_that_dies_after_sending_sends_it_again_under_the_same_id(
    chat: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed = burning(chat.url)
    start = owed.next_try_at
    with monkeypatch.context() as dying:
        dying.setattr(outbox, "sent", die)
        with pytest.raises(KeyboardInterrupt):
            delivery.deliver(owed.pk, start)
    assert delivery.deliver(owed.pk, start + outbox.LEASE)
    first, second = chat.received
    assert first["event_id"] == second["event_id"] == f"fireline-transition-{owed.transition_id}-opened"
    assert {headers["Idempotency-Key"] for headers in chat.headers} == {first["event_id"]}


def test_gone_is_for_good(chat: Inbox) -> None:
    chat.answers = [410]
    owed = burning(chat.url)
    assert not delivery.deliver(owed.pk, owed.next_try_at)
    owed.refresh_from_db()
    assert (owed.state, owed.error) == ("failed", "The webhook answered 410 Gone. Check its address.")
    assert owed.channel.last_error == owed.error
    assert delivery.deliver_due(timezone.now() + 24 * HOUR) == 0
    entry = TimelineEntry.objects.get(icon="warn")
    assert (entry.title, entry.text) == ("Could not tell chat.", f"Undelivered: {owed.incident} opened.")


@pytest.mark.parametrize("answer", [500, 503, 429, 408])
def test_trouble_on_their_side_is_tried_again_later(chat: Inbox, answer: int) -> None:
    chat.answers = [answer]
    owed = burning(chat.url)
    assert not delivery.deliver(owed.pk, timezone.now() + HOUR)
    assert timedelta(seconds=2) < due_at(owed) < timedelta(seconds=7)
    assert owed.state == Delivery.State.WAITING
    assert delivery.deliver(owed.pk, timezone.now() + HOUR)
    assert TimelineEntry.objects.get(icon="send").detail == "At attempt 2."


def test_the_pauses_grow_up_to_ten_minutes() -> None:
    assert timedelta(seconds=4) <= outbox.pause(1) <= timedelta(seconds=6)
    assert timedelta(seconds=64) <= outbox.pause(5) <= timedelta(seconds=96)
    assert timedelta(minutes=8) <= outbox.pause(18) <= timedelta(minutes=12)


def test_after_many_attempts_it_is_given_up(chat: Inbox) -> None:
    owed = burning(chat.url)
    Delivery.objects.update(attempts=outbox.MOST_ATTEMPTS - 1)
    chat.answers = [500]
    delivery.deliver(owed.pk, owed.next_try_at)
    owed.refresh_from_db()
    assert owed.state == Delivery.State.FAILED


def test_one_that_kills_every_worker_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    owed = burning("http://127.0.0.1:9/")
    monkeypatch.setitem(delivery.SENDERS, "webhook", die)
    at = owed.next_try_at
    for _ in range(outbox.MOST_ATTEMPTS):
        with pytest.raises(KeyboardInterrupt):
            delivery.deliver(owed.pk, at)
        at += outbox.LEASE
    assert not delivery.deliver(owed.pk, at)
    owed.refresh_from_db()
    assert owed.state == Delivery.State.FAILED


def test_a_webhook_that_does_not_answer_is_tried_again(chat: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT", (1, 0.2))
    chat.may_answer.clear()
    owed = burning(chat.url)
    assert not delivery.deliver(owed.pk, owed.next_try_at)
    owed.refresh_from_db()
    assert (owed.state, owed.error) == ("waiting", "The webhook did not answer within 0.2 seconds.")


def test_a_webhook_where_nothing_listens_is_tried_again() -> None:
    owed = burning(f"http://127.0.0.1:{free_port()}/hook")
    assert not delivery.deliver(owed.pk, owed.next_try_at)
    owed.refresh_from_db()
    assert (owed.state, owed.error) == ("waiting", "The webhook cannot be reached: no connection, or it broke.")


def test_a_host_name_that_can_be_none_is_a_sentence() -> None:
    owed = burning(f"http://{'a' * 64}.example/hook")
    assert not delivery.deliver(owed.pk, owed.next_try_at)
    owed.refresh_from_db()
    assert (owed.state, owed.error) == ("waiting", "The webhook cannot be reached: no connection, or it broke.")


@override_settings(INTERNAL_ADDRESSES=["127.0.0.1"])
def test_a_redirect_inwards_is_not_followed(chat: Inbox) -> None:
    with inbox() as inside:
        chat.answers, chat.location = [307], inside.url.replace("127.0.0.1", "127.0.0.2")
        owed = burning(chat.url)
        assert not delivery.deliver(owed.pk, owed.next_try_at)
        assert not inside.received
    owed.refresh_from_db()
    assert owed.state == Delivery.State.FAILED
    assert owed.error == "The webhook answered 307 Temporary Redirect: it moved. Enter the address it has now."


@override_settings(INTERNAL_ADDRESSES=[])
def test_an_internal_address_is_refused_with_what_to_do(chat: Inbox) -> None:
    owed = burning(chat.url)
    assert not delivery.deliver(owed.pk, owed.next_try_at)
    owed.refresh_from_db()
    assert owed.state == Delivery.State.FAILED
    assert "FIRELINE_INTERNAL_ADDRESSES" in owed.error
    assert not chat.received


def test_the_secret_in_a_webhook_address_is_on_no_page(chat: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT", (1, 0.2))
    chat.answers = [500, 404]
    owed = burning(chat.url)
    for _ in range(2):
        delivery.deliver(owed.pk, timezone.now() + HOUR)
    said = [*Channel.objects.values_list("last_error", flat=True), *Delivery.objects.values_list("error", flat=True)]
    said += TimelineEntry.objects.values_list("detail", flat=True)
    assert "secret-token" not in "".join(said)


def test_the_secret_in_a_webhook_address_is_in_no_log(chat: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    chat.answers = [500, 200]
    owed = burning(chat.url)
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            delivery.deliver(owed.pk, timezone.now() + HOUR)
    assert f"Delivery {owed.pk} to channel" in caplog.text
    assert "secret-token" not in caplog.text


def test_a_channel_hears_of_an_incident_in_order(chat: Inbox) -> None:
    chat.answers = [500]
    make_channel(url=chat.url)
    go_on(watched(), [BAD, BAD, *[GOOD] * 10])
    later = timezone.now() + HOUR
    for _ in range(4):
        delivery.deliver_due(later)
        later += HOUR
    assert [message["event"] for message in chat.received] == ["opened", "opened", "resolved"]


def test_one_channel_in_trouble_does_not_hold_up_another(chat: Inbox) -> None:
    make_channel("broken", url=f"http://127.0.0.1:{free_port()}/")
    make_channel("chat", url=chat.url)
    go_on(watched(), [BAD, BAD])
    delivery.deliver_due(timezone.now() + HOUR)
    assert len(chat.received) == 1


def test_a_channel_that_was_switched_off_meanwhile_gets_nothing(chat: Inbox) -> None:
    owed = burning(chat.url)
    Channel.objects.update(enabled=False)
    delivery.deliver(owed.pk, owed.next_try_at)
    owed.refresh_from_db()
    assert (owed.state, owed.error) == ("failed", "The channel is switched off.")
    assert not chat.received


# -- The test button
def test_the_test_button_sends_something_harmless(chat: Inbox) -> None:
    channel = make_channel(url=chat.url)
    delivery.send_test(channel)
    assert chat.received[0]["event"] == "test"
    channel.refresh_from_db()
    assert channel.last_sent_at is not None


def test_the_test_button_says_what_went_wrong(chat: Inbox) -> None:
    chat.answers = [404]
    channel = make_channel(url=chat.url)
    with pytest.raises(TransportError, match="404 Not Found"):
        delivery.send_test(channel)
    channel.refresh_from_db()
    assert channel.last_error == "The webhook answered 404 Not Found. Check its address."


# -- E-mail
def test_a_mail_has_text_and_html_and_goes_to_everybody() -> None:
    make_channel("mail", "email", to="owner@example.org, mate@example.org")
    go_on(watched(), [BAD, BAD])
    assert delivery.deliver_due(timezone.now() + HOUR) == 1
    message = mail.outbox[0]
    assert message.to == ["owner@example.org", "mate@example.org"]
    assert message.subject == f"[Page] {the_incident().title}"
    assert isinstance(message, mail.EmailMultiAlternatives)
    assert message.alternatives[0][1] == "text/html"


def test_a_mail_server_that_is_away_is_tried_again() -> None:
    make_channel("mail", "email", to="owner@example.org")
    go_on(watched(), [BAD, BAD])
    smtp = {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {"host": "127.0.0.1", "port": free_port()},
    }
    with override_settings(MAILERS={"default": smtp}):
        delivery.deliver_due(timezone.now() + HOUR)
    owed = Delivery.objects.get()
    assert (owed.state, owed.error) == ("waiting", "The mail could not be handed over: Connection refused.")


def die(*arguments: object) -> None:
    raise KeyboardInterrupt
