"""What Prometheus computes in a round of N objectives: asked as Fireline asks it, and by rules as Sloth writes them.

    uv run python -m bench.cost [--objectives 100] [--series 10] [--days 4] [--rounds 2]

Feeds a private Prometheus a scrape every 30 s and reads its CPU seconds from /proc. Each set of objectives is measured
twice: by `slo.reading`, a slice of a minute each, and by 17 rules each (windows of 5 m, 30 m, 1 h, 2 h, 6 h, 1 d, 3 d
and 30 d) that Prometheus evaluates by itself. The targets are those of 1,000 objectives: `--objectives 1000` takes 15
minutes and 8 GB of memory.
"""

import argparse
import os
import re
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched

import numpy as np
import yaml

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("FIRELINE_SECRET_KEY", "bench")

import django

django.setup()

from alerts.schedule import TOGETHER  # noqa: E402
from bench import sloth_rules  # noqa: E402
from bench.remote_write import Writer  # noqa: E402
from connectors.prometheus import Prometheus  # noqa: E402
from slo import reading  # noqa: E402
from slo.chunks import Chunk  # noqa: E402
from slo.counting import Matcher, Sli  # noqa: E402
from slo.instants import floor  # noqa: E402
from tests.servers import PrometheusServer, prometheus_server, wait_until  # noqa: E402

SCRAPE, MINUTE, DAY = timedelta(seconds=30), timedelta(minutes=1), timedelta(days=1)
AHEAD = timedelta(minutes=9)
# Prometheus takes nothing that is an hour older than the newest.
STRETCH = timedelta(minutes=30)
CODES = ("200", "201", "404", "500", "503")
ALLOWED = 0.001
SHARED = "http_requests_total"

type Labels = dict[str, str]
type Expressions = tuple[str, str]


@dataclass(frozen=True)
class Objectives:
    """So many objectives, the metric of each, and how many times less Fireline should need for them."""

    name: str
    metrics: Sequence[str]
    target: int
    by_expression: bool = False

    def service(self, number: int) -> str:
        return f"service-{number}" if self.metrics[number] == SHARED else f"other-{number}"

    def expressions(self, number: int) -> Expressions:
        chosen = f'service="{self.service(number)}"'
        metric = self.metrics[number]
        return (
            f'sum(rate({metric}{{{chosen},code=~"5.."}}[{{{{window}}}}]))',
            f"sum(rate({metric}{{{chosen}}}[{{{{window}}}}]))",
        )

    def sli(self, number: int) -> Sli:
        if self.by_expression:
            bad, total = (one.replace("rate(", "increase(") for one in self.expressions(number))
            return Sli("events", bad_expression=bad, total_expression=total)
        service = Matcher("service", "=", self.service(number))
        return Sli("events", self.metrics[number], (service,), (Matcher("code", "=~", "5.."),))

    def slis(self) -> dict[int, Sli]:
        return {number: self.sli(number) for number in range(len(self.metrics))}

    def rules(self) -> str:
        return sloth_rules.rule_file({self.service(n): self.expressions(n) for n in range(len(self.metrics))}, ALLOWED)


def sets(count: int) -> list[Objectives]:
    own = [f"service_{number}_requests_total" for number in range(count)]
    return [
        Objectives("one metric, many services", [SHARED] * count, 50),
        Objectives("each a metric of its own", own, 10),
        Objectives("each a metric of its own, counted by expressions", own, 10, by_expression=True),
    ]


# -- What Prometheus knows
class Feed:
    """All series of the objectives, from so many days ago on; topped up as time goes, since loading takes minutes."""

    def __init__(self, url: str, kinds: Sequence[Objectives], options: argparse.Namespace) -> None:
        every = [(kind, number) for kind in kinds for number in range(options.objectives)]
        counters = [one for kind, number in every for one in _series(kind, number, options)]
        gauges = [one for kind, number in every for one in _signs(kind, number, options)]
        self._writer, self._random = Writer(url, [*counters, *gauges]), np.random.default_rng(7)
        self._rates = np.where([one["code"].startswith("5") for one in counters], 0.01, 10.0)[:, None]
        self._counted, self._still = np.zeros((len(counters), 1)), np.array([[_resting(one)] for one in gauges])
        self._at = floor(datetime.now(UTC), MINUTE) - options.days * DAY
        self.written = 0

    def top_up(self) -> None:
        """Write on until a little after now, so that rules have new samples while they are measured."""
        end = datetime.now(UTC) + AHEAD
        while self._at < end:
            length = min(STRETCH, end - self._at) // SCRAPE + 1
            times = self._at.timestamp() + SCRAPE.total_seconds() * np.arange(length)
            counts = self._counted + np.cumsum(self._random.poisson(self._rates, (len(self._rates), length)), axis=1)
            self._writer.stretch(times, np.vstack([counts, np.repeat(self._still, length, axis=1)]))
            self._counted, self._at = counts[:, -1:], self._at + length * SCRAPE
            self.written += length * len(self._still) + counts.size


def _series(kind: Objectives, number: int, options: argparse.Namespace) -> Iterator[Labels]:
    for target in _targets(kind, number, options):
        for code in CODES:
            yield {"__name__": kind.metrics[number], "code": code, **target}


