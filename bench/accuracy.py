"""How far counts are from the truth: Fireline's two ways, and rules written the usual way, on the same Prometheus.

    uv run python -m bench.accuracy [--hours 12] [--rates 0.02 0.2 2 20 200 1000]

Writes histories of known truth (`bench.histories`), imports them with promtool, and prints a row for each scenario: the
largest deviation over all rates, of all events and of the bad ones. A deviation is the share by which a count is off,
or nothing if it is off by one event at most. Of ratios it is the share by which the whole time's error ratio is off.
"""

import argparse
import math
import os
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bench.histories import EPOCH, METRIC, SCENARIOS, SEED, Line, Story, openmetrics, told
from connectors.prometheus import Prometheus
from slo import reading
from slo.answers import slices_of
from slo.chunks import Chunk
from slo.counting import Matcher, Sli, choices, promql
from slo.increments import tally
from slo.samples import Fetched, fetch, joined
from slo.slices import Measured
from slo.wording import NARROW
from tests.servers import PrometheusServer, prometheus_server

RATES = (0.02, 0.2, 2, 20, 200, 1000)
SLICE = timedelta(minutes=1)
# As history is read: as many slices at once as keep an answer small.
MOST_SLICES = 180
TOLERANCE = 0.005

type Sums = tuple[float, float]
type Way = Callable[[Prometheus, Story], Sums]


@dataclass(frozen=True)
class Row:
    """What one way of counting answers for one story: bad and all events."""

    story: Story
    way: str
    bad: float
    total: float

    @property
    def off(self) -> float:
        """The larger deviation of the two; negative when something is missing, positive when it is too much."""
        return max((_off(self.bad, self.story.bad), _off(self.total, self.story.total)), key=abs)

    @property
    def ratio_off(self) -> float:
        """By how much the error ratio is off."""
        truth = self.story.bad / self.story.total
        return (self.bad / self.total if self.total else math.nan) / truth - 1 if truth else 0.0


def sli_of(story: Story) -> Sli:
    return Sli("events", METRIC, (Matcher("job", "=", story.service),), (Matcher("code", "=~", "5.."),))


# -- Ways of counting -------------------------------------------------------------------------------------------------
def by_samples(store: Prometheus, story: Story) -> Sums:
    """Fireline, from raw samples, in pieces of different length that arrive in any order."""
    sli = sli_of(story)
    return sums(slice for chunk in _pieces(story) for slice in tally(sli, _fetched(store, sli, chunk))[()])


def _fetched(store: Prometheus, sli: Sli, chunk: Chunk) -> Fetched:
    return joined([fetch(store, choice.selector, chunk) for choice in choices(sli)])


def by_query(store: Prometheus, story: Story) -> Sums:
    """Fireline, by PromQL, as it counts histories that are too long for samples."""
    sli = sli_of(story)
    chunk = Chunk(EPOCH, SLICE, round(story.hours * 60))
    answer = store.range(promql(sli, SLICE), chunk.first_end, chunk.end, SLICE)
    return sums(slices_of(sli, chunk, answer))


def by_increase(window: timedelta) -> Way:
    """`increase()` over windows that follow each other."""

    def way(store: Prometheus, story: Story) -> Sums:
        s = f"{window // timedelta(seconds=1)}s"
        bad, total = (f"sum(increase({METRIC}{{job='{story.service}'{more}}}[{s}]))" for more in (",code=~'5..'", ""))
        return _added(store, bad, story, window), _added(store, total, story, window)

    return way


def by_ratios(store: Prometheus, story: Story) -> Sums:
    """The average of the error ratios of five minutes each; of one event, so that only its ratio means something."""
    five = timedelta(minutes=5)
    rates = (f"sum(rate({METRIC}{{job='{story.service}'{more}}}[5m]))" for more in (",code=~'5..'", ""))
    answer = store.range(" / ".join(rates), EPOCH + five, _end(story), five)
    # As avg_over_time sees it: NaN is what 0 / 0 gives, and it makes the average NaN. Series leave it out here.
    values = [value for series in answer for _, value in series.points]
    quiet = store.range(f"sum(rate({METRIC}{{job='{story.service}'}}[5m])) == 0", EPOCH + five, _end(story), five)
    return (math.nan if quiet or not values else sum(values) / len(values)), 1


WAYS: dict[str, Way] = {
    "Fireline, samples": by_samples,
    "Fireline, PromQL": by_query,
    "increase[5m]": by_increase(timedelta(minutes=5)),
    "increase[1h]": by_increase(timedelta(hours=1)),
    "5 min ratios averaged": by_ratios,
}


SAMPLES, LIVE = "Fireline, samples", "Fireline, live"
COLUMNS = (LIVE, *WAYS)


