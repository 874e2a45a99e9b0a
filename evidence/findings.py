"""What an investigation says: findings that answer questions, and whom they blame."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

type Question = Literal["onset", "changes", "segments", "spans", "dependencies", "logs", "saturation"]
type Kind = Literal["dependency", "code", "change", "resource", "load", "queue", "segment"]
# JSON's own types, so that a finding can be stored and printed as it is.
type Number = float | int | str | bool | list["Number"] | dict[str, "Number"] | None


# Numbers that are names: they tell findings about the same subject apart.
_TELLING = ("template", "title", "version", "caller", "place", "problem", "attribute", "after", "expected", "metric")


@dataclass(frozen=True, slots=True)
class Subject:
    """What a finding is about; what does not apply is empty.

    `attributes` is a conjunction that describes a part of the traffic: {"payment.method": "card", "region": "eu-west"}.
    """

    service: str = ""
    operation: str = ""
    instance: str = ""
    resource: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a reader can check a finding: one span of a trace, a log line of it, a series or a change."""

    kind: Literal["trace", "log", "metric", "change"]
    # Of a trace or log: its trace id; of a metric: its selector; of a change: its id or title.
    target: str
    span_id: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One piece of evidence.

    `score` (0…1) says how much of the trouble it explains and ranks findings of one question; `confidence` (0…1) how
    often findings like it are right. `numbers` are what it stands on, by name, units in the name.
    """

    question: Question
    statement: str
    score: float
    confidence: float
    subject: Subject = Subject()
    numbers: Mapping[str, Number] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
    # What was looked at and is as it always is: shown folded away, blamed for nothing.
    fine: bool = False

    @property
    def key(self) -> str:
        """The same for the same finding at another time, when its numbers may be others."""
        about = self.subject
        parts = (self.question, about.service, about.operation, about.instance, about.resource)
        attributes = (f"{name}={value}" for name, value in sorted(about.attributes.items()))
        told = (f"{name}={self.numbers[name]}" for name in _TELLING if name in self.numbers)
        return hashlib.blake2b("\0".join((*parts, *attributes, *told)).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How strongly one investigator blames something: `score` is its own probability (0…1) that this is the cause."""

    service: str
    kind: Kind
    score: float
    operation: str = ""
    instance: str = ""
    resource: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What one investigator found. Empty when it looked and nothing is out of the ordinary."""

    findings: tuple[Finding, ...] = ()
    suspicions: tuple[Suspicion, ...] = ()


class NotInvestigated(Exception):
    """An investigator could not do its work; the message says why, in a sentence that a user may read."""
