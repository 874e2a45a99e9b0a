"""What is said to have happened in the shop before it was started: deploys, and two bad episodes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from demo.changes import deploy
from demo.releases import VERSIONS


@dataclass(frozen=True, slots=True)
class Deploy:
    service: str
    version: str
    previous: str
    at: datetime
    why: str = "Deploy"

    def event(self) -> dict[str, Any]:
        """In the shape that is posted for a live deploy."""
        return deploy(self.service, self.version, self.previous, self.at, self.why)


@dataclass(frozen=True, slots=True)
class Episode:
    """A time in which part of the requests failed."""

    name: str
    what: str
    begin: datetime
    end: datetime
    # The share of requests that fail, by flow; of one payment method only if that is given.
    failing: dict[str, float]
    status: str
    payment_method: str = ""

    def share(self, flow: str, payment_method: str, at: datetime) -> float:
        """Which share of these requests fails at an instant, 0…1."""
        if not self.begin <= at < self.end or self.payment_method not in ("", payment_method):
            return 0.0
        return self.failing.get(flow, 0.0)


@dataclass(frozen=True, slots=True)
class Past:
    since: datetime
    until: datetime
    episodes: tuple[Episode, ...]
    deploys: tuple[Deploy, ...]

    def versions(self, service: str) -> list[tuple[str, datetime, datetime]]:
        """Which version of a service ran from when to when."""
        changes = sorted((change for change in self.deploys if change.service == service), key=lambda c: c.at)
        version = changes[0].previous if changes else VERSIONS[service]
        begin, spans = self.since, []
        for change in changes:
            spans.append((version, begin, change.at))
            version, begin = change.version, change.at
        return [*spans, (version, begin, self.until)]


def past(since: datetime, until: datetime) -> Past:
    """The week before `until`, as far as it lies after `since`; the same for every call on the same day."""

    def day(ago: int, hour: int, minute: int) -> datetime:
        return datetime.combine(until.astimezone(UTC).date() - timedelta(days=ago), time(hour, minute), UTC)

    bad_release = Episode(
        "bad deploy of checkout 2.14.0",
        "every invoice payment failed until it was rolled back",
        day(4, 14, 20),
        day(4, 14, 38),
        {"checkout": 1.0},
        "502",
        payment_method="invoice",
    )
    small_pool = Episode(
        "inventory pool exhausted",
        "inventory 4.0.1 kept connections too long; checkout and search waited for them",
        day(2, 10, 5),
        day(2, 10, 17),
        {"checkout": 0.15, "search": 0.15},
        "503",
    )
    deploys = [
        Deploy("gateway", VERSIONS["gateway"], "5.4.0", day(5, 11, 0)),
        Deploy("checkout", "2.14.0", "2.13.2", bad_release.begin),
        Deploy("checkout", "2.13.2", "2.14.0", bad_release.end, "Roll back"),
        Deploy("checkout", VERSIONS["checkout"], "2.13.2", day(3, 9, 30)),
        Deploy("inventory", "4.0.1", "3.9.8", small_pool.begin),
        Deploy("inventory", VERSIONS["inventory"], "4.0.1", small_pool.end),
        Deploy("payment", VERSIONS["payment"], "1.9.2", day(1, 13, 40)),
    ]
    return Past(
        since,
        until,
        tuple(episode for episode in (bad_release, small_pool) if since <= episode.begin),
        tuple(_known(deploys, since)),
    )


def _known(deploys: Sequence[Deploy], since: datetime) -> list[Deploy]:
    return sorted((change for change in deploys if change.at >= since), key=lambda change: change.at)
