"""The spans of one trace as a tree: what called what, where the time went, and where an error began.

Telemetry is rarely perfect, so nothing here raises: spans whose parent is missing become roots, repeated spans count
once, cycles are cut at their earliest span, and clocks that disagree are set right where causality proves it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from connectors.telemetry import Span

# What answers a caller in another process; everything else shares its parent's clock.
_REMOTE = {"server": "client", "consumer": "producer"}


@dataclass(frozen=True, slots=True)
class Node:
    """One span in its place. `parent` and `children` are indexes into `Tree.nodes`."""

    span: Span
    depth: int
    parent: int | None
    children: tuple[int, ...]
    # The time in which this span ran and none of its children did; never negative.
    self_ns: int
    # Added to the span's own clock to fit its caller's; 0 unless the clocks cannot both be right.
    shift_ns: int
    # Its parent is named, but is not among the spans (or only by way of a cycle).
    orphan: bool

    @property
    def start_ns(self) -> int:
        """When it started by the root's clock; draw with this, not with `span.start_ns`."""
        return self.span.start_ns + self.shift_ns

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.span.duration_ns

    @property
    def failed(self) -> bool:
        return self.span.status == "error"


@dataclass(frozen=True)
class Tree:
    """The nodes in reading order: each before its children, siblings and roots by start."""

    nodes: tuple[Node, ...]

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    @property
    def roots(self) -> tuple[Node, ...]:
        return tuple(node for node in self.nodes if node.parent is None)

    @cached_property
    def start_ns(self) -> int:
        return min((node.start_ns for node in self.nodes), default=0)

    @cached_property
    def end_ns(self) -> int:
        return max((node.end_ns for node in self.nodes), default=0)

    @property
    def duration_ns(self) -> int:
        """From the first start to the last end, which may be later than the answer to the caller."""
        return self.end_ns - self.start_ns

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {node.span.span_id: place for place, node in enumerate(self.nodes)}

    def find(self, span_id: str) -> Node | None:
        place = self._places.get(span_id)
        return None if place is None else self.nodes[place]

    def parent_of(self, node: Node) -> Node | None:
        return None if node.parent is None else self.nodes[node.parent]

    def children_of(self, node: Node) -> tuple[Node, ...]:
        return tuple(self.nodes[child] for child in node.children)

    def path_to(self, node: Node) -> tuple[Node, ...]:
        """From its root down to the node itself."""
        path = [node]
        while (above := self.parent_of(path[-1])) is not None:
            path.append(above)
        return tuple(reversed(path))


def tree(spans: Sequence[Span]) -> Tree:
    """The spans of one trace in their places. Of spans with the same id the first counts."""
    known = {span.span_id: span for span in reversed(spans)}
    parents = _parents(known)
    children = _children(known, parents)
    order = _reading_order(known, parents, children)
    places = {span_id: place for place, span_id in enumerate(order)}
    shifts = _shifts(known, parents, order)
    depths: dict[str, int] = {}
    nodes = []
    for span_id in order:
        span, parent = known[span_id], parents[span_id]
        depths[span_id] = 0 if parent is None else depths[parent] + 1
        nodes.append(
            Node(
                span=span,
                depth=depths[span_id],
                parent=None if parent is None else places[parent],
                children=tuple(sorted(places[child] for child in children[span_id])),
                self_ns=_self_time(span, shifts[span_id], [(known[c], shifts[c]) for c in children[span_id]]),
                shift_ns=shifts[span_id],
                orphan=parent is None and bool(span.parent_id),
            )
        )
    return Tree(tuple(nodes))


def _parents(known: Mapping[str, Span]) -> dict[str, str | None]:
    """Each span's parent, or None when it has none that is known; afterwards every way up ends."""
    parents = {span_id: span.parent_id if span.parent_id in known else None for span_id, span in known.items()}
    settled: set[str] = set()
    for span_id in known:
        trail: dict[str, None] = {}
        above: str | None = span_id
        while above is not None and above not in settled and above not in trail:
            trail[above] = None
            above = parents[above]
        if above in trail:
            walked = list(trail)
            cycle = walked[walked.index(above) :]
            parents[min(cycle, key=lambda name: _by_start(known[name]))] = None
        settled.update(trail)
    return parents


def _by_start(span: Span) -> tuple[int, int, str]:
    """Earliest first; of those that start together the longest, which is rather the caller than the callee."""
    return span.start_ns, -span.duration_ns, span.span_id


