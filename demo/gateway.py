"""The storefront's edge: knows which user flow a request belongs to, and says so to everything behind it."""

import logging
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, g, jsonify, request

from demo import flow_context, serving, telemetry, traffic
from demo.calls import call
from demo.processes import process
from demo.releases import VERSIONS
from demo.serving import Failure

FLOWS = {"/checkout": "checkout", "/login": "login", "/search": "search"}
METHODS = frozenset(traffic.PROVIDERS)
LABELS = {"flow": "user.flow", "tenant": "tenant", "region": "region", "payment_method": "payment.method"}
logger = logging.getLogger("shop.gateway")


class BadRequest(Failure):
    status = 400


def make_app() -> Flask:
    app = serving.make_app(process("gateway"), VERSIONS["gateway"], tuple(LABELS), labels)
    app.before_request(enter_flow)
    app.teardown_request(leave_flow)
    app.post("/checkout")(checkout)
    app.post("/login")(login)
    app.get("/search")(search)
    return app


def enter_flow() -> None:
    """Let the flow and the part of the traffic travel with this request from here on."""
    flow = FLOWS.get(request.path)
    if flow is None:
        return
    values = {
        "user.flow": flow,
        "tenant": known(request.headers.get("X-Tenant", ""), traffic.TENANTS),
        "region": known(request.headers.get("X-Region", ""), traffic.REGIONS),
    }
    if flow == "checkout":
        values["payment.method"] = known(str(body().get("payment_method", "")), METHODS)
    g.carried = values
    g.flow = ExitStack()
    g.flow.enter_context(flow_context.enter(values))


def leave_flow(error: BaseException | None) -> None:
    if "flow" in g:
        g.flow.close()


def labels() -> dict[str, str]:
    """The values of this request's metric labels; empty where it has none."""
    carried = g.get("carried", {})
    return {label: carried.get(key, "") for label, key in LABELS.items()}


def known(value: str, values: frozenset[str]) -> str:
    """`value` if the shop knows it: what strangers send must not become a metric label."""
    return value if value in values else "other"


def body() -> dict[str, Any]:
    sent = request.get_json(silent=True)
    return sent if isinstance(sent, dict) else {}


def checkout() -> Response:
    order = body()
    if labels()["payment_method"] == "other":
        raise BadRequest(f"payment_method must be one of {', '.join(sorted(METHODS))}.")
    placed = call("checkout", "POST", "/orders", order)
    logger.info("order %s placed", placed["order_id"], extra={"order.id": placed["order_id"]})
    return jsonify(placed)


def login() -> Response:
    session = call("accounts", "POST", "/sessions", {"user": str(body().get("user", "guest"))})
    logger.info("user signed in")
    return jsonify(session)


def search() -> Response:
    found = call("inventory", "GET", f"/items?{urlencode({'q': request.args.get('q', '')})}")
    logger.info("search found %d items", len(found["items"]))
    return jsonify(found)


if __name__ == "__main__":
    telemetry.start(process("gateway"), VERSIONS["gateway"])
    serving.serve(make_app(), process("gateway"))
