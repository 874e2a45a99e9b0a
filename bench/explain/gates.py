"""What requests wait for: places that only so many can hold at a time, and queues that are worked off in order."""

import math
from bisect import bisect_right, insort


class Places:
    """Connections of a pool, threads of a pod: `size` of them, each held from a begin to an end.

    Who gets here is not told in the order of time: a request may come that others, already told, have overtaken.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._begins: list[float] = []
        self._ends: list[float] = []

    def held(self, at: float) -> int:
        """How many are held at this time."""
        return bisect_right(self._begins, at) - bisect_right(self._ends, at)

    def earliest(self, at: float) -> float:
        """When one is free, from `at` on."""
        while self.held(at) >= self.size:
            at = self._ends[bisect_right(self._ends, at)]
        return at

    def hold(self, begin: float, end: float) -> None:
        insort(self._begins, begin)
        insort(self._ends, end)


class Line:
    """Messages of a queue, each of which goes to the consumer that is free first."""

    def __init__(self, consumers: int) -> None:
        self.free = [-math.inf] * consumers
        self.begun: list[float] = []

    def next(self, at: float) -> float:
        """When a message that is sent at this time will be begun."""
        return max(at, min(self.free))

    def work(self, begin: float, end: float) -> None:
        self.free[self.free.index(min(self.free))] = end
        self.begun.append(begin)

    def depth(self, at: float) -> int:
        """How many messages wait at this time."""
        self.begun = [begin for begin in self.begun if begin > at]
        return len(self.begun)


class Gates:
    """All of them, by name; made when first asked for."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str, int], Places] = {}
        self._lines: dict[str, Line] = {}

    def threads(self, service: str, pod: int, size: int) -> Places:
        return self._places.setdefault(("threads", service, pod), Places(size))

    def connections(self, service: str, size: int) -> Places:
        return self._places.setdefault(("connections", service, 0), Places(size))

    def line(self, queue: str, consumers: int) -> Line:
        return self._lines.setdefault(queue, Line(consumers))
