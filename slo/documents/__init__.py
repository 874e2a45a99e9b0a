"""Objectives as documents: OpenSLO v1 read and written, Sloth's and Pyrra's files read."""

from collections.abc import Iterable

from slo.definition import Definition
from slo.documents import openslo, writing
from slo.documents.carried import Carried, Entry
from slo.documents.tree import documents


def read(text: str, file: str = "") -> list[Definition]:
    """The objectives of a file. Raises `Unreadable` with a sentence for everything that is wrong with it."""
    return carry({file: text}).definitions


def carry(files: dict[str, str]) -> Carried:
    """All that these files (text by name) hold, which may refer to each other. Raises `Unreadable`."""
    return openslo.read([document for file, text in files.items() for document in documents(text, file)])


def write(definitions: Iterable[Definition]) -> str:
    """A file that reading gives back exactly."""
    return writing.write([Entry(definition) for definition in definitions])
