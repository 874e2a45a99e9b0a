"""Prints marks as tables, in Markdown."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from bench.explain.ranking import Share
from bench.explain.recorded import Placed
from bench.explain.scoring import Mark, by_confidence

TARGETS = {"culprit first": 0.95, "segment exact": 0.90, "change": 0.95, "onset": 0.95}
COLUMNS: Mapping[str, Callable[[Mark], bool | None]] = {
    "culprit first": lambda mark: mark.first,
    "culprit in 3": lambda mark: mark.among_three,
    "segment exact": lambda mark: mark.segment,
    "change": lambda mark: mark.change,
    "onset": lambda mark: mark.onset,
}


def scenarios(marks: Sequence[Mark]) -> None:
    """Each scenario, all together, what went wrong, and how far to trust it."""
    names = list(dict.fromkeys(mark.name.partition("@")[0] for mark in marks))
    print("| scenario | fault | " + " | ".join(COLUMNS) + " | onset off by (slices) | s |")
    print("|---|---|" + "---:|" * (len(COLUMNS) + 2))
    for name in names:
        of_name = [mark for mark in marks if mark.name.partition("@")[0] == name]
        print(f"| {name} | {of_name[0].fault} | {' | '.join(map(_count, _shares(of_name)))} | {_times(of_name)} |")
    print(f"| **all** | | {' | '.join(f'**{share}**' for share in _shares(marks))} | {_times(marks)} |")
    print(
        "| target | | " + " | ".join(f"≥ {TARGETS[name]:.0%}" if name in TARGETS else "" for name in COLUMNS) + " | | |"
    )
    _wrong(marks)
    _calibration(marks)


def _shares(marks: Iterable[Mark]) -> list[Share]:
    marks = list(marks)
    return [Share.count(ask(mark) for mark in marks) for ask in COLUMNS.values()]


def _count(share: Share) -> str:
    return f"{share.right}/{share.of}" if share.of else "–"


def _times(marks: Sequence[Mark]) -> str:
    errors = [mark.onset_error for mark in marks if mark.onset_error is not None]
    off = f"{sum(errors) / len(errors):.1f}, at most {max(errors):.1f}" if errors else "–"
    return f"{off} | {max(mark.seconds for mark in marks):.1f}"


def _wrong(marks: Sequence[Mark]) -> None:
    print("\nWhat was wrong:\n")
    for mark in marks:
        wrong = [name for name, ask in COLUMNS.items() if ask(mark) is False]
        if wrong:
            print(f"- {mark.name}: {', '.join(wrong)}; said: {mark.failure or mark.said or 'nothing'}")


def _calibration(marks: Sequence[Mark]) -> None:
    print("\nShare right by confidence (right / all, mean confidence):\n")
    print("| question | " + " | ".join(f"{step / 10:.1f}–{(step + 1) / 10:.1f}" for step in range(10)) + " |")
    print("|---|" + "---|" * 10)
    for question, steps in by_confidence(list(marks)).items():
        cells = (f"{right}/{of}, {mean:.2f}" if of else "" for right, of, mean in steps)
        print(f"| {question} | {' | '.join(cells)} |")


# -- Recorded incidents ------------------------------------------------------------------------------------------------
def recorded(placed: Sequence[Placed], published: Mapping[str, Sequence[tuple[str, float]]]) -> None:
    """Each set and each fault of it, beside chance and what others published."""
    print("\n| set | fault | cases | first | in 3 | chance first | chance in 3 | published first | slowest, s |")
    print("|---|---|---:|---:|---:|---:|---:|---|---:|")
    for name in dict.fromkeys(one.case.set for one in placed):
        of_set = [one for one in placed if one.case.set == name]
        others = ", ".join(f"{method} {first:.0%}" for method, first in published.get(name, []))
        _recorded_row(f"**{name}**", "all", of_set, others)
        for fault in sorted({one.case.fault for one in of_set}):
            _recorded_row("", fault, [one for one in of_set if one.case.fault == fault], "")
    print("\nNot first:\n")
    for one in placed:
        if not one.among(1):
            print(f"- {one.case.name} ({one.case.fault}): {f'place {one.rank}' if one.rank else _missing(one)}")


def _missing(one: Placed) -> str:
    return one.answer.failure or "not listed"


def _recorded_row(name: str, fault: str, placed: Sequence[Placed], others: str) -> None:
    shares = [Share.count(one.among(places) for one in placed) for places in (1, 3)]
    chances = [sum(one.case.chance(places) for one in placed) / len(placed) for places in (1, 3)]
    slowest = max(one.answer.seconds for one in placed)
    print(
        f"| {name} | {fault} | {len(placed)} | {shares[0]} | {shares[1]} | {chances[0]:.1%} | {chances[1]:.1%} "
        f"| {others} | {slowest:.1f} |"
    )
