"""The queue of placed orders, from checkout to the worker: what both sides of it need.

The broker lives in the worker process, behind HTTP. Its protocol is not traced; the messages are: each carries its
sender's context, as OpenTelemetry's conventions for messaging have it.
"""

import logging
from typing import Any

from opentelemetry import propagate
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from demo.calls import CallFailed, call
from demo.telemetry import PRODUCER, span

QUEUE = "orders"
PATH = "/queue"
logger = logging.getLogger("shop.orders")


def send(order: dict[str, Any]) -> None:
    """Put an order into the queue. Raises CallFailed, with status 503, when it is full."""
    with span(
        f"send {QUEUE}",
        PRODUCER,
        messaging_system="shop-queue",
        messaging_operation_type="send",
        messaging_operation_name="send",
        messaging_destination_name=QUEUE,
        messaging_message_id=order["order_id"],
    ):
        headers: dict[str, str] = {}
        propagate.inject(headers)
        with suppress_http_instrumentation():
            _put({"headers": headers, "order": order})


def _put(message: dict[str, Any]) -> None:
    try:
        call("worker", "POST", PATH, message, timeout=2)
    except CallFailed as error:
        logger.error("order cannot be queued: %s", error)
        raise
