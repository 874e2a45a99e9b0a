"""The demo's shop: the same services, operations, attributes and log lines as in `demo/`."""

from bench.explain.system import (
    Call,
    Choice,
    Column,
    Dialect,
    Flow,
    Operation,
    Pool,
    Query,
    Queue,
    Send,
    Service,
    System,
    Work,
)

ORIGINS = Column(
    ("tenant", "region"),
    (
        (("acme", "eu-west"), 0.30),
        (("globex", "us-east"), 0.20),
        (("globex", "eu-west"), 0.12),
        (("initech", "eu-central"), 0.18),
        (("umbrella", "us-east"), 0.08),
        (("umbrella", "eu-central"), 0.12),
    ),
)
METHODS = Column(("payment.method",), ((("card",), 0.55), (("wallet",), 0.30), (("invoice",), 0.15)))
# Which app somebody uses has little to do with anything.
APPS = Column(("app.version",), ((("8.1.0",), 0.25), (("8.2.0",), 0.60), (("web",), 0.15)))

_AUTHORIZE = "POST /v2/authorize"


def _authorize(provider: str) -> Call:
    line = f"authorize timed out after {{ms}} ms provider={provider}"
    return Call(provider, _AUTHORIZE, timeout=4.0, attempts=2, timed_out=line)


def _provider(name: str, version: str) -> Service:
    return Service(name, version, (Operation(_AUTHORIZE, (Work(0.08, "ask acquirer"),)),), refuses=0.006)


GATEWAY = Service(
    "gateway",
    "5.4.1",
    (
        Operation("POST /checkout", (Work(0.003), Call("checkout", "POST /orders")), "order {id} placed"),
        Operation("POST /login", (Work(0.002), Call("accounts", "POST /sessions")), "user signed in"),
        Operation("GET /search", (Work(0.002), Call("inventory", "GET /items")), "search found {n} items"),
    ),
    refuses=0,
)
CHECKOUT = Service(
    "checkout",
    "2026.11.2",
    (
        Operation(
            "POST /orders",
            (
                Query("orders-db", "INSERT orders"),
                Work(0.002, "price order"),
                Call("inventory", "POST /reservations", timeout=3.0),
                Call("payment", "POST /charges", timeout=8.0),
                Send("orders"),
            ),
        ),
    ),
    pods=3,
)
PAYMENT = Service(
    "payment",
    "1.9.3",
    (
        Operation(
            "POST /charges",
            (
                Work(0.004),
                Choice(
                    "payment.method",
                    {
                        "card": _authorize("provider-b"),
                        "wallet": _authorize("provider-a"),
                        "invoice": _authorize("provider-a"),
                    },
                ),
            ),
            "charge {id} authorized in {ms} ms",
        ),
    ),
)
INVENTORY = Service(
    "inventory",
    "4.0.2",
    (
        Operation("GET /items", (Query("stock-db", "SELECT items", 0.008, pooled=True),)),
        Operation(
            "POST /reservations",
            (Query("stock-db", "UPDATE items", 0.008, pooled=True), Work(0.002)),
            "reserved item {id}",
        ),
    ),
    pool=Pool("inventory", 8, 1.0),
)
ACCOUNTS = Service(
    "accounts",
    "2.6.0",
    (
        Operation(
            "POST /sessions",
            (
                Query("accounts-db", "SELECT tenants", 0.005),
                Work(0.03, "check credentials"),
                Work(0.002, "sign session"),
            ),
        ),
    ),
)
WORKER = Service("worker", "1.3.1", (Operation("process orders", (Work(0.03),), "confirmed order {id}"),), pods=1)

SHOP = System(
    "shop",
    (
        GATEWAY,
        CHECKOUT,
        PAYMENT,
        _provider("provider-a", "7.2.0"),
        _provider("provider-b", "3.11.4"),
        INVENTORY,
        ACCOUNTS,
        WORKER,
    ),
    (
        Flow("Checkout", "gateway", "POST /checkout", 0.6, (ORIGINS, METHODS, APPS)),
        Flow("Search", "gateway", "GET /search", 0.2, (ORIGINS, APPS)),
        Flow("Login", "gateway", "POST /login", 0.2, (ORIGINS, APPS)),
    ),
    Dialect(carries=True),
    (Queue("orders", "worker", "process orders", consumers=2, capacity=100),),
)
