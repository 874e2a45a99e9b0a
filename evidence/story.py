"""So what? One headline from the findings: what, since when, after which change, which part, where, and what was said.

Every clause stands on a finding. What is less sure than `SURE` is left out; when nobody is blamed with that much
confidence, the story says that there is not enough evidence, rather than guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from evidence.case import Inquiry
from evidence.findings import Finding, Question, Suspicion

# A finding that is right less often than this is shown, but not told.
SURE = 0.6
NBSP = "\N{NO-BREAK SPACE}"
# The order in which a person asks.
ORDER: tuple[Question, ...] = ("changes", "segments", "spans", "dependencies", "saturation", "logs")
NOT_ENOUGH = "There is not enough evidence to say why."


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of the story, and the key of the finding that it stands on; empty for what the ledger says."""

    text: str
    key: str = ""


def story(
    inquiry: Inquiry, onset: datetime | None, findings: Sequence[Finding], culprits: Sequence[Suspicion]
) -> tuple[Clause, ...]:
    """The clauses, each a whole sentence."""
    told = [one for question in ORDER if (one := _best(question, findings, culprits))]
    first = Clause(f"{inquiry.flow} {_wrong(inquiry)}{_since(onset)}.")
    if not told:
        return (first, Clause(NOT_ENOUGH))
    return (first, *(Clause(_sentence(one.statement), one.key) for one in told))


def _best(question: Question, findings: Sequence[Finding], culprits: Sequence[Suspicion]) -> Finding | None:
    """The best finding on a question that is sure enough, and does not blame somebody else than the story does."""
    blamed = culprits[0].service if culprits else ""
    for one in findings:
        if one.question != question or one.fine or one.confidence < SURE:
            continue
        if question in ("spans", "dependencies", "saturation") and blamed not in ("", one.subject.service):
            continue
        return one
    return None


def _wrong(inquiry: Inquiry) -> str:
    if inquiry.bad.slower_than is not None:
        return "is slow"
    return "is failing" if inquiry.bad.error else "is not as usual"


def _since(onset: datetime | None) -> str:
    return f" since {onset:%H:%M}{NBSP}UTC" if onset else ""


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
