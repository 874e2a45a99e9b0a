"""The headline of an incident's page: one sentence, each clause linked to what it stands on, nothing guessed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboards.incident_evidence import Culprit
from dashboards.templatetags.fireline import duration, ratio

# A change further before the onset is listed, but not in the headline.
NEAR = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of the sentence. `at` is printed after the text as a time of day; `after` follows that."""

    text: str
    href: str
    at: datetime | None = None
    until: datetime | None = None
    # What stands between this clause and the next.
    then: str = ""


def clauses(
    flow: str,
    share: float | None,
    threshold: float | None,
    since: datetime,
    resolved: datetime | None,
    change: tuple[str, timedelta] | None,
    culprit: Culprit | None,
) -> list[Clause]:
    """`share` of requests (0…1) is bad; slow: over `threshold` seconds; `change`: a title and how long before."""
    parts = [Clause(_what(flow, share, threshold, resolved is not None), "#impact")]
    parts.append(Clause("from" if resolved else "since", "#burn", at=since, until=resolved))
    if change:
        title, before = change
        parts.append(Clause(f"{duration(whole_seconds(before))} after {title}", "#changes"))
    if culprit:
        parts.append(Clause(_culprit(culprit), "#examples"))
    return [_joined(part, parts, place) for place, part in enumerate(parts)]


def whole_seconds(length: timedelta) -> timedelta:
    """At least one: an onset is no more exact than its slice, and milliseconds would pretend that it is."""
    return timedelta(seconds=max(1, round(length.total_seconds())))


def _joined(part: Clause, parts: list[Clause], place: int) -> Clause:
    """Commas where a clause adds to the one before, a semicolon before what the examples tell, a point at the end."""
    following = parts[place + 1] if place + 1 < len(parts) else None
    then = "." if following is None else {"#burn": "", "#changes": ",", "#examples": ";"}[following.href]
    return Clause(part.text, part.href, part.at, part.until, then)


def _what(flow: str, share: float | None, threshold: float | None, over: bool) -> str:
    verb = "was" if over else "is"
    state = f"{flow} {verb} slow" if threshold is not None else f"{flow} {verb} failing"
    if not share:
        return state
    which = f" over {duration(threshold)}" if threshold is not None else ""
    return f"{state}: {ratio(share)} of requests{which}"


def _culprit(found: Culprit) -> str:
    what = "fails" if found.failed else "takes longest"
    if found.of == 1:
        return f"{found.party} {found.operation} {what} in the one example kept"
    seen = f"all {found.of}" if found.seen == found.of else f"{found.seen} of {found.of}"
    return f"{found.party} {found.operation} {what} in {seen} examples"
