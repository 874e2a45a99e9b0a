"""Marks an answer to a scenario right or wrong, question by question, by what is known to be true."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from bench.explain.answer import Answer, Culprit, Found, normal
from bench.explain.ranking import strict_rank
from bench.explain.truth import Blame, Truth

SLICE_SECONDS = 60.0
# An onset is right if it is at most so many slices off.
ONSET_SLICES = 2.0
JUDGED = ("onset", "changes", "segments", "spans", "dependencies", "logs", "saturation")


@dataclass(frozen=True, slots=True)
class Judged:
    """Something that was said with a confidence, and whether it was right."""

    question: str
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """What was right about one answer; `None` where a question was not asked. `onset_error` in slices."""

    name: str
    fault: str
    first: bool | None
    among_three: bool | None
    segment: bool | None
    change: bool | None
    onset: bool | None
    onset_error: float | None
    judged: tuple[Judged, ...] = ()
    failure: str = ""
    seconds: float = 0.0
    said: str = ""


def mark(name: str, truth: Truth, answer: Answer) -> Mark:
    first, among_three = _culprits(truth, answer)
    error = onset_error(truth, answer)
    return Mark(
        name,
        truth.fault,
        first,
        among_three,
        None if truth.segments is None else not answer.failure and segment_right(truth, answer),
        not answer.failure and changes_right(truth, answer),
        None if not truth.onset else error is not None and error <= ONSET_SLICES,
        error,
        tuple(_judged(truth, answer)),
        answer.failure,
        answer.seconds,
        _said(answer),
    )


def _said(answer: Answer) -> str:
    return ", ".join(f"{one.service} {one.score:.2f}" for one in answer.culprits[:3])


# -- Whom -------------------------------------------------------------------------------------------------------------
def _culprits(truth: Truth, answer: Answer) -> tuple[bool | None, bool | None]:
    """Whether the first is right, and whether all culprits are among the first three."""
    if answer.failure:
        return False, False
    if not truth.culprits:
        # Where only who is hit can be known, whom to blame is not asked.
        quiet = not [one for one in answer.culprits if not (truth.load and one.kind == "load")]
        return (None, None) if truth.onset else (quiet, quiet)
    any_of_them = tuple(blame for accepted in truth.culprits for blame in accepted)
    ranks = [culprit_rank(answer.culprits, accepted) for accepted in truth.culprits]
    return culprit_rank(answer.culprits, any_of_them) == 1, all(rank is not None and rank <= 3 for rank in ranks)


def culprit_rank(culprits: tuple[Culprit, ...], accepted: tuple[Blame, ...]) -> int | None:
    right = "any of the accepted"
    scored = [((right, "") if is_accepted(one, accepted) else ("", one.service), one.score) for one in culprits]
    return strict_rank(scored, {(right, "")})


def is_accepted(culprit: Culprit, accepted: tuple[Blame, ...]) -> bool:
    return any(blame.service == culprit.service and blame.kind in ("", culprit.kind) for blame in accepted)


# -- Which part, which change, since when -----------------------------------------------------------------------------
def segment_right(truth: Truth, answer: Answer) -> bool:
    """The best description must be exactly right; if all are hit, there must be none."""
    found = answer.of("segments")
    said = found[0].attributes if found else {}
    return said in [normal(segment) for segment in truth.segments or ()] or (not said and not truth.segments)


def changes_right(truth: Truth, answer: Answer) -> bool:
    """The right change must be blamed, if there is one, and no other."""
    blamed = [names_change(one, truth.change) for one in answer.blamed_changes]
    return all(blamed) and (bool(blamed) or truth.change is None)


def names_change(found: Found, title: str | None) -> bool:
    """Whether a finding is about the change of this title, of which it may know only service and version."""
    if title is None:
        return False
    told = found.numbers.get("title")
    return told == title if told else f" {found.service} {found.numbers.get('version', '?')}" in f" {title}"


def onset_error(truth: Truth, answer: Answer) -> float | None:
    if not truth.onset or answer.onset is None:
        return None
    return abs((answer.onset - datetime.fromisoformat(truth.onset)).total_seconds()) / SLICE_SECONDS


# -- How far to trust it ----------------------------------------------------------------------------------------------
def _judged(truth: Truth, answer: Answer) -> Iterator[Judged]:
    """The best finding about each question, and the first culprit."""
    for question in JUDGED:
        for best in answer.of(question)[:1]:
            right = _finding_right(truth, answer, best)
            if right is not None:
                yield Judged(question, best.confidence, right)
    if answer.culprits and (truth.culprits or not truth.onset):
        first = max(answer.culprits, key=lambda one: one.score)
        right = any(is_accepted(first, accepted) for accepted in truth.culprits)
        yield Judged("culprit", first.score, right or (truth.load and first.kind == "load"))


def _finding_right(truth: Truth, answer: Answer, found: Found) -> bool | None:
    match found.question:
        case "onset":
            error = onset_error(truth, answer)
            return None if error is None else error <= ONSET_SLICES
        case "changes":
            return names_change(found, truth.change)
        case "segments":
            return None if truth.segments is None else segment_right(truth, answer)
        case _ if not truth.culprits:
            return None if truth.onset else False
        case _:
            return found.service in {blame.service for accepted in truth.culprits for blame in accepted}


def by_confidence(marks: list[Mark]) -> Mapping[str, list[tuple[int, int, float]]]:
    """For each question, in ten steps of confidence: how many were right, how many there are, and their mean."""
    found: dict[str, list[tuple[int, int, float]]] = {}
    every = [one for mark in marks for one in mark.judged]
    for question in (*JUDGED, "culprit"):
        steps = []
        for step in range(10):
            inside = [one for one in every if one.question == question and min(9, int(one.confidence * 10)) == step]
            mean = sum(one.confidence for one in inside) / len(inside) if inside else 0.0
            steps.append((sum(one.right for one in inside), len(inside), mean))
        found[question] = steps
    return found
