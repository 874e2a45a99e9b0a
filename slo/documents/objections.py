"""What the stores have against objectives that are about to be applied: what only they can know."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.errors import StoreError
from slo import catalogue
from slo.documents.proposal import ObjectiveChange, Proposal
from telemetry import sources

RECENT = timedelta(hours=1)


@dataclass(slots=True)
class Objections:
    # A sentence for everything that can never be counted.
    problems: list[str] = field(default_factory=list)
    # A sentence for every store that could not be asked.
    unchecked: list[str] = field(default_factory=list)


def objections(proposal: Proposal, now: datetime) -> Objections:
    """Latencies whose threshold is no bucket's end, of those that are created or changed; the last hour tells.

    Never raises for a store's fault: a store that does not answer is asked once.
    """
    found, away = Objections(), set[int]()
    for change in proposal.objectives:
        if change.verb == "keep" or change.source.pk in away:
            continue
        try:
            if problem := _problem(change, now):
                found.problems.append(f"{change.entry.place}: {problem}")
        except StoreError as error:
            away.add(change.source.pk)
            found.unchecked.append(f"Whether latencies have a bucket at their threshold could not be checked: {error}")
    return found


def _problem(change: ObjectiveChange, now: datetime) -> str:
    sli = change.entry.definition.sli
    if sli.kind != "latency":
        return ""
    with sources.client(change.source) as client:
        return catalogue.wrong_threshold(sli, client, now - RECENT, now)
