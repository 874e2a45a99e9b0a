"""Histories of counters as a Prometheus would have scraped them, with known truth: for `bench.accuracy` and its tests.

A history is made of lives: what one process counted from its start to its end, and the scrapes that saw it. The truth
is what a perfect reader of the samples can know: of each life what its last scrape saw, less what its first one did
where nothing says that the process had just begun.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

type Labels = tuple[tuple[str, str], ...]
type Span = tuple[float, float]
type Counters = dict[tuple[str, str], NDArray[np.int64]]

# All instants below are seconds after it.
EPOCH = datetime(2026, 3, 2, tzinfo=UTC)
METRIC = "requests_total"
EVERY, INSTANCES = 30.0, ("a", "b", "c")
HOUR, MINUTE = 3600.0, 60.0
ERRORS = 0.05
SEED = 7
OK, FAILED = "200", "500"
CODES = ((OK, 1 - ERRORS), (FAILED, ERRORS))


@dataclass
class Life:
    """A process from `start` until `end`. `carried` is what it had counted before it could first be scraped.

    It counts nothing for `quiet` seconds, and then `leap` at once. `told`: the samples say that it began at zero.
    """

    instance: str
    start: float
    end: float
    carried: int = 0
    quiet: float = 0
    leap: int = 0
    told: bool = True
    region: str = ""


@dataclass
class Story:
    """What is scraped of one service that has `rate` events a second, spread evenly over its processes."""

    name: str
    rate: float
    hours: float
    random: np.random.Generator
    seed: int = SEED
    lives: list[Life] = field(default_factory=list)
    # Stretches in which targets do not answer, by instance, and in which nothing is scraped at all.
    silent: dict[str, list[Span]] = field(default_factory=dict)
    dark: list[Span] = field(default_factory=list)
    # One after the other, routes get their first requests.
    routes: int = 1
    # Whether targets say when their process started, and whether they are scraped or push.
    started: bool = True
    scraped: bool = True
    # Servers that scrape the same targets: how much later, and when each of them is away.
    replicas: Mapping[str, tuple[float, list[Span]]] = field(default_factory=lambda: {"": (0.0, [])})
    bad: int = 0
    total: int = 0

    @property
    def end(self) -> float:
        return self.hours * HOUR

    @property
    def service(self) -> str:
        return f"{self.name.replace(' ', '-').replace(',', '')}-{self.rate:g}-{self.seed}"

    def runs(self, instance: str, *starts: float, until: float | None = None, quiet: float = 0, leap: int = 0) -> None:
        """A process that ends three seconds before each of its next starts."""
        ends = [*(start - 3 for start in starts[1:]), until or self.end]
        for number, (start, end) in enumerate(zip(starts, ends, strict=True)):
            again = number > 0
            told = again or self.started
            self.lives.append(Life(instance, start, end, 0, quiet * again, leap * again, told))

    def usual(self, hours: float = 1) -> int:
        """How many events a process counts in this time."""
        return int(self.rate / len(INSTANCES) * hours * HOUR)


@dataclass
class Line:
    """One series with its samples."""

    metric: str
    labels: Labels
    at: list[float] = field(default_factory=list)
    value: list[float] = field(default_factory=list)


# -- The scenarios ----------------------------------------------------------------------------------------------------
def steady(story: Story) -> None:
    for instance in INSTANCES:
        story.runs(instance, 0)


def restarts(story: Story) -> None:
    for number, instance in enumerate(INSTANCES):
        story.runs(instance, *np.arange(number * 11 * MINUTE, story.end, 47 * MINUTE).tolist())


def crashes(story: Story) -> None:
    """Away for minutes, once without any sign when it came back."""
    story.started = False
    restarts(story)
    for life in story.lives:
        life.end -= 7 * MINUTE


def reborn_after_absence(story: Story) -> None:
    """After each restart there is no traffic for a while, and then at least as much at once as was counted before."""
    story.started = False
    for number, instance in enumerate(INSTANCES):
        starts = np.arange(number * 7 * MINUTE, story.end, HOUR).tolist()
        story.runs(instance, *starts, quiet=100, leap=story.usual() + 5)


def reborn_at_once(story: Story) -> None:
    """After each restart the first scrape finds more than was counted before."""
    for number, instance in enumerate(INSTANCES):
        starts = np.arange(number * 7 * MINUTE, story.end, HOUR).tolist()
        story.runs(instance, *starts, leap=story.usual() + 40)


def new_label_sets(story: Story) -> None:
    story.routes = 20
    story.started = False
    steady(story)


def rolling_deploys(story: Story) -> None:
    for number in range(round(story.hours / 2)):
        for place, instance in enumerate(INSTANCES):
            start = number * 2 * HOUR + place * 40 + 5
            story.runs(f"{instance}{number}", start, until=start + 2 * HOUR - 2)


def rolling_deploys_untold(story: Story) -> None:
    story.started = False
    rolling_deploys(story)


def scrape_gaps(story: Story) -> None:
    story.started = False
    steady(story)
    for number, instance in enumerate(INSTANCES):
        starts = np.arange(20 * MINUTE + number * 500, story.end - 30 * MINUTE, 50 * MINUTE)
        story.silent[instance] = [(at, at + length) for at, length in zip(starts, _lengths(), strict=False)]


def new_target(story: Story) -> None:
    """Prometheus finds processes that have run for months."""
    story.started = False
    steady(story)
    for number, instance in enumerate(INSTANCES):
        start = story.end / 3 + number * 100
        story.lives.append(Life(f"old-{instance}", start, story.end, carried=1_000_000, told=False))


def prometheus_down(story: Story) -> None:
    """For half an hour, in which one process is restarted."""
    story.started = False
    down = story.end / 2
    story.dark = [(down, down + 30 * MINUTE)]
    story.runs("a", 0)
    story.runs("b", 0)
    story.runs("c", 0, down + 10 * MINUTE)


def renamed(story: Story) -> None:
    """The same processes under other names."""
    steady(story)
    half = story.end / 2
    for life in list(story.lives):
        life.end = half
        carried = round(story.rate / len(INSTANCES) * half)
        story.lives.append(Life(f"{life.instance}-renamed", half + 1, story.end, carried, told=False))


def two_replicas(story: Story) -> None:
    restarts(story)
    third = story.end / 3
    story.replicas = {"one": (0.0, [(third, third + 20 * MINUTE)]), "two": (7.3, [(2 * third, 2 * third + HOUR / 2)])}


def replicas_at_random(story: Story) -> None:
    """Processes restart at any moment between the scrapes of servers that scrape at any distance from each other."""
    story.started = bool(story.random.integers(2))
    for instance in INSTANCES:
        gaps = story.random.uniform(15 * MINUTE, 45 * MINUTE, int(story.hours * 4) + 1)
        story.runs(instance, *(at for at in np.concatenate(([0.0], gaps)).cumsum().tolist() if at < story.end))
    later, away = story.random.uniform(2.5, EVERY - 2.5), story.random.uniform(0.2, 0.8) * story.end
    story.replicas = {"one": (0.0, [(away, away + 11 * MINUTE)]), "two": (later, [])}


def two_regions(story: Story) -> None:
    """Not replicas, though job, instance and load are the same."""
    story.started = bool(story.random.integers(2))
    for region, start in (("eu", 0), ("us", 5 * MINUTE)):
        before = len(story.lives)
        for instance in INSTANCES:
            story.runs(instance, start, story.random.uniform(0.1, 0.9) * story.end)
        for life in story.lives[before:]:
            life.region = region


def pushed(story: Story) -> None:
    story.started = story.scraped = False
    story.routes = 5
    steady(story)


SCENARIOS: Mapping[str, Callable[[Story], None]] = {
    "steady": steady,
    "restarts": restarts,
    "crashes": crashes,
    "reborn with more, after an absence": reborn_after_absence,
    "reborn with more, at once": reborn_at_once,
    "new label sets": new_label_sets,
    "rolling deploys": rolling_deploys,
    "rolling deploys, starts unknown": rolling_deploys_untold,
    "scrape gaps": scrape_gaps,
    "new target with old counters": new_target,
    "Prometheus down": prometheus_down,
    "target renamed": renamed,
    "two replicas": two_replicas,
    "two replicas, restarts at random": replicas_at_random,
    "two regions with the same names": two_regions,
    "pushed, without up": pushed,
}


def told(name: str, rate: float, hours: float, seed: int = SEED) -> tuple[Story, list[Line]]:
    """A scenario's story with its truth, and its series."""
    story = Story(name, rate, hours, np.random.default_rng(seed), seed)
    SCENARIOS[name](story)
    return story, [line for line in _lines(story) if line.at]


