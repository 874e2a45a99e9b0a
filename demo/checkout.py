"""Takes an order through its steps: open, price, reserve, charge, and hand over to the worker.

Started plainly it is the deployer (`demo.rollout`), which runs this module again as the version that serves.
"""

import argparse
import logging
import socket
import sys
import uuid
from typing import Any

from flask import Flask, Response, jsonify, request

from demo import orders, rollout, serving, telemetry
from demo.calls import call
from demo.delays import wait
from demo.processes import process
from demo.releases import BAD_CHECKOUT, VERSIONS
from demo.switches import switches
from demo.telemetry import span

PRICES = {"lamp": 39, "desk": 249, "chair": 119, "shelf": 89, "rug": 149, "sofa": 799, "mirror": 59, "clock": 29}
TAXED = {"invoice": 0.05}
logger = logging.getLogger("shop.checkout")


class OrdersDatabaseDown(Exception):
    """The orders database does not take connections."""


def make_app(version: str) -> Flask:
    app = serving.make_app(process("checkout"), version)
    price = price_with_tax if version == BAD_CHECKOUT else price_plain

    @app.post("/orders")
    def place() -> Response:
        order: dict[str, Any] = request.get_json()
        order["order_id"] = uuid.uuid4().hex[:12]
        open_order(order["order_id"])
        amount = price(order)
        call("inventory", "POST", "/reservations", {"item": order["item"], "order_id": order["order_id"]}, timeout=3)
        charge = call("payment", "POST", "/charges", {"method": order["payment_method"], "amount": amount}, timeout=8)
        orders.send({"order_id": order["order_id"], "amount": amount})
        return jsonify(order_id=order["order_id"], amount=amount, charge=charge["charge_id"])

    return app


def open_order(order_id: str) -> None:
    with span(
        "INSERT orders",
        telemetry.CLIENT,
        db_system_name="postgresql",
        db_operation_name="INSERT",
        db_collection_name="orders",
        server_address="orders-db",
    ):
        if switches.is_on("checkout-down"):
            logger.error("connection to orders-db:5432 refused", extra={"order.id": order_id})
            raise OrdersDatabaseDown("connection to orders-db:5432 refused")
        wait(0.006)


def price_plain(order: dict[str, Any]) -> int:
    with span("price order"):
        return PRICES.get(str(order.get("item")), 50)


def price_with_tax(order: dict[str, Any]) -> int:
    """Version 2.16.0: reads the terms of payment from the order, where only the old web form put them."""
    with span("price order"):
        amount = PRICES.get(str(order.get("item")), 50)
        if order["payment_method"] in TAXED:
            amount += round(amount * TAXED[order["payment_method"]] * payment_days(order) / 365)
        return amount


def payment_days(order: dict[str, Any]) -> int:
    try:
        return int(order["payment_terms"])
    except KeyError:
        logger.error("order has no payment_terms, which tax on %s needs", order["payment_method"])
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", help="serve as this version, on the socket --fd")
    parser.add_argument("--fd", type=int)
    parser.add_argument("--ready-fd", type=int)
    chosen = parser.parse_args()
    if chosen.version is None:
        return rollout.run("checkout", VERSIONS["checkout"], {"bad-deploy": BAD_CHECKOUT})
    telemetry.start(process("checkout"), chosen.version)
    switches.follow()
    listening = socket.socket(fileno=chosen.fd)
    app = make_app(chosen.version)
    serving.serve(app, process("checkout"), listening, ready=lambda: rollout.serve_as_child(chosen.ready_fd))
    return 0


if __name__ == "__main__":
    sys.exit(main())
