"""OpenSLO's services: Fireline's flows."""

from slo.documents import annotations
from slo.documents.carried import Service
from slo.documents.tree import Value


def read(document: Value) -> Service:
    """The flow that a Service describes; what it leaves out stays as it is. Raises `DocumentError`."""
    metadata = document["metadata"]
    notes = annotations.annotations(metadata, annotations.OF_SERVICES)
    texts = {name: value.text("") for name, value in notes.items()}
    description = document["spec.description"]
    return Service(
        slug=metadata["name"].text(),
        name=metadata["displayName"].text("") or metadata["name"].text(),
        description=description.text() if description else None,
        team=texts.get(annotations.TEAM),
        importance=_importance(notes.get(annotations.IMPORTANCE)),
        runbook_url=texts.get(annotations.RUNBOOK),
        selector=texts.get(annotations.SELECTOR),
    )


def _importance(value: Value | None) -> int | None:
    if value is None:
        return None
    if value.text() not in ("1", "2", "3"):
        raise value.error("The importance is 1, 2 or 3; 1 is the highest.")
    return int(value.text())
