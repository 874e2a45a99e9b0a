"""Fills a new installation with what the demo shop needs: a user, a source, flows, objectives, channels, changes."""

import json
import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from alerts.models import Channel
from slo.definition import USUAL_BUDGET_ALERTS, USUAL_NO_DATA
from slo.definitions import save_objective
from slo.models import Flow, Objective
from slo.tiers import Tier, scaled_for
from telemetry.models import Change, Source

USER = "demo"
WINDOW = timedelta(days=7)
# After a repair an alert lasts as long as its short window remembers the fault: with the workbook's windows half an
# hour and more. Here people want to see it resolve.
SHORT = timedelta(minutes=1)
# What the shop's gateway measures; its labels tell flows apart.
DURATION = "http_server_request_duration_seconds"


@dataclass(frozen=True, slots=True)
class Promise:
    """A flow of the shop, and what it promises."""

    name: str
    team: str
    importance: Flow.Importance
    description: str
    # Good means at most this many seconds: a bucket boundary of DURATION.
    threshold: Decimal
    # How many must be that quick, as a ratio.
    quick: Decimal
    # How many must not fail, as a ratio. 99.9 % over 7 days pages after 12 s of a complete outage.
    answered: Decimal = Decimal("0.999")

    @property
    def slug(self) -> str:
        return self.name.lower()


PROMISES = (
    Promise(
        "Checkout",
        "payments",
        Flow.Importance.ONE,
        "From the basket to a paid order.",
        threshold=Decimal(1),
        quick=Decimal("0.995"),
    ),
    Promise(
        "Login",
        "identity",
        Flow.Importance.ONE,
        "Signing in, for every tenant.",
        threshold=Decimal("0.5"),
        quick=Decimal("0.99"),
    ),
    Promise(
        "Search",
        "catalogue",
        Flow.Importance.TWO,
        "Finding what is in stock.",
        threshold=Decimal("0.5"),
        quick=Decimal("0.99"),
    ),
)


class Command(BaseCommand):
    help = "Makes the demo's user, source, flows, objectives, channels and past changes. What is there stays as it is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--prometheus", required=True, help="the address of the Prometheus that scrapes the shop")
        parser.add_argument("--inbox", required=True, help="the address that notifications are posted to")
        parser.add_argument("--history", type=Path, help="what demo.history said: its changes, as JSON")

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        sign_in(os.environ.get("FIRELINE_DEMO_PASSWORD", ""))
        source = prometheus(options["prometheus"])
        for promise in PROMISES:
            keep(promise, source)
        notify(options["inbox"])
        if options["history"]:
            remember(options["history"])
        self.stdout.write("The demo's flows, objectives and channels are there.")


def sign_in(password: str) -> None:
    """A user who may do everything. Raises `CommandError` without a password for a user who has to be made."""
    users = get_user_model().objects
    if users.filter(username=USER).exists():
        return
    if not password:
        raise CommandError("FIRELINE_DEMO_PASSWORD is not set. It becomes the password of the user demo.")
    users.create_superuser(username=USER, email="demo@demo.example", password=password)


def prometheus(url: str) -> Source:
    """The source, at today's address: the demo's port may have changed since the last run."""
    source, _ = Source.objects.update_or_create(name="Demo Prometheus", defaults={"url": url})
    return source


def keep(promise: Promise, source: Source) -> None:
    """Make the flow and its objectives, unless the flow is there: then people may have changed or archived them."""
    flow, made = Flow.objects.get_or_create(
        slug=promise.slug,
        defaults={
            "name": promise.name,
            "team": promise.team,
            "importance": promise.importance,
            "description": promise.description,
            "selector": promise.slug,
        },
    )
    if made:
        for objective in (availability(flow, promise, source), latency(flow, promise, source)):
            save_objective(objective, (*quick_tiers(objective), *USUAL_BUDGET_ALERTS, USUAL_NO_DATA))


def quick_tiers(objective: Objective) -> list[Tier]:
    return [replace(tier, short=SHORT) for tier in scaled_for(objective.window, objective.target)]


def availability(flow: Flow, promise: Promise, source: Source) -> Objective:
    return Objective(
        flow=flow,
        name="Availability",
        source=source,
        kind=Objective.Kind.EVENTS,
        metric=f"{DURATION}_count",
        matchers=at_the_edge(promise),
        bad_matchers=[{"label": "http_response_status_code", "op": "=~", "value": "5.."}],
        target=promise.answered,
        window=WINDOW,
    )


def latency(flow: Flow, promise: Promise, source: Source) -> Objective:
    return Objective(
        flow=flow,
        name="Latency",
        source=source,
        kind=Objective.Kind.LATENCY,
        metric=DURATION,
        matchers=at_the_edge(promise),
        threshold=promise.threshold,
        target=promise.quick,
        window=WINDOW,
    )


def at_the_edge(promise: Promise) -> list[dict[str, str]]:
    return [{"label": "job", "op": "=", "value": "gateway"}, {"label": "flow", "op": "=", "value": promise.slug}]


def notify(inbox: str) -> None:
    """Mail, which the demo writes to files, and the shop's inbox, at today's address."""
    mail: dict[str, Any] = {"to": "oncall@demo.example"}
    Channel.objects.get_or_create(name="On call, by mail", defaults={"kind": Channel.Kind.EMAIL, "config": mail})
    webhook: dict[str, Any] = {"url": inbox}
    Channel.objects.update_or_create(name="Shop inbox", defaults={"kind": Channel.Kind.WEBHOOK, "config": webhook})


def remember(history: Path) -> None:
    """Record the past's changes as changes, once each."""
    for event in json.loads(history.read_text())["changes"]:
        Change.objects.get_or_create(external_id=event["external_id"], defaults=change(event))


def change(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": event["kind"],
        "title": event["title"],
        "service": event["service"],
        "version": event["version"],
        "at": datetime.fromisoformat(event["at"]),
        "attributes": event["attributes"],
    }
