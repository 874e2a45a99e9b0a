"""The picture of one request: a row for each span with its place in time, its log lines under it, and its own time.

Pure: spans and lines in, rows with positions (0…1 of the whole) out. A page shows a part of a long trace; the selected
span and the way down to it are always among the rows.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from connectors.telemetry import LogLine
from evidence.spans import Node, Tree

PER_PAGE = 500
# The stylesheet indents up to this depth.
DEEPEST = 10
# Callers of the selected span that are shown with it on a page that has neither.
MOST_ABOVE = 6
# Lines under one span; the rest stand in the list of all lines.
MOST_LINES = 20
TONES = 6
# A client span without a server's answer below stands for the one that was called.
_CALLEE = ("peer.service", "service.peer.name", "db.namespace", "server.address", "messaging.destination.name")


@dataclass(frozen=True, slots=True)
class Dot:
    """A log line's place on its span's lane."""

    at: float
    level: str


@dataclass(frozen=True, slots=True)
class Row:
    """One span in its place; `start` and `width` are parts of the whole request, 0…1."""

    kind: Literal["span"]
    node: Node
    place: int
    party: str
    tone: str
    depth: int
    start: float
    width: float
    # Where the duration is written: in the bar, after it, or before it when there is no room behind.
    label: Literal["in", "after", "before"]
    lines: tuple[LogLine, ...]
    more_lines: int
    dots: tuple[Dot, ...]
    selected: bool
    starts_after_ns: int

    @property
    def span_id(self) -> str:
        return self.node.span.span_id

    @property
    def end(self) -> float:
        return self.start + self.width


@dataclass(frozen=True, slots=True)
class Gap:
    """Spans that are not shown here, with the page that has the first of them."""

    kind: Literal["gap"]
    count: int
    page: int


@dataclass(frozen=True, slots=True)
class Share:
    """One party's own time in the request; `start` and `width` are parts of all own time."""

    party: str
    tone: str
    ns: int
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Waterfall:
    """One page of a request's picture."""

    rows: tuple[Row | Gap, ...]
    # Lines that belong to no span that is known.
    loose: tuple[LogLine, ...]
    ticks: tuple[tuple[float, int], ...]
    page: int
    pages: int


def tone(party: str) -> str:
    """The colour of a service: the same on every page and after every restart."""
    digest = hashlib.blake2b(party.encode(errors="replace"), digest_size=2, person=b"service").digest()
    return f"s{int.from_bytes(digest) % TONES + 1}"


def party(tree: Tree, node: Node) -> str:
    """Whose time it is: the span's service, or the one it called when that one left no span of its own."""
    span = node.span
    if span.kind in ("client", "producer") and not node.children:
        named = (span.attributes.get(key) for key in _CALLEE)
        return next((str(name) for name in named if name), span.service)
    return span.service


def own_time(tree: Tree) -> list[Share]:
    """Each party's own time, the largest first; together the request's."""
    sums: dict[str, int] = defaultdict(int)
    for node in tree:
        sums[party(tree, node)] += node.self_ns
    whole = sum(sums.values()) or 1
    shares, reached = [], 0
    for name, ns in sorted(sums.items(), key=lambda item: (-item[1], item[0])):
        shares.append(Share(name, tone(name), ns, reached / whole, ns / whole))
        reached += ns
    return shares


def page_of(tree: Tree, node: Node) -> int:
    """The page, from 1, on which a span is."""
    return _places(tree)[node.span.span_id] // PER_PAGE + 1


def draw(
    tree: Tree, lines: Sequence[LogLine], selected: Node | None, page: int = 1, per_page: int = PER_PAGE
) -> Waterfall:
    """The rows of one page, from 1; a page that is not there becomes the nearest one."""
    pages = max(1, -(-len(tree) // per_page))
    page = min(max(page, 1), pages)
    first = (page - 1) * per_page
    shown = set(range(first, min(first + per_page, len(tree))))
    if selected is not None:
        places = _places(tree)
        if places[selected.span.span_id] not in shown:
            shown |= {places[node.span.span_id] for node in tree.path_to(selected)[-MOST_ABOVE:]}
    of_span = _by_span(tree, lines)
    rows: list[Row | Gap] = []
    reached = 0
    for place in sorted(shown):
        if place > reached:
            rows.append(Gap("gap", place - reached, reached // per_page + 1))
        node = tree.nodes[place]
        rows.append(_row(tree, place, of_span.get(node.span.span_id, ()), node is selected))
        reached = place + 1
    if reached < len(tree):
        rows.append(Gap("gap", len(tree) - reached, reached // per_page + 1))
    loose = tuple(line for line in lines if tree.find(line.span_id) is None)
    return Waterfall(tuple(rows), loose, _ticks(tree), page, pages)


def _places(tree: Tree) -> Mapping[str, int]:
    return {node.span.span_id: place for place, node in enumerate(tree)}


def _by_span(tree: Tree, lines: Iterable[LogLine]) -> Mapping[str, list[LogLine]]:
    found: dict[str, list[LogLine]] = defaultdict(list)
    for line in lines:
        if tree.find(line.span_id) is not None:
            found[line.span_id].append(line)
    return found


def _row(tree: Tree, place: int, lines: Sequence[LogLine], selected: bool) -> Row:
    node = tree.nodes[place]
    whole = tree.duration_ns or 1
    start = (node.start_ns - tree.start_ns) / whole
    width = min(node.span.duration_ns / whole, 1 - start)
    name = party(tree, node)
    return Row(
        kind="span",
        node=node,
        place=place,
        party=name,
        tone=tone(name),
        depth=min(node.depth, DEEPEST),
        start=start,
        width=width,
        label=_label(start, width),
        lines=tuple(lines[:MOST_LINES]),
        more_lines=max(0, len(lines) - MOST_LINES),
        dots=tuple(Dot(_within(tree, node, line), line.level) for line in lines[:MOST_LINES]),
        selected=selected,
        starts_after_ns=node.start_ns - tree.start_ns,
    )


def _label(start: float, width: float) -> Literal["in", "after", "before"]:
    if width > 0.18:
        return "in"
    return "after" if start + width < 0.8 else "before"


def _within(tree: Tree, node: Node, line: LogLine) -> float:
    """Where a line stands in the picture; the clock of its service is set right as that of its span."""
    at = (line.at_ns + node.shift_ns - tree.start_ns) / (tree.duration_ns or 1)
    return min(1.0, max(0.0, at))


def _ticks(tree: Tree) -> tuple[tuple[float, int], ...]:
    return tuple((part / 4, tree.duration_ns * part // 4) for part in range(5))
