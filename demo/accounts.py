"""Signs users in: looks up the tenant, checks the credentials, signs a session with the tenant's key."""

import hashlib
import hmac
import logging
import time

from flask import Flask, Response, jsonify, request

from demo import flow_context, serving, telemetry
from demo.delays import wait
from demo.processes import process
from demo.releases import VERSIONS
from demo.switches import switches
from demo.telemetry import span

BROKEN_TENANT = "globex"
logger = logging.getLogger("shop.accounts")


class SigningKeyExpired(Exception):
    """The tenant's key may not sign sessions any more."""


def make_app() -> Flask:
    app = serving.make_app(process("accounts"), VERSIONS["accounts"])

    @app.post("/sessions")
    def sign_in() -> Response:
        tenant = flow_context.carried().get("tenant", "other")
        key = tenant_key(tenant)
        with span("check credentials"):
            wait(0.03)
        with span("sign session"):
            return jsonify(token=sign(tenant, str(request.get_json()["user"]), key))

    return app


def tenant_key(tenant: str) -> bytes:
    with span(
        "SELECT tenants",
        telemetry.CLIENT,
        db_system_name="postgresql",
        db_operation_name="SELECT",
        db_collection_name="tenants",
        db_query_text="SELECT signing_key FROM tenants WHERE name = $1",
        server_address="accounts-db",
    ):
        wait(0.005)
        return f"key of {tenant}".encode()


def sign(tenant: str, user: str, key: bytes) -> str:
    if tenant == BROKEN_TENANT and switches.is_on("login-errors-one-tenant"):
        logger.error(
            "signing key %s-2025 of tenant %s has expired", tenant, tenant, extra={"signing.key": f"{tenant}-2025"}
        )
        raise SigningKeyExpired(f"signing key {tenant}-2025 has expired")
    claims = f"{tenant}:{user}:{int(time.time())}"
    return f"{claims}:{hmac.new(key, claims.encode(), hashlib.sha256).hexdigest()}"


if __name__ == "__main__":
    telemetry.start(process("accounts"), VERSIONS["accounts"])
    switches.follow()
    serving.serve(make_app(), process("accounts"))
