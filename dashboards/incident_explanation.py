"""An incident's explanation as its page shows it: the five questions with their answers, and what else was found."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from alerts import explanations
from alerts.models import Explanation, Incident, Verdict
from dashboards.templatetags.fireline import NARROW, NBSP

# Findings of one question that are shown at once; the others are in a fold.
MOST_SHOWN = 3
IN_HEADLINE = 3
MOST_REFERENCES = 3
# How sure a finding must be to be called so; the share that is right is measured by `make bench-explain`.
HIGH, MEDIUM = 0.85, 0.6
_UNIT = re.compile(r"(?<=\d) (%|ms\b|s\b|min\b|h\b|d\b)")
QUESTIONS = (
    ("changes", "What changed?"),
    ("segments", "Which part is affected?"),
    ("spans", "Where is the time spent?"),
    ("dependencies", "Which dependency is failing?"),
    ("breadth", "Widespread or isolated?"),
    ("saturation", "What is full?"),
    ("logs", "What was said?"),
)
UNANSWERED = {
    "changes": "No change was found that could have caused it.",
    "segments": "No part of the traffic stands out.",
    "spans": "No span takes much longer than it did before.",
    "dependencies": "No dependency fails more often than it did before.",
    "breadth": "Not enough is known of users, tenants or instances to say.",
    "saturation": "No resource was found full.",
    "logs": "Nothing was logged that was not logged before.",
}


@dataclass(frozen=True, slots=True)
class Found:
    """One finding with what people said of it. `mine` is the reader's own verdict."""

    key: str
    statement: str
    score: float
    confidence: float
    numbers: Sequence[tuple[str, Any]]
    # Of a segment: its shares of bad and of all requests (0…1), for two bars.
    share_of_bad: float | None
    share_of_traffic: float | None
    attributes: Mapping[str, str]
    references: Sequence[Mapping[str, str]]
    right: int
    wrong: int
    mine: bool | None

    @property
    def shown(self) -> Sequence[Mapping[str, str]]:
        """What can be opened or asked for; changes are listed on the page with their links."""
        return [one for one in self.references if one["kind"] != "change"][:MOST_REFERENCES]

    @property
    def level(self) -> str:
        return "High" if self.confidence >= HIGH else "Medium" if self.confidence >= MEDIUM else "Low"

    @property
    def bars(self) -> Sequence[bool]:
        lit = {"High": 3, "Medium": 2, "Low": 1}[self.level]
        return [place < lit for place in range(3)]


@dataclass(frozen=True, slots=True)
class Answer:
    """A question, its best answer, and the other findings on it; without one, why there is none."""

    number: int
    name: str
    question: str
    best: Found | None
    others: Sequence[Found]
    folded: Sequence[Found]
    why_not: str

    @property
    def anchor(self) -> str:
        return f"q-{self.name}"


@dataclass(frozen=True, slots=True)
class Account:
    """Everything that the newest explanation says."""

    explanation: Explanation
    answers: Sequence[Answer]
    fine: Sequence[Found]
    skipped: Sequence[Mapping[str, str]]
    missing: Sequence[str]
    versions: int

    @property
    def clauses(self) -> Sequence[Mapping[str, str]]:
        """The first `IN_HEADLINE` are the page's headline, the others stand below it."""
        return [
            {"text": _tied(clause["text"]), "anchor": self._anchors.get(clause["key"], "impact")}
            for clause in self.explanation.content.get("clauses", ())
        ]

    @property
    def headline(self) -> Sequence[Mapping[str, str]]:
        return self.clauses[:IN_HEADLINE]

    @property
    def rest(self) -> Sequence[Mapping[str, str]]:
        return self.clauses[IN_HEADLINE:]

    @property
    def told(self) -> bool:
        """Whether it has a cause to tell of; without one the page's own sentence says more."""
        return any(clause["key"] for clause in self.explanation.content.get("clauses", ()))

    @property
    def _anchors(self) -> dict[str, str]:
        return {
            found.key: answer.anchor
            for answer in self.answers
            for found in (answer.best, *answer.others, *answer.folded)
            if found
        }


def account(incident: Incident, reader_id: int | None) -> Account | None:
    """`None` while nothing was investigated yet. Two queries."""
    row = explanations.latest(incident)
    if row is None:
        return None
    verdicts = list(Verdict.objects.filter(incident=incident))
    findings = row.content.get("findings", [])
    answers = [
        _answer(number, name, question, [one for one in findings if _name(one) == name], row, verdicts, reader_id)
        for number, (name, question) in enumerate(QUESTIONS, 1)
    ]
    return Account(
        explanation=row,
        answers=answers,
        fine=[_found(one, verdicts, reader_id) for one in findings if one["fine"]],
        skipped=row.content.get("skipped", []),
        missing=row.content.get("missing", []),
        versions=row.version,
    )


def _name(finding: Mapping[str, Any]) -> str:
    """Which question a finding stands under; how widespread it is, is one of its own for people."""
    if finding["fine"]:
        return ""
    return (
        "breadth" if finding["question"] == "segments" and not finding["subject"]["attributes"] else finding["question"]
    )


def _answer(
    number: int,
    name: str,
    question: str,
    findings: Sequence[Mapping[str, Any]],
    row: Explanation,
    verdicts: Sequence[Verdict],
    reader_id: int | None,
) -> Answer:
    # What would be a guess is folded away; the answer is then that there is none.
    sure = [one for one in findings if one["confidence"] >= MEDIUM][:MOST_SHOWN]
    shown = [_found(one, verdicts, reader_id) for one in sure]
    folded = [_found(one, verdicts, reader_id) for one in findings if one not in sure]
    return Answer(number, name, question, shown[0] if shown else None, shown[1:], folded, _why_not(name, row))


def _why_not(name: str, row: Explanation) -> str:
    if row.took is None:
        return "Still looking."
    asked = "segments" if name == "breadth" else name
    reasons = [one["reason"] for one in row.content.get("skipped", ()) if one["investigator"] == asked]
    return reasons[0] if reasons else UNANSWERED[name]


def _found(finding: Mapping[str, Any], verdicts: Iterable[Verdict], reader_id: int | None) -> Found:
    of_this = [one for one in verdicts if one.finding == finding["key"]]
    mine = next((one.right for one in of_this if one.author_id == reader_id), None)
    numbers = finding["numbers"]
    return Found(
        key=finding["key"],
        statement=_tied(finding["statement"]),
        score=finding["score"],
        confidence=finding["confidence"],
        numbers=[(name.replace("_", " "), value) for name, value in numbers.items() if _printable(value)],
        share_of_bad=numbers.get("share_of_bad"),
        share_of_traffic=numbers.get("share_of_traffic"),
        attributes=finding["subject"]["attributes"],
        references=finding["references"],
        right=sum(one.right for one in of_this),
        wrong=sum(not one.right for one in of_this),
        mine=mine,
    )


def _tied(text: str) -> str:
    """With units joined to their numbers, so that no line breaks between them."""
    return _UNIT.sub(lambda found: f"{NARROW if found[1] == '%' else NBSP}{found[1]}", text)


def _printable(value: object) -> bool:
    return isinstance(value, int | float | str) and value != ""
