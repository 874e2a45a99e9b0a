"""A deep chain: twelve services, each of which asks the next. Callees are named by nothing but their own spans."""

from bench.explain.system import Call, Column, Dialect, Flow, Operation, Query, Service, Step, System, Work

# From the first to the last: who they are and how long they work themselves.
LINKS = (
    ("web", 0.003),
    ("session", 0.002),
    ("portfolio", 0.005),
    ("positions", 0.006),
    ("valuation", 0.012),
    ("pricing", 0.010),
    ("rates", 0.006),
    ("curves", 0.009),
    ("quotes", 0.005),
    ("feeds", 0.004),
    ("markets", 0.006),
    ("calendar", 0.003),
)
NAMES = tuple(name for name, _ in LINKS)
LAST_DATABASE = "calendar-db"
# Runs on the same nodes and has nothing to do with any request.
BATCH = "statements-batch"
_SAID = {
    "portfolio": "portfolio {id} opened",
    "valuation": "valued {n} positions in {ms} ms",
    "quotes": "quote {id} is {n} s old",
    "calendar": "calendar {id} read",
}


def operation_of(name: str) -> str:
    return "GET /overview" if name == NAMES[0] else f"GET /v3/{name}/{{id}}"


def _link(place: int) -> Service:
    name, seconds = LINKS[place]
    steps: list[Step] = [Work(seconds), Work(seconds / 2, f"{name.title()}Handler.load")]
    if place + 1 < len(LINKS):
        after = NAMES[place + 1]
        steps.append(Call(after, operation_of(after), timeout=6.0 - place * 0.35))
    else:
        steps.append(Query(LAST_DATABASE, "SELECT holidays", 0.004, "mysql"))
    if place % 3 == 2:
        steps.append(Query(f"{name}-db", f"SELECT {name}", 0.005, "mysql"))
    operation = Operation(operation_of(name), tuple(steps), _SAID.get(name, ""))
    return Service(name, f"1.{place + 3}.0", (operation,), pods=2 if place % 4 else 3)


PLACES = Column(
    ("cloud.region", "client.os"),
    (
        (("eu-west-1", "ios"), 0.22),
        (("eu-west-1", "android"), 0.14),
        (("us-east-1", "ios"), 0.16),
        (("us-east-1", "android"), 0.22),
        (("ap-south-1", "ios"), 0.06),
        (("ap-south-1", "android"), 0.20),
    ),
)
PLANS = Column(("customer.plan",), ((("free",), 0.5), (("pro",), 0.35), (("enterprise",), 0.15)))
TENANTS = Column(("tenant.id",), tuple(((f"t-{number:03}",), 1 / 40) for number in range(40)))

CHAIN = System(
    "chain",
    (*(_link(place) for place in range(len(LINKS))), Service(BATCH, "0.7.2", (), pods=1)),
    (Flow("Overview", NAMES[0], operation_of(NAMES[0]), 1.0, (PLACES, PLANS, TENANTS)),),
    Dialect(peer="", urls=True, metrics="gauges"),
)
