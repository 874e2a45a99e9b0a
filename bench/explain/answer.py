"""What `explain` answered, as its JSON says it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

# A change (or a part of the traffic) that is listed with less than this is mentioned, not blamed.
BLAMED = 0.5


@dataclass(frozen=True, slots=True)
class Culprit:
    service: str
    kind: str
    score: float


@dataclass(frozen=True, slots=True)
class Found:
    """One finding. `attributes` have their names in one notation, however they are spelt."""

    question: str
    statement: str
    score: float
    confidence: float
    service: str
    attributes: Mapping[str, str]
    numbers: Mapping[str, Any]

    @classmethod
    def read(cls, known: Mapping[str, Any]) -> Self:
        subject = known.get("subject") or {}
        return cls(
            known["question"],
            known.get("statement", ""),
            float(known["score"]),
            float(known["confidence"]),
            subject.get("service", ""),
            normal(subject.get("attributes") or {}),
            known.get("numbers") or {},
        )


@dataclass(frozen=True, slots=True)
class Answer:
    headline: str = ""
    onset: datetime | None = None
    culprits: tuple[Culprit, ...] = ()
    findings: tuple[Found, ...] = ()
    # Why there is no answer; empty when there is one.
    failure: str = ""
    seconds: float = field(default=0.0, compare=False)

    @classmethod
    def read(cls, known: Mapping[str, Any], seconds: float = 0.0) -> Self:
        """Raises KeyError, TypeError or ValueError when `known` is not what `explain` prints."""
        return cls(
            known["headline"],
            _moment(known["onset"]),
            tuple(Culprit(one["service"], one["kind"], float(one["score"])) for one in known["culprits"]),
            # What was checked and found fine answers no question.
            tuple(Found.read(one) for one in known["findings"] if not one.get("fine")),
            seconds=seconds,
        )

    def of(self, question: str) -> list[Found]:
        """The findings about a question, best first."""
        return sorted((one for one in self.findings if one.question == question), key=lambda one: -one.score)

    @property
    def blamed_changes(self) -> list[Found]:
        return [one for one in self.of("changes") if one.score >= BLAMED]


def _moment(value: Any) -> datetime | None:
    if isinstance(value, Mapping):
        value = value.get("at")
    return datetime.fromisoformat(value) if value else None


def normal(attributes: Mapping[str, Any]) -> dict[str, str]:
    """`payment_method` as a metric has it and `payment.method` as a span has it are the same."""
    return {name.replace("_", ".").lower(): str(value) for name, value in attributes.items()}
