"""Which tool a document is from, and what reads it."""

from collections.abc import Mapping

from slo.documents import library, openslo, pyrra, sloth
from slo.documents.carried import Carried
from slo.documents.tree import Unreadable, Value, documents

NOTHING = "There are no objectives in it."
UNKNOWN = (
    f"This is no document that Fireline knows. It reads {library.VERSION}, {sloth.VERSION}, {sloth.RESOURCE} "
    f"and {pyrra.VERSION}."
)


def parse(files: Mapping[str, str]) -> Carried:
    """Everything in these files, as it stands there. Raises `Unreadable`."""
    by_format: dict[str, list[Value]] = {"openslo": [], "sloth": [], "pyrra": []}
    problems = list[str]()
    for file, text in files.items():
        for document in documents(text, file):
            try:
                by_format[_format(document)].append(document)
            except ValueError as error:
                problems.append(str(error))
    if problems:
        raise Unreadable(problems)
    return _read(by_format)


def _read(by_format: Mapping[str, list[Value]]) -> Carried:
    carried, problems = Carried(), list[str]()
    for name, read in (("openslo", openslo.read), ("sloth", sloth.read), ("pyrra", pyrra.read)):
        try:
            carried.add(read(by_format[name]))
        except Unreadable as error:
            problems += error.problems
    if problems:
        raise Unreadable(problems)
    return carried


def _format(document: Value) -> str:
    version = document["version"].text("") or document["apiVersion"].text("")
    match version:
        case library.VERSION:
            return "openslo"
        case sloth.VERSION | sloth.RESOURCE:
            return "sloth"
        case pyrra.VERSION:
            return "pyrra"
    raise document["apiVersion"].error(UNKNOWN)
