"""Confirms placed orders, one after the other, from a queue of limited length that lives in this process."""

import logging
import queue
import threading
import time
from dataclasses import dataclass
from typing import Any

from flask import Flask, Response, jsonify, request
from opentelemetry import context, propagate, trace
from prometheus_client import Counter, Gauge, Histogram

from demo import measuring, serving, telemetry
from demo.delays import wait
from demo.orders import PATH, QUEUE
from demo.processes import process
from demo.releases import VERSIONS
from demo.serving import Failure
from demo.switches import switches
from demo.telemetry import CONSUMER, span

CAPACITY = 100
CONSUMERS = 2
SLOW_SECONDS = 2.0
LAG_WARNING = 5.0
LAG_BUCKETS = (0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)
logger = logging.getLogger("shop.worker")

processed = Counter("orders_processed", "Orders that were confirmed.")
lag = Histogram(
    "orders_queue_wait_seconds",
    "From placing an order to its confirmation.",
    buckets=LAG_BUCKETS,
)
depth = Gauge("orders_queue_depth", "Orders that wait.")
capacity = Gauge("orders_queue_capacity", "Orders that may wait.")
age = Gauge("orders_queue_oldest_age_seconds", "How long the oldest order has been waiting.")


class QueueFull(Failure):
    """No more orders fit into the queue."""

    status = 503


@dataclass(frozen=True, slots=True)
class Message:
    at: float
    headers: dict[str, str]
    order: dict[str, Any]


class Backlog:
    """The queue, oldest first."""

    def __init__(self, size: int = CAPACITY) -> None:
        self._waiting: queue.Queue[Message] = queue.Queue(size)
        capacity.set(size)
        depth.set_function(self._waiting.qsize)
        age.set_function(self.oldest_age)

    def put(self, message: Message) -> None:
        try:
            self._waiting.put_nowait(message)
        except queue.Full:
            raise QueueFull(f"{self._waiting.maxsize} orders are waiting, the queue is full") from None

    def get(self) -> Message:
        return self._waiting.get()

    def oldest_age(self) -> float:
        with self._waiting.mutex:
            return time.time() - self._waiting.queue[0].at if self._waiting.queue else 0.0


def make_app(backlog: Backlog) -> Flask:
    app = serving.make_app(process("worker"), VERSIONS["worker"], untraced=PATH)

    @app.post(PATH)
    def put() -> Response:
        sent = request.get_json()
        backlog.put(Message(time.time(), sent["headers"], sent["order"]))
        return jsonify(queued=sent["order"]["order_id"])

    return app


def consume(backlog: Backlog) -> None:
    while True:
        message = backlog.get()
        token = context.attach(propagate.extract(message.headers))
        try:
            confirm(message)
        finally:
            context.detach(token)


def confirm(message: Message) -> None:
    with span(
        f"process {QUEUE}",
        CONSUMER,
        messaging_system="shop-queue",
        messaging_operation_type="process",
        messaging_operation_name="process",
        messaging_destination_name=QUEUE,
        messaging_message_id=message.order["order_id"],
    ):
        waited = time.time() - message.at
        trace.get_current_span().set_attribute("orders.queue.wait", round(waited, 3))
        if waited > LAG_WARNING:
            logger.warning("order waited %.1f s in the queue", waited)
        if switches.is_on("worker-backlog"):
            logger.warning("mail server answers 451, slowing down")
            time.sleep(SLOW_SECONDS)
        wait(0.03)
        lag.observe(time.time() - message.at, measuring.exemplar())
        processed.inc()
        logger.info("confirmed order %s", message.order["order_id"], extra={"order.id": message.order["order_id"]})


def main() -> None:
    telemetry.start(process("worker"), VERSIONS["worker"])
    switches.follow()
    backlog = Backlog()
    for _ in range(CONSUMERS):
        threading.Thread(target=consume, args=(backlog,), daemon=True).start()
    serving.serve(make_app(backlog), process("worker"))


if __name__ == "__main__":
    main()
