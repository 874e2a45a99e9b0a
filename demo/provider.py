"""A payment provider's sandbox, run twice: `--name provider-a` and `--name provider-b`."""

import argparse
import logging
import random
import time
import uuid

from flask import Flask, Response, jsonify

from demo import flow_context, serving, telemetry
from demo.delays import wait
from demo.processes import process
from demo.releases import VERSIONS
from demo.serving import Failure
from demo.switches import switches
from demo.telemetry import span

SLOW_REGION = "eu-west"
SLOW_SECONDS = (1.5, 4.0)
REFUSED = 0.8
# Even on a good day; the second attempt nearly always works.
REFUSED_NORMALLY = 0.007
logger = logging.getLogger("shop.provider")


class AcquirerUnavailable(Failure):
    """The bank behind the provider does not take the request."""

    status = 503


def make_app(name: str) -> Flask:
    app = serving.make_app(process(name), VERSIONS[name])

    @app.post("/v2/authorize")
    def authorize() -> Response:
        with span("ask acquirer") as running:
            acquirer = f"acquirer-{flow_context.carried().get('region', 'other')}"
            running.set_attribute("peer.service", acquirer)
            ask(name, acquirer)
        return jsonify(authorization=uuid.uuid4().hex[:10])

    return app


def ask(name: str, acquirer: str) -> None:
    broken = name == "provider-a" and switches.is_on("payment-provider-errors")
    if random.random() < (REFUSED if broken else REFUSED_NORMALLY):
        logger.error("%s closed the connection during the TLS handshake", acquirer)
        raise AcquirerUnavailable(f"{acquirer} is unavailable")
    if name == "provider-b" and acquirer.endswith(SLOW_REGION) and switches.is_on("payment-provider-slow"):
        seconds = random.uniform(*SLOW_SECONDS)
        logger.warning("%s has no free connection, waiting %.1f s for one", acquirer, seconds)
        time.sleep(seconds)
    wait(0.08)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--name", choices=("provider-a", "provider-b"), required=True)
    name = parser.parse_args().name
    telemetry.start(process(name), VERSIONS[name])
    switches.follow()
    serving.serve(make_app(name), process(name))


if __name__ == "__main__":
    main()
