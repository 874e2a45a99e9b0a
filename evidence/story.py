"""So what? One headline from the findings: what, since when, after which change, which part, where, and what was said.

Every clause stands on a finding. What is less sure than `SURE` is left out; when nobody is blamed with that much
confidence, the story says that there is not enough evidence, rather than guess.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime

from evidence.case import Inquiry
from evidence.findings import Finding, Suspicion

# A finding that is right less often than this is shown, but not told.
SURE = 0.6
# A part is told of when it has that much more of the bad requests than of all.
LEAST_LIFT = 1.2
NBSP = "\N{NO-BREAK SPACE}"
NOT_ENOUGH = "There is not enough evidence to say why."


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of the story, and the key of the finding that it stands on; empty for what the ledger says."""

    text: str
    key: str = ""


def story(
    inquiry: Inquiry, onset: datetime | None, findings: Sequence[Finding], culprits: Sequence[Suspicion]
) -> tuple[Clause, ...]:
    """The clauses, each a whole sentence; the first says what is wrong and since when."""
    first = Clause(f"{inquiry.flow} {_wrong(inquiry)}{_since(onset)}.")
    blamed = {one.service for one in culprits[:1]}
    told = [one for choose in _CHOICES if (one := _best(choose, findings, blamed))]
    if not any(one.question in _WHERE for one in told) and (departure := _best(_is_departure, findings, blamed)):
        told.append(departure)
    if not told:
        return (first, Clause(NOT_ENOUGH))
    return (first, *(Clause(_sentence(one.statement), one.key) for one in told))


def _best(choose: Callable[[Finding], bool], findings: Sequence[Finding], blamed: Set[str]) -> Finding | None:
    """The first that is sure enough, and does not blame somebody else than the story does."""
    for one in findings:
        if one.fine or one.confidence < SURE or not choose(one):
            continue
        if not blamed or one.question in ("changes", "segments") or one.subject.service in blamed:
            return one
    return None


def _is_change(one: Finding) -> bool:
    return one.question == "changes"


def _is_part(one: Finding) -> bool:
    lift = one.numbers.get("lift")
    telling = not isinstance(lift, int | float) or lift >= LEAST_LIFT
    return (
        one.question == "segments" and bool(one.subject.attributes) and telling and not one.numbers.get("alternative")
    )


def _is_time(one: Finding) -> bool:
    return one.question == "spans"


def _is_dependency(one: Finding) -> bool:
    return one.question == "dependencies"


def _is_resource(one: Finding) -> bool:
    return one.question == "saturation"


def _is_line(one: Finding) -> bool:
    """A pattern that is written now; one that is gone, or an order that changed, is shown but not told."""
    return one.question == "logs" and bool(one.numbers.get("lines_during"))


def _is_departure(one: Finding) -> bool:
    """Where requests first do something else than usual: what is left to tell of a fault in code that nothing logs."""
    return one.question in ("logs", "dependencies") and "expected" in one.numbers


# The order in which a person asks.
_CHOICES = (_is_change, _is_part, _is_time, _is_dependency, _is_resource, _is_line)
_WHERE = frozenset({"spans", "dependencies", "saturation", "logs"})


def _wrong(inquiry: Inquiry) -> str:
    if inquiry.bad.slower_than is not None:
        return "is slow"
    return "is failing" if inquiry.bad.error else "is not as usual"


def _since(onset: datetime | None) -> str:
    return f" since {onset:%H:%M}{NBSP}UTC" if onset else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
