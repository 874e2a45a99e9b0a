"""Chooses series by matchers as Prometheus does, for many objectives among the series of one read."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from slo.counting import Choice, Matcher


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
        matchers = (Matcher("__name__", "=", choice.metric), *choice.matchers)
        # An empty value stands for a label that is not there, which no index holds.
        equal = [one for one in matchers if one.op == "=" and one.value]
        few = min((self._equal(one.label).get(one.value, []) for one in equal), key=len)
        tests = [(one.label, _test(one)) for one in matchers]
        labels = self._labels
        return [number for number in few if all(test(labels[number].get(label, "")) for label, test in tests)]

    def _equal(self, label: str) -> Mapping[str, list[int]]:
        if (index := self._by_label.get(label)) is None:
            index = self._by_label[label] = {}
            for number, one in enumerate(self._labels):
                if value := one.get(label):
                    index.setdefault(value, []).append(number)
        return index


@lru_cache(maxsize=4096)
def _test(matcher: Matcher) -> Callable[[str], bool]:
    value = matcher.value
    match matcher.op:
        case "=":
            return value.__eq__
        case "!=":
            return value.__ne__
    whole = pattern(value).fullmatch
    wanted = matcher.op == "=~"
    return lru_cache(maxsize=65_536)(lambda text: (whole(text) is not None) is wanted)


def pattern(text: str) -> re.Pattern[str]:
    """A label's pattern. Prometheus's syntax is nearly Python's; raises `ValueError` where it is not."""
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(f"The pattern {text!r} cannot be read: {error}.") from None
