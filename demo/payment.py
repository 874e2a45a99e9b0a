"""Charges an order through the provider of its payment method."""

import logging
import uuid
from typing import Any

from flask import Flask, Response, jsonify, request
from prometheus_client import Counter

from demo import measuring, serving, telemetry
from demo.calls import CallFailed, call
from demo.processes import process
from demo.releases import VERSIONS
from demo.traffic import PROVIDERS

TIMEOUT = 2.5
ATTEMPTS = 2
logger = logging.getLogger("shop.payment")
attempts = Counter("payment_attempts", "Calls of payment providers.", ("provider", "outcome"))


def make_app() -> Flask:
    app = serving.make_app(process("payment"), VERSIONS["payment"])

    @app.post("/charges")
    def charge() -> Response:
        order = request.get_json()
        provider = PROVIDERS[order["method"]]
        authorized = authorize(provider, order)
        logger.info("%s authorized %s", provider, authorized["authorization"], extra={"provider": provider})
        return jsonify(charge_id=uuid.uuid4().hex[:12], provider=provider, authorization=authorized["authorization"])

    return app


def authorize(provider: str, order: dict[str, Any]) -> Any:
    """Ask the provider, once more if it refuses at once. One that is slow is not asked again."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            answer = call(provider, "POST", "/v2/authorize", order, timeout=TIMEOUT)
        except CallFailed as error:
            outcome = "timeout" if error.status == 504 else "error"
            attempts.labels(provider, outcome).inc(exemplar=measuring.exemplar())
            if outcome == "timeout" or attempt == ATTEMPTS:
                logger.error("%s authorize failed: %s", provider, error, extra={"provider": provider})
                raise
            logger.warning("%s, trying once more", error, extra={"provider": provider})
        else:
            attempts.labels(provider, "ok").inc()
            return answer
    raise AssertionError("unreachable: the last attempt returns or raises")


if __name__ == "__main__":
    telemetry.start(process("payment"), VERSIONS["payment"])
    serving.serve(make_app(), process("payment"))
