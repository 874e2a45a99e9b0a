"""Strings and attribute sets as numbers, each kept once, so that a million spans fit in memory."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b

# Of one attribute at most so many values are told apart; later new ones are dropped (request ids, full URLs).
MOST_VALUES = 20_000
LONGEST_VALUE = 256


class Names:
    """Strings numbered from 0 in the order in which they are first seen."""

    __slots__ = ("_codes", "_names")

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __getitem__(self, code: int) -> str:
        return self._names[code]

    def code(self, name: str) -> int:
        """The number of this string, a new one if it has none yet."""
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = len(self._names)
            self._names.append(name)
        return code

    def find(self, name: str) -> int | None:
        return self._codes.get(name)


class Combos:
    """Sets of attributes, numbered; number 0 is the empty set."""

    def __init__(self) -> None:
        # (key, value) by number; the same pair in two sets is the same number.
        self.pairs: list[tuple[str, str]] = []
        self.sets: list[tuple[int, ...]] = [()]
        self._pair_codes: dict[tuple[str, str], int] = {}
        self._set_codes: dict[tuple[int, ...], int] = {(): 0}
        self._values: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.sets)

    @property
    def crowded(self) -> frozenset[str]:
        """The keys that had more values than are told apart: identifiers rather than attributes."""
        return frozenset(key for key, count in self._values.items() if count >= MOST_VALUES)

    def code(self, attributes: Mapping[str, object]) -> int:
        """The number of this set. Lists, bytes and long texts are left out."""
        if not attributes:
            return 0
        found = []
        for key, value in attributes.items():
            text = value if type(value) is str else _plain(value)
            if text and len(text) <= LONGEST_VALUE:
                pair = self._pair_codes.get((key, text))
                if pair is None:
                    pair = self._new_pair(key, text)
                if pair >= 0:
                    found.append(pair)
        found.sort()
        members = tuple(found)
        code = self._set_codes.get(members)
        if code is None:
            code = self._set_codes[members] = len(self.sets)
            self.sets.append(members)
        return code

    def _new_pair(self, key: str, text: str) -> int:
        count = self._values.get(key, 0)
        if count >= MOST_VALUES:
            return -1
        self._values[key] = count + 1
        self._pair_codes[key, text] = len(self.pairs)
        self.pairs.append((key, text))
        return len(self.pairs) - 1

    def attributes(self, code: int) -> dict[str, str]:
        return dict(self.pairs[pair] for pair in self.sets[code])


class Ids:
    """Span ids as 64-bit numbers, the same everywhere, so that tables can be joined by them."""

    def __init__(self) -> None:
        # Those that are not 16 hexadecimal digits, by their number.
        self._odd: dict[int, str] = {}

    def code(self, span_id: str) -> int:
        """0 for no id."""
        if len(span_id) == 16:
            try:
                return int(span_id, 16)
            except ValueError:
                pass
        return self._odd_code(span_id) if span_id else 0

    def _odd_code(self, span_id: str) -> int:
        code = int.from_bytes(blake2b(span_id.encode(), digest_size=8).digest())
        self._odd[code] = span_id
        return code

    def name(self, code: int) -> str:
        return self._odd.get(code) or (f"{code:016x}" if code else "")


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float | str) else ""
