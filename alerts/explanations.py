"""Has incidents explained: when they open, every few minutes while they last, and once more when they are over.

The first explanation is stored as each investigator answers, so that a page shows findings while others are still
looked for. A later version is stored whole, and only when it says something new.
"""

from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils import timezone

from alerts import gathering, incidents, timeline
from alerts.gathering import Gathered
from alerts.models import Explanation, Incident, Verdict
from evidence import explanation as evidence
from evidence.explanation import Explained
from slo.models import Objective

# Requests and lines arrive some seconds late: the first explanation is looked at once more soon.
AGAIN, THEN = timedelta(seconds=45), timedelta(minutes=3)
# A worker that dies while it investigates gives the incident back after this.
LEASE = timedelta(seconds=90)
# A long incident is explained this often, and at its end.
MOST = 40


def due(now: datetime) -> QuerySet[Incident]:
    return Incident.objects.filter(explain_due_at__lte=now)


def explain(incident_id: int, now: datetime) -> Explanation | None:
    """Investigate if it is time to and nobody else does; `None` when there is nothing new to say.

    Asked for twice, or again after a worker died, it writes each version once.
    """
    incident = _claim(incident_id, now)
    main = incidents.main_transition(incident) if incident else None
    if incident is None or main is None:
        return None
    onset = incident.onset_at or incident.opened_at - main.alert.tier.short
    written = _investigate(incident, main.alert.tier.objective, onset, now)
    _schedule(incident, now)
    return written


def latest(incident: Incident) -> Explanation | None:
    return incident.explanations.order_by("-version").first()


# -- Whose turn it is
def _claim(incident_id: int, now: datetime) -> Incident | None:
    incident = due(now).filter(pk=incident_id).select_related("flow").first()
    if incident is None:
        return None
    mine = Incident.objects.filter(
        pk=incident.pk, explain_due_at=incident.explain_due_at, explain_tries=incident.explain_tries
    )
    incident.explain_tries += 1
    incident.explain_due_at = now + LEASE if incident.explain_tries < MOST else None
    if not mine.update(explain_due_at=incident.explain_due_at, explain_tries=incident.explain_tries):
        return None
    return incident


def _schedule(incident: Incident, now: datetime) -> None:
    """Say when to look again, unless the incident was resolved meanwhile or another worker took over."""
    mine = Incident.objects.filter(pk=incident.pk, explain_due_at=incident.explain_due_at)
    if incident.resolved_at is not None or incident.explain_tries >= MOST:
        mine.update(explain_due_at=None)
        return
    mine.unresolved().update(explain_due_at=now + (AGAIN if incident.explain_tries == 1 else THEN))


# -- Looking
def _investigate(incident: Incident, objective: Objective, onset: datetime, now: datetime) -> Explanation | None:
    last = latest(incident)
    first = last is None or last.took is None
    gathered = gathering.gather(objective, onset, incident.resolved_at or now)
    made = Explained()
    for made in evidence.explained(gathered.inquiry, gathered.material(onset)):
        if first:
            # Nobody has anything to read yet: show what is known so far.
            last = _write(incident, 1, made, gathered, now, None)
    took = timezone.now() - now
    if first or last is None:
        last = _write(incident, 1, made, gathered, now, took)
    elif incident.resolved_at or made.keys != keys(last) or made.headline != last.headline:
        last = _write(incident, last.version + 1, made, gathered, now, took)
    else:
        return None
    timeline.explained(incident, last)
    return last


def _write(
    incident: Incident, version: int, made: Explained, gathered: Gathered, now: datetime, took: timedelta | None
) -> Explanation:
    content = made.as_json() | {"missing": gathered.missing}
    values = {"made_at": now, "took": took, "headline": made.headline, "content": content}
    row, _ = Explanation.objects.update_or_create(incident=incident, version=version, defaults=values)
    return row


def keys(row: Explanation) -> frozenset[str]:
    """What its findings are about; two versions with the same keys say the same, perhaps with newer numbers."""
    return frozenset(finding["key"] for finding in row.content.get("findings", ()) if not finding["fine"])


# -- What people say of it
def judge(incident: Incident, key: str, author: User, right: bool | None) -> Verdict | None:
    """Mark a finding of any version as right or wrong; `None` takes the mark back.

    Raises `ValueError`, with a sentence for the author, for a finding that no version has.
    """
    if right is None:
        Verdict.objects.filter(incident=incident, finding=key, author=author).delete()
        return None
    finding = _finding(incident, key)
    if finding is None:
        raise ValueError("This finding is not part of the explanation any more. Reload the page to see the newest.")
    values = {
        "right": right,
        "statement": finding["statement"],
        "confidence": finding["confidence"],
        "at": timezone.now(),
    }
    verdict, _ = Verdict.objects.update_or_create(incident=incident, finding=key, author=author, defaults=values)
    return verdict


def _finding(incident: Incident, key: str) -> dict[str, Any] | None:
    for row in incident.explanations.all():
        for finding in row.content.get("findings", ()):
            if finding["key"] == key:
                return dict(finding)
    return None
