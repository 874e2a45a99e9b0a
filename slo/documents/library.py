"""The OpenSLO documents of one reading, by kind and name, so that they can refer to each other."""

from collections import defaultdict
from collections.abc import Sequence

from slo.documents.tree import Unreadable, Value

VERSION = "openslo/v1"
KINDS = ("SLO", "SLI", "AlertPolicy", "AlertCondition", "AlertNotificationTarget", "Service", "DataSource")


class Library:
    """Raises `Unreadable` for kinds that OpenSLO does not have, and for two documents of one kind and name."""

    def __init__(self, documents: Sequence[Value]) -> None:
        self._by_kind = defaultdict[str, dict[str, Value]](dict)
        problems = [problem for one in documents for problem in self._add(one)]
        if problems:
            raise Unreadable(problems)

    def all(self, kind: str) -> list[Value]:
        return list(self._by_kind[kind].values())

    def find(self, kind: str, name: str) -> Value | None:
        return self._by_kind[kind].get(name)

    def named(self, kind: str, reference: Value) -> Value:
        """The document that `reference` names. Raises `DocumentError` if it is not among these files."""
        found = self.find(kind, reference.text())
        if found is None:
            raise reference.error(
                f"There is no {kind} named {reference.text()!r} among the documents. Add its file, or write it inline."
            )
        found.document.used = True
        return found

    def losses(self) -> list[str]:
        """A sentence for every field that nobody asked for, and for every document."""
        return [loss for kind in KINDS for value in self.all(kind) for loss in _losses(kind, value)]

    def _add(self, value: Value) -> list[str]:
        kind, name = value["kind"].text(""), value["metadata.name"].text("")
        value["metadata.displayName"].text("")
        if value["apiVersion"].text("") != VERSION:
            return [str(value["apiVersion"].error(f"Fireline reads {VERSION}, not {value['apiVersion'].text('')!r}."))]
        if kind not in KINDS:
            return [str(value["kind"].error(f"OpenSLO has no kind {kind!r}. It has {', '.join(KINDS)}."))]
        if not name:
            return [str(value["metadata.name"].error(f"A {kind} needs a name."))]
        value.document.title = f"{kind} {name}"
        if other := self.find(kind, name):
            return [str(value["metadata.name"].error(f"There is another {kind} of this name: {other.place}."))]
        self._by_kind[kind][name] = value
        return []


def _losses(kind: str, value: Value) -> list[str]:
    if kind not in ("SLO", "Service") and not value.document.used:
        return [f"{value.place}: no SLO refers to it, so it was left out."]
    return [f"{place}: Fireline has no use for this, so it was left out." for place in value.unread()]
