"""The shop's fault switches: what each breaks, and a command to flip them.

python -m demo.faults list
python -m demo.faults on payment-provider-slow
python -m demo.faults off payment-provider-slow
"""

import http.client
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from demo.processes import process


@dataclass(frozen=True, slots=True)
class Fault:
    name: str
    # What breaks, and what part of the traffic feels it.
    breaks: str


FAULTS = (
    Fault(
        "payment-provider-slow",
        "provider-b answers card payments from eu-west after 1.5\xa0to\xa04\xa0s; payment gives up after 2.5\xa0s",
    ),
    Fault(
        "payment-provider-errors",
        "provider-a refuses 80\u202f% of wallet and invoice payments; payment tries each twice, then checkout fails",
    ),
    Fault(
        "inventory-pool-exhausted",
        "A stock report holds on to inventory's database connections: checkout and search wait, and about half fail",
    ),
    Fault(
        "bad-deploy",
        "checkout 2.16.0 is rolled out and fails for invoice, 15\u202f% of the orders; off rolls back to 2.15.0",
    ),
    Fault(
        "worker-backlog",
        "The worker needs 2\xa0s an order: the queue grows, and once it is full, after half a minute, checkout fails",
    ),
    Fault("login-errors-one-tenant", "The signing key of tenant globex expires: none of its logins work"),
    Fault("checkout-down", "The orders database refuses connections: every checkout fails"),
)
NAMES = frozenset(fault.name for fault in FAULTS)


def ask(method: str, path: str) -> tuple[int, Any]:
    """Status and JSON of an answer of the control process. Raises OSError when it is not there."""
    control = process("control")
    connection = http.client.HTTPConnection(control.host, control.port, timeout=30)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def main(arguments: Sequence[str]) -> int:
    match arguments:
        case ["list"] | []:
            return _run("GET", "/faults.json")
        case ["on" | "off" as position, name] if name in NAMES:
            return _run("PUT", f"/faults/{name}/{position}")
        case ["on" | "off", name]:
            print(f"There is no fault called {name}. There are: {', '.join(sorted(NAMES))}.", file=sys.stderr)
    print("Usage: python -m demo.faults list | on NAME | off NAME", file=sys.stderr)
    return 2


def _run(method: str, path: str) -> int:
    try:
        status, answer = ask(method, path)
    except OSError as error:
        where = process("control").target
        print(f"The shop's control process does not answer on {where} ({error}).", file=sys.stderr)
        print("Start the shop with `make demo`, or set SHOP_BASE_PORT to where it runs.", file=sys.stderr)
        return 1
    if status != 200:
        print(answer["error"], file=sys.stderr)
        return 1
    on = set(answer["on"])
    for fault in FAULTS:
        print(f"{'on ' if fault.name in on else 'off'}  {fault.name:26}  {fault.breaks}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
