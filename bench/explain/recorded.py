"""Recorded incidents of other systems: a folder of bundles, and their truth in one file beside them.

The folder is somewhere else, and nothing here needs it. Its `truth.json` maps a case to what was wrong: `kind`
(`culprit`, `segment` or `change`), the answer, `fault` for the report, and `candidates`, how many answers there were.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.explain.answer import Answer, normal
from bench.explain.ranking import strict_rank


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    known: Mapping[str, Any]

    @property
    def set(self) -> str:
        """What stands before the dash: where the case is from."""
        return self.name.partition("-")[0]

    @property
    def fault(self) -> str:
        return str(self.known.get("fault", self.known["kind"]))

    def chance(self, places: int) -> float:
        """How often a guess is among the first so many."""
        answers = max(1, len(self.known.get("segments", [])))
        return min(1.0, places * answers / max(1, int(self.known["candidates"])))


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the right answer of a case was found; `rank` is `None` when it was not."""

    case: Case
    rank: int | None
    answer: Answer

    def among(self, places: int) -> bool:
        return self.rank is not None and self.rank <= places


def cases(folder: Path) -> list[Case]:
    """The cases of a folder that have a truth, by name."""
    truths = orjson.loads((folder / "truth.json").read_bytes())
    return [Case(name, known) for name, known in sorted(truths.items()) if (folder / name / "case.json").is_file()]


def place(case: Case, answer: Answer) -> Placed:
    """With two true segments, the better placed one counts."""
    match case.known["kind"]:
        case "culprit":
            rank = strict_rank([(one.service, one.score) for one in answer.culprits], {case.known["service"]})
        case "segment":
            right = {_key(segment) for segment in case.known["segments"]}
            rank = strict_rank([(_key(one.attributes), one.score) for one in answer.of("segments")], right)
        case "change":
            rank = strict_rank(list(_changes(case, answer)), {True})
        case kind:
            raise ValueError(f"{case.name}: what is a {kind}?")
    return Placed(case, rank, answer)


def _key(attributes: Mapping[str, Any]) -> frozenset[tuple[str, str]]:
    return frozenset(normal(attributes).items())


def _changes(case: Case, answer: Answer) -> Iterator[tuple[object, float]]:
    """Changes by title where the truth has one, else by service; also those that are culprits."""
    title = case.known.get("change") or case.known.get("title")
    service = case.known.get("service")
    for found in answer.of("changes"):
        told = found.numbers.get("title")
        yield (told == title if title else found.service == service) or (told, found.service), found.score
    for culprit in answer.culprits:
        if not title and culprit.kind == "change":
            yield culprit.service == service or ("", culprit.service), culprit.score


def published(path: Path) -> dict[str, list[tuple[str, float]]]:
    """What others reached: by set, the method and its share of right first answers. A CSV file with a header."""
    found: dict[str, list[tuple[str, float]]] = {}
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            found.setdefault(row["set"], []).append((row["method"], float(row["first"])))
    return found
