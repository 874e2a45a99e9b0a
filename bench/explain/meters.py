"""What a system's meters counted; nothing of it is sampled. Times are seconds from the begin of the simulation."""

from collections import defaultdict
from dataclasses import dataclass, field

from bench.explain.records import Pod

# When it began, how long it took in seconds, and whether it failed.
type Handled = tuple[float, float, bool]


@dataclass
class Meters:
    """`pools` has asked, got and given back by service; `queues` sent and begun by queue; `caches` hits by cache."""

    served: dict[Pod, list[Handled]] = field(default_factory=lambda: defaultdict(list))
    called: dict[tuple[str, str], list[Handled]] = field(default_factory=lambda: defaultdict(list))
    busy: dict[Pod, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    pools: dict[str, list[tuple[float, float, float]]] = field(default_factory=lambda: defaultdict(list))
    queues: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    caches: dict[str, list[tuple[float, bool]]] = field(default_factory=lambda: defaultdict(list))