def _children(known: Mapping[str, Span], parents: Mapping[str, str | None]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = defaultdict(list)
    for span in sorted(known.values(), key=_by_start):
        parent = parents[span.span_id]
        if parent is not None:
            children[parent].append(span.span_id)
    return children


def _reading_order(
    known: Mapping[str, Span], parents: Mapping[str, str | None], children: Mapping[str, Sequence[str]]
) -> list[str]:
    roots = sorted((span for name, span in known.items() if parents[name] is None), key=_by_start)
    waiting = [span.span_id for span in reversed(roots)]
    order = []
    while waiting:
        span_id = waiting.pop()
        order.append(span_id)
        waiting.extend(reversed(children.get(span_id, ())))
    return order


def _shifts(known: Mapping[str, Span], parents: Mapping[str, str | None], order: Sequence[str]) -> dict[str, int]:
    """How far each span's clock is behind that of its root; what runs below a span shares its clock."""
    shifts: dict[str, int] = {}
    for span_id in order:
        parent = parents[span_id]
        above = 0 if parent is None else shifts[parent]
        shifts[span_id] = above + (0 if parent is None else _skew(known[parent], above, known[span_id], above))
    return shifts


def _skew(caller: Span, caller_shift: int, callee: Span, callee_shift: int) -> int:
    """What to add to the callee's clock so that it could have been called. 0 when it can be right as it is.

    A callee cannot start before its caller, and when the caller got its answer in time, not end after it either. A
    caller that failed may have given up waiting, and nobody waits for a consumer: those may end late.
    """
    if _REMOTE.get(callee.kind) is None or callee.service == caller.service:
        return 0
    early = (caller.start_ns + caller_shift) - (callee.start_ns + callee_shift)
    late = (callee.end_ns + callee_shift) - (caller.end_ns + caller_shift)
    answered = callee.kind == "server" and callee.duration_ns <= caller.duration_ns
    if answered and (early > 0 or (late > 0 and caller.status != "error")):
        # In the middle: as if the way there took as long as the way back.
        return early + (caller.duration_ns - callee.duration_ns) // 2
    return max(early, 0)


def _self_time(span: Span, shift: int, children: Sequence[tuple[Span, int]]) -> int:
    """The duration less the union of the children's intervals, each clipped to the span's own. Children by start."""
    start, end = span.start_ns + shift, span.end_ns + shift
    covered, reached = 0, start
    for child, child_shift in sorted(children, key=lambda pair: pair[0].start_ns + pair[1]):
        begins = max(child.start_ns + child_shift, reached)
        ends = min(child.end_ns + child_shift, end)
        if ends > begins:
            covered += ends - begins
            reached = ends
    return span.duration_ns - covered


def by_service(tree: Tree) -> dict[str, int]:
    """Self time in nanoseconds by service, the largest first."""
    totals: dict[str, int] = defaultdict(int)
    for node in tree:
        totals[node.span.service] += node.self_ns
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def deepest_cause(tree: Tree) -> Node | None:
    """The span that explains the trace, rather than its callers.

    When the request failed: where the error began, following failed spans down from the failed root. Otherwise the
    span with the largest self time, because a failure that was retried with success is no cause. None without spans.
    """
    # A stray part may have failed earlier, but only the trace's own root says how the request ended.
    failed = sorted((root for root in tree.roots if root.failed), key=lambda root: root.orphan)
    if failed:
        return _origin(tree, failed[0])
    return max(tree, key=lambda node: (node.self_ns, node.depth), default=None)


def first_failure(tree: Tree) -> Node | None:
    """Where an error began although the root may not have failed; None when no span failed.

    For a trace that is known to be bad by other means, such as a status code that nobody marked as an error.
    """
    outermost = [node for node in tree if node.failed and not _below_failure(tree, node)]
    return _origin(tree, max(outermost, key=_decided)) if outermost else None


def _below_failure(tree: Tree, node: Node) -> bool:
    parent = tree.parent_of(node)
    return parent is not None and parent.failed


def _origin(tree: Tree, node: Node) -> Node:
    """Down through failed children; of several the last to end, since a retry after it would have ended later."""
    while failed := [child for child in tree.children_of(node) if child.failed]:
        node = max(failed, key=_decided)
    return node


def _decided(node: Node) -> tuple[int, int]:
    return node.end_ns, node.start_ns
