"""Who uses the shop, how, and how much: shared by the load generator and the history, so that they match."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

MEAN_RATE = 20.0
# Of the mean; busiest at 15:00 UTC, quietest twelve hours later.
SWING = 0.4
BUSIEST_HOUR = 15


@dataclass(frozen=True, slots=True)
class Share[T]:
    what: T
    share: float


@dataclass(frozen=True, slots=True)
class Origin:
    tenant: str
    region: str


FLOWS = (Share("search", 0.5), Share("checkout", 0.3), Share("login", 0.2))
ORIGINS = (
    Share(Origin("acme", "eu-west"), 0.30),
    Share(Origin("globex", "us-east"), 0.20),
    Share(Origin("globex", "eu-west"), 0.12),
    Share(Origin("initech", "eu-central"), 0.18),
    Share(Origin("umbrella", "us-east"), 0.08),
    Share(Origin("umbrella", "eu-central"), 0.12),
)
METHODS = (Share("card", 0.55), Share("wallet", 0.30), Share("invoice", 0.15))
PROVIDERS = {"card": "provider-b", "wallet": "provider-a", "invoice": "provider-a"}

TENANTS = frozenset(origin.what.tenant for origin in ORIGINS)
REGIONS = frozenset(origin.what.region for origin in ORIGINS)
WORDS = ("lamp", "desk", "chair", "shelf", "rug", "sofa", "mirror", "clock")


def rate(at: datetime, mean: float = MEAN_RATE) -> float:
    """Requests per second at an instant: `mean` over a day, higher by day than by night."""
    moment = at.astimezone(UTC)
    hours = moment.hour + moment.minute / 60 + moment.second / 3600
    return mean * (1 + SWING * math.cos((hours - BUSIEST_HOUR) / 24 * math.tau))


def pick[T](shares: Sequence[Share[T]], chance: float) -> T:
    """The entry that `chance`, 0…1, falls on."""
    for entry in shares:
        chance -= entry.share
        if chance < 0:
            return entry.what
    return shares[-1].what
