"""What was read from documents: definitions with their flow and source, and a sentence for all that was left behind."""

from dataclasses import dataclass, field

from slo.definition import Definition


@dataclass(frozen=True, slots=True)
class Service:
    """A flow, as documents know it. `None` is what a document does not say, so that it changes nothing."""

    # Short and unique, as in a URL.
    slug: str
    name: str
    description: str | None = None
    team: str | None = None
    importance: int | None = None
    runbook_url: str | None = None
    # The value of the `user.flow` attribute on its spans and log lines.
    selector: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One objective of a document, where it stands, and the store that it names."""

    definition: Definition
    # "checkout.yaml, line 3"
    place: str = ""
    # The flow's slug or name, as written; empty if it names none.
    service: str = ""
    # A data source by its name, and where its document says it is.
    source: str = ""
    source_url: str = ""


@dataclass(slots=True)
class Carried:
    entries: list[Entry] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)
    # One sentence for everything that could not be carried over, or means something else here.
    losses: list[str] = field(default_factory=list)

    @property
    def definitions(self) -> list[Definition]:
        return [entry.definition for entry in self.entries]

    def add(self, other: "Carried") -> None:
        self.entries += other.entries
        self.services += other.services
        self.losses += other.losses
