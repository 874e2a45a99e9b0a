"""Log lines as patterns: what a statement always says, with `<*>` where it says something else each time.

First what is surely variable (times, ids, addresses, numbers) is masked by one regular expression; then lines of the
same length and beginning are merged with the most similar pattern known (the Drain algorithm: He, Zhu, Zheng and Lyu,
"Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017). Stack traces are one pattern for each
exception type and top frame.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

WILDCARD = "<*>"
# Drain's two constants, at the values its authors found to serve most systems.
LEAST_SIMILARITY = 0.5
MOST_CHILDREN = 100
# The tree looks at so many tokens from the beginning.
DEPTH = 2
# What is cut off: nobody tells statements apart by what comes so late.
LONGEST_LINE = 800
CUT = "…"
MOST_TOKENS = 60
# A line names its place in the source among its first words: `12:00:01 INFO [main] o.s.Orders#53 saved`.
_LATEST_PLACE = 8
# Masked lines that are remembered with their pattern.
CACHED = 100_000

# Alternatives in order: what is kept as it is (a place in the source) comes before the number in it is masked.
_VARIABLE = re.compile(
    r"(?P<kept>(?<![\w.$])[A-Za-z_$][\w$]*(?:\.[\w$\[\]]+)+\#\d+"
    r"|(?<![\w.])[\w$./-]+\.(?:java|py|go|js|ts|rb|cs|cpp|cc|c|h|rs|kt|scala|php|ex|swift):\d+)"
    r"|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\b\d\d?:\d\d:\d\d(?:[.,]\d+)?"
    r"|\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"
    r"|\b0x[0-9a-fA-F]+\b"
    r"|\b(?=[a-fA-F]*\d)[0-9a-fA-F]{8,}\b"
    r"|\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"
    r"""|"[^"\s]*\d[^"\s]*"|'[^'\s]*\d[^'\s]*'"""
    r"|(?<![\w<])[-+]?\d+(?:[.,:]\d+)*(?:[eE][-+]?\d+)?"
)
# A list of two or more alike things: how many they are changes, and with it the number of tokens.
_MASKED = r"\(<\*>\)|\[<\*>\]"
_LISTED = re.compile(rf"\[(?:[^\[\](){{}},]|{_MASKED})*+,(?:[^\[\](){{}}]|{_MASKED})*+\]")
_RECORD = re.compile(r"([\w$]*)[({][^\[\](){}]*,[^\[\](){}]*[)}]")
_CLOSING = {"[": "]", "(": ")", "{": ")"}
_WORD_WITH_DIGIT = re.compile(r"(?<!\S)[^\s\d]*+\d\S*(?: \d\d:\d\d\S*)?")
_BLANKS = re.compile(r"\s+")

_FRAME = re.compile(r"^\s*at\s+([\w$.<>/]+)\(|^\s*at\s+(?:async\s+)?([\w$.<>]+)\s+\(", re.MULTILINE)
_PYTHON_FRAME = re.compile(r'^\s*File "([^"]+)", line \d+, in (\S+)', re.MULTILINE)
_PYTHON_EXCEPTION = re.compile(r"^([A-Za-z_][\w.]*)(?::\s|$)", re.MULTILINE)
_EXCEPTION = re.compile(
    r"\b((?:[a-zA-Z_$][\w$]*\.)*[A-Z][\w$]*(?:Exception|Error|Failure|Throwable|Fault|Interrupt))\b"
)

# Of a URL's path, the parts that name one thing rather than a kind of things.
_URL_ID = re.compile(r"^(?:\d+|[0-9a-fA-F]{8,}|[0-9a-fA-F-]{32,36}|[\w~.-]*\d[\w~.-]{11,}|[\w.+-]+@[\w.-]+)$")


def mask(line: str) -> str:
    """The line with `<*>` for what is surely variable."""
    # Everything variable has a digit in it: most words need no closer look, which is what makes this fast.
    return _WORD_WITH_DIGIT.sub(_mask_word, line)


def _mask_word(match: re.Match[str]) -> str:
    return _VARIABLE.sub(_masked, match[0])


def _masked(match: re.Match[str]) -> str:
    return match["kept"] or WILDCARD


def operation_pattern(name: str) -> str:
    """A span's name without ids: many name their spans by URL. `GET /orders/8231?full=1` becomes `GET /orders/<*>`."""
    if "/" not in name and "?" not in name:
        return mask(name) if len(name) > 60 else name
    path = name.split("?", 1)[0]
    return "/".join(WILDCARD if _URL_ID.match(part) else part for part in path.split("/"))


def exception_of(text: str) -> tuple[str, str] | None:
    """The exception's type and the top frame of a stack trace in this text; None when there is none."""
    python = _PYTHON_FRAME.findall(text)
    if python:
        types = _PYTHON_EXCEPTION.findall(text[text.rfind(python[-1][0]) :])
        return (types[0] if types else "Exception"), f"{python[-1][0]} {python[-1][1]}"
    frame = _FRAME.search(text)
    if frame is None:
        return None
    found = _EXCEPTION.search(text)
    return (found[1] if found else "Exception"), frame[1] or frame[2]


def _joined(line: str) -> str:
    """One line, in which lists and records are a token each, however long they are."""
    for _ in range(6):
        shorter = _RECORD.sub(_record, _LISTED.sub(f"[{WILDCARD}]", line))
        if shorter == line:
            break
        line = shorter
    if line.endswith(CUT):
        line = _closed(line)
    return _BLANKS.sub(" ", line).strip()


def _closed(line: str) -> str:
    """A line that was cut off, without what is in the first bracket that is never closed."""
    opened: list[int] = []
    for place, letter in enumerate(line):
        if letter in "[({":
            opened.append(place)
        elif letter in "])}" and opened:
            opened.pop()
    return f"{line[: opened[0] + 1]}{WILDCARD}{_CLOSING[line[opened[0]]]}" if opened else line


def _record(match: re.Match[str]) -> str:
    return f"{match[1]}({WILDCARD})"


@dataclass(slots=True)
class _Group:
    """Lines that are one pattern."""

    number: int
    tokens: list[str]


class Templates:
    """The patterns of the lines seen so far, numbered in the order of their first line."""

    def __init__(self) -> None:
        self._groups: list[_Group] = []
        # By number of tokens and the first few of them.
        self._tree: dict[tuple[str, ...], list[_Group]] = {}
        self._firsts: dict[tuple[str, ...], set[str]] = {}
        self._cache: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> str:
        """The pattern as text. It may still become more general as lines are added."""
        return " ".join(self._groups[number].tokens)

    def add(self, line: str, source: str = "", stack: str = "") -> int:
        """The number of the line's pattern. Lines of different sources (services) are never merged.

        `stack` is a stack trace that was recorded beside the line; one within it is found.
        """
        masked = mask(line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + CUT)
        key = (source, f"{masked}\n{stack}" if stack else masked)
        number = self._cache.get(key)
        if number is None:
            number = self._place(masked, source, stack)
            if len(self._cache) < CACHED:
                self._cache[key] = number
        return number

    def _place(self, masked: str, source: str, stack: str) -> int:
        tokens, path = _parts(masked, source, stack)
        leaf = self._tree.setdefault(self._branch(tokens, path), [])
        best = max(leaf, key=lambda group: _similarity(group.tokens, tokens), default=None)
        if best is None or _similarity(best.tokens, tokens) < LEAST_SIMILARITY:
            best = _Group(len(self._groups), tokens)
            self._groups.append(best)
            leaf.append(best)
        else:
            best.tokens = [a if a == b else WILDCARD for a, b in zip(best.tokens, tokens, strict=True)]
        return best.number

    def _branch(self, tokens: Sequence[str], path: tuple[str, ...]) -> tuple[str, ...]:
        """Where in the tree: what is never merged, the length, then the first words; rare words share a branch."""
        path = (*path, str(len(tokens)))
        for token in tokens[:DEPTH]:
            known = self._firsts.setdefault(path, set())
            full = token not in known and len(known) >= MOST_CHILDREN
            if full or any(letter.isdigit() for letter in token):
                token = WILDCARD
            known.add(token)
            path = (*path, token)
        return path


def _parts(masked: str, source: str, stack: str) -> tuple[list[str], tuple[str, ...]]:
    """The words of a line, and what sets it apart from all others: source, place in the code, stack."""
    thrown = exception_of(stack or masked) if stack or "\n" in masked else None
    first = masked.split("\n", 1)[0] if thrown else masked
    tokens = [] if thrown and first.startswith("Traceback") else _joined(first).split(" ", MOST_TOKENS)[:MOST_TOKENS]
    places = tuple(token for token in tokens[:_LATEST_PLACE] if _is_place(token))
    if thrown:
        return [*tokens, " at ".join(thrown)], (source, *thrown, *places)
    return tokens, (source, *places)


def _similarity(pattern: Sequence[str], tokens: Sequence[str]) -> float:
    """The share of the tokens that are equal; a wildcard counts as half, so that the closer pattern wins."""
    same = sum(a == b for a, b in zip(pattern, tokens, strict=True))
    free = sum(a == WILDCARD != b for a, b in zip(pattern, tokens, strict=True))
    return (same + free / 2) / max(len(tokens), 1)


def _is_place(token: str) -> bool:
    match = _VARIABLE.match(token)
    return match is not None and match["kept"] is not None