def live(store: Prometheus, stories: Sequence[Story], slice: timedelta = SLICE, at_once: int = 1) -> list[Row]:
    """Fireline as it measures: all that is due in one read, `at_once` slices after the others."""
    slis = {one.service: sli_of(one) for one in stories}
    added = dict.fromkeys(slis, (0.0, 0.0))
    for number in range(round(max(one.hours for one in stories) * timedelta(hours=1) / slice / at_once)):
        chunk = Chunk(EPOCH + number * at_once * slice, slice, at_once)
        for name, answer in reading.read(store, slis, chunk).items():
            if isinstance(answer, Exception):
                raise answer
            bad, total = sums(answer[()])
            added[name] = added[name][0] + bad, added[name][1] + total
    return [Row(one, LIVE, *added[one.service]) for one in stories]


def rows(store: Prometheus, story: Story, ways: Sequence[str]) -> Iterator[Row]:
    for way in ways:
        yield Row(story, way, *WAYS[way](store, story))


def stories(
    names: Sequence[str], rates: Sequence[float], hours: float, seeds: Sequence[int] = (SEED,)
) -> tuple[list[Story], list[Line]]:
    found = [told(name, rate, hours, seed) for name in names for rate in rates for seed in seeds]
    return [story for story, _ in found], [line for _, lines in found for line in lines]


def serving(server: PrometheusServer) -> Prometheus:
    return Prometheus(server.url, allowed=["127.0.0.1"], timeout=timedelta(minutes=2))


# -- The table --------------------------------------------------------------------------------------------------------
def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    os.environ.setdefault("FIRELINE_SECRET_KEY", "bench")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=12)
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    parser.add_argument("--only", nargs="+", default=list(SCENARIOS), help="scenarios")
    options = parser.parse_args()
    print(
        f"{options.hours:g} h of scrapes every 30 s, 3 processes, 5 % errors; the worst of "
        f"{', '.join(f'{rate:g}' for rate in options.rates)} events/s\n"
    )
    print(f"| scenario | {' | '.join(COLUMNS)} |\n|---|{'---:|' * len(COLUMNS)}")
    failed = [name for name in options.only if not _print(name, options.rates, options.hours)]
    if failed:
        print(f"\nOff by more than {TOLERANCE:.1%} and one event, counted from samples: {', '.join(failed)}")
    return bool(failed)


def _print(name: str, rates: Sequence[float], hours: float) -> bool:
    """One scenario's row; whether counting from samples is within the tolerance at every rate."""
    told_stories, lines = stories([name], rates, hours)
    with prometheus_server(openmetrics=openmetrics(lines)) as server, serving(server) as store:
        found = [row for story in told_stories for row in rows(store, story, list(WAYS))]
        found += live(store, told_stories)
    cells = [_cell([row for row in found if row.way == way]) for way in COLUMNS]
    print(f"| {name} | {' | '.join(cells)} |", flush=True)
    return all(exact(row) for row in found if row.way in (SAMPLES, LIVE))


def exact(row: Row) -> bool:
    """Within the tolerance, and never more than happened."""
    return -TOLERANCE <= row.off <= 0


def _cell(found: Sequence[Row]) -> str:
    offs = [row.ratio_off if row.way.endswith("averaged") else row.off for row in found]
    if any(map(math.isnan, offs)):
        return "NaN"
    worst = max(offs, key=abs)
    return f"{worst * 100:+.2f}{NARROW}%".replace("-", "−") if worst else "exact"


def _off(counted: float, truth: float) -> float:
    if truth - 1 <= counted <= truth + 1e-6:
        return 0.0
    return counted / truth - 1 if truth else math.inf


def _pieces(story: Story) -> list[Chunk]:
    picked, at, end = random.Random(story.service), EPOCH, _end(story)
    found = list[Chunk]()
    while at < end:
        count = min(picked.choice((1, 3, 60, MOST_SLICES)), (end - at) // SLICE)
        found.append(Chunk(at, SLICE, count))
        at += count * SLICE
    picked.shuffle(found)
    return found


def sums(slices: Iterable[Measured]) -> Sums:
    """The bad and all events of the slices that were measured."""
    bad = total = 0.0
    for one in slices:
        bad, total = bad + (one.bad or 0), total + (one.total or 0)
    return bad, total


def _added(store: Prometheus, query: str, story: Story, step: timedelta) -> float:
    answer = store.range(query, EPOCH + step, _end(story), step)
    return sum(value for series in answer for _, value in series.points)


def _end(story: Story) -> datetime:
    return EPOCH + timedelta(hours=story.hours)


if __name__ == "__main__":
    sys.exit(main())
