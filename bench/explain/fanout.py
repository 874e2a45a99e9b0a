"""A wide fan-out: a front asks eight services at once; most share one database, and what they note goes to a queue."""

from bench.explain.system import (
    Call,
    Column,
    Dialect,
    Flow,
    Lookup,
    Operation,
    Pool,
    Query,
    Queue,
    Send,
    Service,
    Sometimes,
    Step,
    System,
    Together,
    Work,
)

DATABASE, CACHE, QUEUE = "main-db", "session-cache", "audit"
# Runs on the same nodes and has nothing to do with any request.
BATCH = "thumbnailer"
PARTS = ("profile", "catalog", "offers", "reviews", "basket", "shipping", "recommend", "messages")
# Who asks the shared database, how often at a time, and how long one question takes.
_QUESTIONS = {"profile": 1, "catalog": 3, "offers": 2, "reviews": 2, "basket": 2, "shipping": 1, "messages": 1}
_SAID = {"catalog": "catalog page {id} built from {n} rows", "basket": "basket {id} has {n} items"}


def method(part: str) -> str:
    return f"acme.{part}.v1.{part.title()}/Get{part.title()}"


def _part(place: int, name: str) -> Service:
    steps: list[Step] = [Work(0.006)]
    steps += [Query(DATABASE, f"SELECT {name}", 0.005, pooled=True)] * _QUESTIONS.get(name, 0)
    if name == "recommend":
        steps += [Work(0.05, "rank"), Call("features", method("features"), timeout=1.5, attempts=3, patient=True)]
    if name == "shipping":
        steps.append(Call("carrier", method("carrier"), timeout=2.0, attempts=2))
    operation = Operation(method(name), tuple(steps), _SAID.get(name, ""))
    # Two may be served at once by a pod: enough by far, until many more users come.
    threads = 2 if name == "catalog" else 0
    pool = Pool(f"{name}-pool", 6, 0.8) if name in _QUESTIONS else None
    return Service(name, f"3.{place}.1", (operation,), pods=2, threads=threads, pool=pool)


FRONT = Service(
    "front",
    "12.4.0",
    (
        Operation(
            "GET /home",
            (
                Work(0.004),
                Call("auth", method("auth"), timeout=3.0),
                Together(tuple(Call(part, method(part), timeout=5.0, optional=part == "messages") for part in PARTS)),
                Sometimes(0.5, Send(QUEUE)),
                Work(0.005, "render"),
            ),
            "home page {id} rendered in {ms} ms",
        ),
    ),
    pods=3,
    refuses=0,
)
AUTH = Service(
    "auth",
    "5.0.3",
    (
        Operation(
            method("auth"),
            (Work(0.002), Lookup(CACHE, "GET session", Query("users-db", "SELECT sessions", 0.09), hits=0.96)),
        ),
    ),
)
FEATURES = Service("features", "0.9.4", (Operation(method("features"), (Work(0.02),)),))
CARRIER = Service("carrier", "2.2.0", (Operation(method("carrier"), (Work(0.03),)),), refuses=0.004)
AUDITOR = Service("auditor", "1.1.0", (Operation(f"process {QUEUE}", (Work(0.05),), "noted event {id}"),), pods=2)
BATCH_SERVICE = Service(BATCH, "1.0.0", (), pods=1)

DEVICES = Column(
    ("device.type", "cloud.region"),
    (
        (("phone", "north"), 0.30),
        (("phone", "south"), 0.25),
        (("desktop", "north"), 0.20),
        (("desktop", "south"), 0.12),
        (("tablet", "north"), 0.05),
        (("tablet", "south"), 0.08),
    ),
)
TENANTS = Column(
    ("tenant.id",),
    ((("blue",), 0.35), (("green",), 0.25), (("red",), 0.2), (("grey",), 0.12), (("black",), 0.08)),
)

FANOUT = System(
    "fanout",
    (FRONT, AUTH, *(_part(place, name) for place, name in enumerate(PARTS)), FEATURES, CARRIER, AUDITOR, BATCH_SERVICE),
    (Flow("Home", "front", "GET /home", 1.0, (DEVICES, TENANTS)),),
    Dialect(peer="server.address"),
    (Queue(QUEUE, "auditor", f"process {QUEUE}", consumers=2),),
)
