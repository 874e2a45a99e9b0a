"""How a system's spans are called and what attributes they have, by the dialect that it speaks."""

from random import Random

from bench.explain.system import Call, Dialect
from connectors.telemetry import SpanKind

type Words = dict[str, str | int]


def server_name(operation: str, dialect: Dialect, random: Random) -> str:
    """What the span of an operation is called: after its URL, with the id in it, where that is the custom."""
    if dialect.urls and "{id}" in operation:
        return operation.partition(" ")[2].replace("{id}", str(random.randrange(1000, 9999)))
    return operation


def client_name(step: Call, dialect: Dialect, random: Random) -> str:
    if dialect.urls:
        verb, _, path = step.operation.partition(" ")
        return f"{verb} http://{step.service}:8080{path.replace('{id}', str(random.randrange(1000, 9999)))}"
    return step.operation


def server_attributes(operation: str, failed: bool, dialect: Dialect, kind: SpanKind) -> Words:
    if kind == "consumer":
        return {"messaging.system": "queue", "messaging.destination.name": operation.rpartition(" ")[2]}
    verb, _, route = operation.partition(" ")
    if not route:
        return _rpc(operation, 13 if failed else 0)
    return {"http.request.method": verb, "http.route": route, "http.response.status_code": 500 if failed else 200}


def client_attributes(step: Call, error: str, late: bool, dialect: Dialect) -> Words:
    verb, _, route = step.operation.partition(" ")
    named: Words = {dialect.peer: step.service} if dialect.peer else {}
    if late:
        named["error.type"] = "timeout"
    if not route:
        return named | _rpc(step.operation, 4 if late else 13 if error else 0)
    answered: Words = {} if late else {"http.response.status_code": 500 if error else 200}
    return named | {"http.request.method": verb} | answered


def _rpc(operation: str, status: int) -> Words:
    service, _, method = operation.rpartition("/")
    return {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method, "rpc.grpc.status_code": status}


def database_attributes(database: str, name: str, kind: str, dialect: Dialect) -> Words:
    """A database is named even where services are not: by its address."""
    verb, _, table = name.partition(" ")
    return {
        "db.system.name": kind,
        "db.operation.name": verb,
        "db.collection.name": table,
        dialect.peer or "server.address": database,
    }
