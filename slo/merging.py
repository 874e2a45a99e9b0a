"""Selectors of many objectives made few: those that differ only in the values of the same labels become one."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod

from slo.counting import Choice, Matcher, alternatives, selector

# Prometheus looks up as many alternatives of a pattern, and tries longer patterns on every value.
MOST_VALUES = 250
# How many combinations of values may be asked for, for each that is wanted.
MOST_COMBINATIONS = 4
_NAME = "__name__"

# What selectors must have in common: which labels have one value, and everything else that they ask.
type _Shape = tuple[tuple[str, ...], frozenset[Matcher]]


@dataclass(frozen=True, slots=True)
class Merged:
    """A selector that answers the series of all its parts, and perhaps of other combinations of their values."""

    parts: tuple[Choice, ...]

    @property
    def selector(self) -> str:
        if len(self.parts) == 1:
            return self.parts[0].selector
        values = _values(self.parts)
        # In front of the braces, where there is only one.
        metric = "" if len(values[_NAME]) > 1 else values.pop(_NAME).pop()
        found = (alternatives(label, sorted(some)) for label, some in values.items())
        _, others = _shape(self.parts[0])
        return selector(metric, (*found, *sorted(others, key=lambda one: (one.label, one.op, one.value))))


def merged(choices: Iterable[Choice]) -> list[Merged]:
    """As few selectors as cover all choices without asking for much else; each choice is a part of one."""
    shapes = defaultdict[_Shape, list[Choice]](list)
    for choice in dict.fromkeys(choices):
        shapes[_shape(choice)].append(choice)
    return [Merged(tuple(part)) for same in shapes.values() for part in _packed(sorted(same, key=_fixed))]


def _packed(choices: Iterable[Choice]) -> Iterator[list[Choice]]:
    packed, values = list[Choice](), defaultdict[str, set[str]](set)
    for choice in choices:
        fixed = _fixed(choice)
        if packed and not _fits(fixed, values, len(packed)):
            yield packed
            packed, values = [], defaultdict(set)
        packed.append(choice)
        for label, value in fixed:
            values[label].add(value)
    yield packed


def _fits(fixed: Iterable[tuple[str, str]], values: Mapping[str, set[str]], count: int) -> bool:
    """Whether one more choice, with these values, may be packed with those `count` that have `values`."""
    counts = {label: len(values[label]) + (value not in values[label]) for label, value in fixed}
    # Where each has a metric of its own, their other labels hardly choose.
    combinations = prod(counts.values()) // (counts[_NAME] if counts[_NAME] == count + 1 else 1)
    return max(counts.values()) <= MOST_VALUES and combinations <= MOST_COMBINATIONS * (count + 1)


def _values(choices: Iterable[Choice]) -> dict[str, set[str]]:
    found = defaultdict[str, set[str]](set)
    for choice in choices:
        for label, value in _fixed(choice):
            found[label].add(value)
    return found


def _shape(choice: Choice) -> _Shape:
    fixed = tuple(label for label, _ in _fixed(choice))
    return fixed, frozenset(one for one in choice.matchers if one.op != "=" or one.label not in fixed)


def _fixed(choice: Choice) -> tuple[tuple[str, str], ...]:
    """The labels that must have one value, in order; a label that is matched twice is left as it is."""
    labels = [one.label for one in choice.matchers]
    own = sorted((one.label, one.value) for one in choice.matchers if one.op == "=" and labels.count(one.label) == 1)
    return ((_NAME, choice.metric), *own)