def openmetrics(lines: Sequence[Line]) -> str:
    """What `promtool tsdb create-blocks-from openmetrics` takes."""
    parts: list[str] = []
    for metric in sorted({line.metric for line in lines}):
        kind = "counter" if metric == METRIC else "gauge"
        parts.append(f"# TYPE {metric.removesuffix('_total')} {kind}")
        for line in (line for line in lines if line.metric == metric):
            name = f"{metric}{{{','.join(f'{key}="{value}"' for key, value in line.labels)}}}"
            epoch = EPOCH.timestamp()
            parts += [f"{name} {v:.12g} {epoch + at:.3f}" for at, v in zip(line.at, line.value, strict=True)]
    return "\n".join([*parts, "# EOF", ""])


# -- Scraping ---------------------------------------------------------------------------------------------------------
def _lines(story: Story) -> Iterator[Line]:
    instances = dict.fromkeys((life.instance, life.region) for life in story.lives)
    for number, (instance, region) in enumerate(instances):
        found = dict[tuple[str, Labels], Line]()
        _instance(story, instance, region, number * 4.7 + 0.25, found)
        yield from found.values()


def _instance(story: Story, instance: str, region: str, offset: float, found: dict[tuple[str, Labels], Line]) -> None:
    lives = [life for life in story.lives if (life.instance, life.region) == (instance, region)]
    scrapes = {
        replica: _scrapes(story, lives, offset + later, away) for replica, (later, away) in story.replicas.items()
    }
    seen = np.unique(np.concatenate([*scrapes.values()]))
    seen = seen[~_within(seen, story.silent.get(instance, []))]
    for life in lives:
        at = seen[(seen >= life.start) & (seen <= life.end)]
        counters = _counters(story, life, at)
        _add_truth(story, life, counters)
        for replica, own in scrapes.items():
            mine = np.isin(at, own)
            _record(story, replica, life, at[mine], {key: v[mine] for key, v in counters.items()}, found)
    for replica, own in scrapes.items() if story.scraped else ():
        line = _line(found, "up", _labels(story, lives[0], replica))
        answered = np.isin(own, seen) & np.any([(own >= life.start) & (own <= life.end) for life in lives], axis=0)
        line.at, line.value = own.tolist(), answered.astype(float).tolist()