def _signs(kind: Objectives, number: int, options: argparse.Namespace) -> Iterator[Labels]:
    """What each target says about itself, and what a rule recorded of the past."""
    for target in _targets(kind, number, options):
        yield {"__name__": "up", **target}
        yield {"__name__": "process_start_time_seconds", **target}
    service = kind.service(number)
    ids = {"sloth_id": service, "sloth_service": service, "sloth_slo": "availability"}
    yield {"__name__": f"{sloth_rules.RATIO}5m", **ids, "sloth_window": "5m"}


def _targets(kind: Objectives, number: int, options: argparse.Namespace) -> Iterator[Labels]:
    service = kind.service(number)
    for replica in range(max(1, options.series // len(CODES))):
        yield {"service": service, "job": service, "instance": f"{service}-{replica}:8080"}


def _resting(labels: Labels) -> float:
    return {"up": 1.0, "process_start_time_seconds": 1.7e9}.get(labels["__name__"], ALLOWED)


# -- What it computes
def cpu_of(server: PrometheusServer) -> float:
    """The CPU seconds that it has used."""
    with open(f"/proc/{server.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settle(server: PrometheusServer) -> None:
    """Until it has nothing left to compact."""
    wait_until(lambda: _idle(server) < 0.03, 300, "Prometheus to come to rest")


def _idle(server: PrometheusServer, seconds: float = 3) -> float:
    """CPU seconds a second while nobody asks."""
    before, began = cpu_of(server), time.monotonic()
    time.sleep(seconds)
    return (cpu_of(server) - before) / (time.monotonic() - began)


def by_fireline(server: PrometheusServer, kind: Objectives) -> tuple[float, float]:
    """CPU seconds of a round: Prometheus's and ours."""
    slis, now = list(kind.slis().items()), floor(datetime.now(UTC), MINUTE)
    ends = [now - n * MINUTE for n in range(5)]
    with Prometheus(server.url, allowed=["127.0.0.1"], timeout=timedelta(minutes=2)) as store:
        _round(store, slis, now - MINUTE)
        before, mine = cpu_of(server), time.process_time()
        for end in ends:
            _round(store, slis, end)
        return (cpu_of(server) - before) / len(ends), (time.process_time() - mine) / len(ends)


def _round(store: Prometheus, slis: Sequence[tuple[int, Sli]], end: datetime) -> None:
    for some in batched(slis, TOGETHER, strict=False):
        found = reading.read(store, dict(some), Chunk(end - MINUTE, MINUTE, 1))
        lost = [one for one in found.values() if isinstance(one, Exception) or one[()][0].total is None]
        if lost:
            raise RuntimeError(f"{len(lost)} objectives were not measured: {lost[0]}")


def by_rules(server: PrometheusServer, kind: Objectives, rounds: int) -> float:
    """Prometheus's CPU seconds for one evaluation of all rules."""
    rest = _idle(server)
    (server.directory / "rules.yml").write_text(kind.rules())
    _configure(server, ["rules.yml"])
    every = sloth_rules.RULES * len(kind.metrics)
    # The first evaluation of each also sets it up.
    wait_until(lambda: _evaluated(server) >= every, 1800, "the first round of rules")
    before, began, already = cpu_of(server), time.monotonic(), _evaluated(server)
    wait_until(lambda: _evaluated(server) >= already + rounds * every, 3600, "the rules")
    used = cpu_of(server) - before - rest * (time.monotonic() - began)
    done = (_evaluated(server) - already) / every
    _configure(server, [])
    return used / done


def _evaluated(server: PrometheusServer) -> float:
    """How many rules were evaluated so far. Seldom asked, so that asking costs nothing to speak of."""
    time.sleep(3)
    with urllib.request.urlopen(f"{server.url}/metrics", timeout=30) as answer:
        found = re.search(rb"^prometheus_rule_evaluation_duration_seconds_count (\S+)", answer.read(), re.MULTILINE)
    return float(found[1]) if found else 0.0


def _configure(server: PrometheusServer, rule_files: Sequence[str]) -> None:
    configuration = {"global": {"evaluation_interval": "30s"}, "rule_files": list(rule_files)}
    (server.directory / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    with urllib.request.urlopen(urllib.request.Request(f"{server.url}/-/reload", method="POST"), timeout=300) as answer:
        answer.read()


# -- The table
def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("objectives", 100), ("series", 10), ("days", 4), ("rounds", 2)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    kinds = sets(options.objectives)
    with prometheus_server(flags=["--web.enable-lifecycle"]) as server:
        began, feed = time.perf_counter(), Feed(server.url, kinds[:2], options)
        feed.top_up()
        print(f"fed {feed.written / 1e6:.0f} million samples in {time.perf_counter() - began:.0f} s", flush=True)
        settle(server)
        print(
            f"CPU seconds of Prometheus a round, {options.objectives:,} objectives of {options.series} series, ", end=""
        )
        print(f"{options.days} d of samples every 30 s\n\n| objectives | Fireline | rules | times less | target |")
        print("|---|---:|---:|---:|---:|", flush=True)
        rules = dict[str, float]()
        for kind in kinds:
            feed.top_up()
            theirs, own = by_fireline(server, kind)
            metric = kind.metrics[0]
            if metric not in rules:
                rules[metric] = by_rules(server, kind, options.rounds)
            print(
                f"| {kind.name} | {theirs:.3f} ({own:.2f} of our own) | {rules[metric]:.2f} "
                f"| {rules[metric] / max(theirs, 0.001):.0f} | {kind.target} |",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
