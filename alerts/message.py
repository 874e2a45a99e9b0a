"""A notification's shape, whatever it tells of, and the facts that any of them may name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from alerts import headline, links
from slo import wording
from slo.models import Flow, Objective

VERSION = 1
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a message: a name, and what there is to say about it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Link:
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Notification:
    """One message, ready for any channel."""

    # opened, raised, resolved, noticed, cleared or test
    event: str
    # The same at every attempt and on every channel: tells a repeated message.
    event_id: str
    # The same for all messages of an incident, or of a budget or no-data alert: tells what belongs together.
    dedup_key: str
    word: str
    title: str
    # One sentence with the numbers.
    summary: str
    facts: tuple[Fact, ...] = ()
    links: tuple[Link, ...] = ()
    # What the webhook says on top.
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        # A name may hold anything that somebody pasted; a header must be one line.
        return _CONTROL.sub(" ", f"[{self.word}] {self.title}")

    def payload(self) -> dict[str, Any]:
        """The webhook's JSON: see docs/notifications.md."""
        head = {
            "version": VERSION,
            "event": self.event,
            "event_id": self.event_id,
            "dedup_key": self.dedup_key,
            "title": self.title,
            "summary": self.summary,
        }
        return head | self.details


def facts_of(objective: Objective, labels: Mapping[str, str]) -> list[Fact]:
    """Which flow, objective and group it is about."""
    flow = objective.flow
    target = f"{wording.exact_percent(objective.target)} over {window_words(objective)}"
    facts = [
        Fact("Flow", " · ".join(filter(None, (flow.name, flow.team)))),
        Fact("Objective", f"{objective.name}, {target}"),
    ]
    return [*facts, Fact("Group", headline.group_words(labels))] if labels else facts


def window_words(objective: Objective) -> str:
    """`30 d`, `a calendar month`."""
    if objective.calendar:
        return f"a {objective.get_calendar_display().lower()}"
    return wording.duration(objective.window)


def links_of(flow: Flow, objective: Objective) -> list[Link]:
    """Where to read on: the runbook first, if there is one."""
    runbook = [Link("Runbook", flow.runbook_url)] if flow.runbook_url else []
    return [
        *runbook,
        Link(f"Flow {flow.name}", links.flow(flow)),
        Link(f"Objective {objective.name}", links.objective(objective)),
    ]


def budget_left(left: float) -> str:
    """`93 % left of the error budget`; `left` is a share, below 0 when overspent."""
    if left <= 0:
        return "nothing left of the error budget"
    return f"{wording.percent(left, 3)} left of the error budget"


def exactly(moment: datetime) -> str:
    """`2026-03-02 12:00:00 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
