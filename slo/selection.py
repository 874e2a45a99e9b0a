"""Chooses series by matchers as Prometheus does, for many objectives among the series of one read."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from slo.counting import Choice, Matcher

MOST_VALUES = 10_000


class Selection:
    """The labels of all series that were read, indexed by the labels that selectors ask to be equal."""

    def __init__(self, labels: Sequence[Mapping[str, str]]) -> None:
        self._labels = labels
        self._by_label: dict[str, dict[str, list[int]]] = {}
        self._chosen: dict[Choice, list[int]] = {}

    def of(self, choice: Choice) -> list[int]:
        """The numbers of the series that a selector chooses. Raises `ValueError` for a pattern that is not Python's."""
        if (found := self._chosen.get(choice)) is None:
            found = self._chosen[choice] = self._choose(choice)
        return found

    def _choose(self, choice: Choice) -> list[int]:
        matchers = {Matcher("__name__", "=", choice.metric), *choice.matchers}
        # An empty value stands for a label that is not there, which no index holds.
        equal = {one: self._equal(one.label).get(one.value, []) for one in matchers if one.op == "=" and one.value}
        fewest = min(equal, key=lambda one: len(equal[one]))
        found, labels = equal[fewest], self._labels
        for matcher in matchers - {fewest}:
            label, fits = matcher.label, _fits(matcher)
            found = [number for number in found if fits[labels[number].get(label, "")]]
        return found

    def _equal(self, label: str) -> Mapping[str, list[int]]:
        if (index := self._by_label.get(label)) is None:
            index = self._by_label[label] = {}
            for number, one in enumerate(self._labels):
                if value := one.get(label):
                    index.setdefault(value, []).append(number)
        return index


class _Fits(dict[str, bool]):
    """Whether values fit a matcher: each is tried once."""

    def __init__(self, test: Callable[[str], bool]) -> None:
        self._test = test

    def __missing__(self, value: str) -> bool:
        if len(self) >= MOST_VALUES:
            self.clear()
        fits = self[value] = self._test(value)
        return fits


@lru_cache(maxsize=4096)
def _fits(matcher: Matcher) -> _Fits:
    value = matcher.value
    match matcher.op:
        case "=":
            return _Fits(value.__eq__)
        case "!=":
            return _Fits(value.__ne__)
    whole, wanted = pattern(value).fullmatch, matcher.op == "=~"
    return _Fits(lambda text: (whole(text) is not None) is wanted)


def pattern(text: str) -> re.Pattern[str]:
    """A label's pattern. Prometheus's syntax is nearly Python's; raises `ValueError` where it is not."""
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"The pattern {text!r} cannot be read: {error}.") from None