def _scrapes(story: Story, lives: Sequence[Life], offset: float, away: Sequence[Span]) -> NDArray[np.float64]:
    """When an instance is scraped: while it is known, and the scraper is there."""
    at = np.arange(offset, story.end, EVERY)
    at = at[(at >= lives[0].start) & (at <= lives[-1].end)]
    return np.asarray(at[~_within(at, [*story.dark, *away])])


def _counters(story: Story, life: Life, at: NDArray[np.float64]) -> Counters:
    """The counters of a process at these instants."""
    counters: Counters = {}
    for route in range(story.routes):
        # The n-th route opens after n / routes of the story; routes share the traffic evenly.
        opens = max(life.start + life.quiet, story.end * route / story.routes)
        for code, share in CODES:
            rate = story.rate / len(INSTANCES) / story.routes * share
            edges = np.concatenate(([opens], np.maximum(at, opens)))
            counted = story.random.poisson(rate * np.diff(edges)).cumsum()
            before = round(life.carried * share)
            counters[(str(route), code)] = (
                before + counted + round(life.leap * share + 1) * (at >= opens) * bool(life.leap)
            )
    return counters


def _add_truth(story: Story, life: Life, counters: Counters) -> None:
    # Without `up`, a target is there from its first series on; otherwise from the first scrape that finds it.
    there = np.any([values > 0 for values in counters.values()], axis=0)
    begin = int(np.argmax(there)) if not story.scraped and there.any() else 0
    for (_, code), values in counters.items():
        if len(values):
            known = int(values[-1] - (0 if life.told else values[begin]))
            story.total += known
            story.bad += known if code == FAILED else 0


def _record(
    story: Story,
    replica: str,
    life: Life,
    at: NDArray[np.float64],
    counters: Counters,
    found: dict[tuple[str, Labels], Line],
) -> None:
    own = _labels(story, life, replica)
    for (route, code), values in counters.items():
        there = values > 0
        line = _line(found, METRIC, (*own, ("code", code), *((("route", route),) if story.routes > 1 else ())))
        line.at += at[there].tolist()
        line.value += values[there].astype(float).tolist()
    if story.started and story.scraped:
        line = _line(found, "process_start_time_seconds", own)
        began = EPOCH.timestamp() + (life.start if life.carried == 0 else 0)
        line.at += at.tolist()
        line.value += [began] * len(at)


def _labels(story: Story, life: Life, replica: str) -> Labels:
    named = (("job", story.service), ("instance", life.instance), ("region", life.region), ("replica", replica))
    return tuple(pair for pair in named if pair[1])


def _line(found: dict[tuple[str, Labels], Line], metric: str, labels: Labels) -> Line:
    return found.setdefault((metric, labels), Line(metric, labels))


def _within(at: NDArray[np.float64], spans: Sequence[Span]) -> NDArray[np.bool_]:
    return np.any([(at >= start) & (at < end) for start, end in spans] or [np.zeros(len(at), bool)], axis=0)


def _lengths() -> Iterator[float]:
    """How long gaps last, again and again: seconds."""
    while True:
        yield from (45, 180, 420, 900, 75)
