"""Objectives as documents: OpenSLO v1 read and written, Sloth's and Pyrra's files read."""

from collections.abc import Iterable, Mapping

from slo.definition import Definition
from slo.documents import formats, soundness, writing
from slo.documents.carried import Carried, Entry
from slo.documents.tree import Unreadable


def read(text: str, file: str = "") -> list[Definition]:
    """The objectives of a file. Raises `Unreadable` with a sentence for everything that is wrong with it."""
    return carry({file: text}).definitions


def carry(files: Mapping[str, str]) -> Carried:
    """All that these files (text by name) hold, which may refer to each other. Raises `Unreadable`."""
    carried = formats.parse(files)
    problems = [
        f"{entry.place}: {problem}" for entry in carried.entries for problem in soundness.problems(entry.definition)
    ]
    if problems:
        raise Unreadable(problems)
    return carried


def write(definitions: Iterable[Definition]) -> str:
    """A file that reading gives back exactly."""
    return writing.write([Entry(definition) for definition in definitions])
