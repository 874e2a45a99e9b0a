"""What a scenario's right answers are. Kept beside the bundles, never in them: what is tested does not read it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import orjson


@dataclass(frozen=True, slots=True)
class Blame:
    """A right answer: a service, blamed for whatever, or only for being of a `kind`."""

    service: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Truth:
    """What happened.

    `culprits` has the acceptable answers for each of the faults, best first; empty when there is nothing to blame.
    `segments` are the acceptable descriptions of who is hit: empty when all are, `None` when that is not asked.
    `change` is the title of the one that did it; `onset` an RFC 3339 time, empty on a quiet system.
    `load` allows a quiet system to be blamed for its load or mix of requests.
    """

    fault: str
    culprits: tuple[tuple[Blame, ...], ...]
    segments: tuple[Mapping[str, str], ...] | None
    change: str | None
    onset: str
    innocent_changes: tuple[str, ...] = ()
    load: bool = False

    @classmethod
    def read(cls, known: Mapping[str, Any]) -> Self:
        culprits = tuple(tuple(Blame(**blame) for blame in accepted) for accepted in known["culprits"])
        segments = None if known["segments"] is None else tuple(known["segments"])
        return cls(
            **{
                **known,
                "culprits": culprits,
                "segments": segments,
                "innocent_changes": tuple(known["innocent_changes"]),
            }
        )


def save(path: Path, truths: Mapping[str, Truth]) -> None:
    known = {name: asdict(truth) for name, truth in truths.items()}
    path.write_bytes(orjson.dumps(known, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))


def load(path: Path) -> dict[str, Truth]:
    return {name: Truth.read(known) for name, known in orjson.loads(path.read_bytes()).items()}
