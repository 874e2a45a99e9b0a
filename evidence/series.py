"""Metric series with timestamps: read from OpenMetrics text, picked by name, labels and window.

The text may have millions of lines, be cut off, or come from an exporter that keeps to no standard, so a line that
cannot be read is counted and left out.
"""

import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from connectors.telemetry import NANOSECONDS
from evidence.case import Interval, Times, within

type Values = NDArray[np.float64]

# Which label says it, best first: OpenMetrics and OpenTelemetry, Kubernetes, service meshes and service graphs.
SERVICE_LABELS = ("service", "service_name", "service.name", "app", "app_kubernetes_io_name", "job")
POD_LABELS = ("pod", "k8s_pod_name", "k8s.pod.name", "pod_name", "destination_pod")
INSTANCE_LABELS = ("instance", "service_instance_id", "service.instance.id", *POD_LABELS, "host", "node")
SOURCE_LABELS = ("source", "source_workload", "source_service", "client")
DESTINATION_LABELS = (
    "destination",
    "destination_service_name",
    "destination_workload",
    "destination_service",
    "server",
)
VERSION_LABELS = (
    "service_version",
    "service.version",
    "version",
    "image_tag",
    "tag",
    "image",
    "revision",
    "git_commit",
)

# The parts of OpenMetrics types that only ever grow, and the suffixes that say so where no type is declared.
_CUMULATIVE = {
    "counter": ("_total", ""),
    "histogram": ("_bucket", "_count", "_sum"),
    "summary": ("_count", "_sum"),
}
_CUMULATIVE_SUFFIXES = ("_total", "_bucket", "_count", "_sum")
# A counter falls only when it starts anew, which no system does at every twentieth sample.
_MOST_RESTARTS = 0.05
# Seconds since 1970 reach this in the year 5138; what is above are milliseconds, as Prometheus's own format has them.
_MILLISECONDS_FROM = 1e11


@dataclass(frozen=True)
class Series:
    """One metric of one thing: `times` in Unix nanoseconds, ascending, and as many `values`, none of them NaN."""

    name: str
    labels: Mapping[str, str]
    times: Times
    values: Values
    # As declared by `# TYPE`; "unknown" when it was not.
    type: str = "unknown"

    def __len__(self) -> int:
        return len(self.times)

    @cached_property
    def service(self) -> str:
        return first_label(self.labels, SERVICE_LABELS)

    @cached_property
    def pod(self) -> str:
        return first_label(self.labels, POD_LABELS)

    @cached_property
    def instance(self) -> str:
        return first_label(self.labels, INSTANCE_LABELS)

    @cached_property
    def source(self) -> str:
        return first_label(self.labels, SOURCE_LABELS)

    @cached_property
    def destination(self) -> str:
        return first_label(self.labels, DESTINATION_LABELS)

    @cached_property
    def version(self) -> str:
        return first_label(self.labels, VERSION_LABELS)

    @cached_property
    def selector(self) -> str:
        """As it is written in PromQL."""
        inside = ",".join(f'{name}="{value}"' for name, value in self.labels.items())
        return f"{self.name}{{{inside}}}"

    @cached_property
    def cumulative(self) -> bool:
        """Whether it counts from its start on, so that only its increase means anything.

        Trusts the declared type, except where the name says counter and the values never fall: some exporters
        declare everything a gauge.
        """
        suffixes = _CUMULATIVE.get(self.type)
        if suffixes is not None:
            return self.name.endswith(suffixes)
        return self.name.endswith(_CUMULATIVE_SUFFIXES) and _only_grows(self.values)

    def during(self, intervals: Sequence[Interval]) -> Values:
        """The values in any of the intervals."""
        return self.values[within(intervals, self.times)]

    def as_rate(self) -> "Series":
        """If cumulative, the increase per second up to each sample, from 0 on after a restart; else itself."""
        if not self.cumulative:
            return self
        seconds = np.diff(self.times) / NANOSECONDS
        rises = np.diff(self.values)
        rises = np.where(rises < 0, self.values[1:], rises)
        return Series(self.name, self.labels, self.times[1:], rises / seconds, "gauge")


def first_label(labels: Mapping[str, str], names: Sequence[str]) -> str:
    """The value of the first of these labels that is set, or empty."""
    for name in names:
        if value := labels.get(name):
            return value
    return ""


def _only_grows(values: Values) -> bool:
    steps = np.diff(values)
    return len(steps) > 0 and bool(np.any(steps > 0)) and float(np.mean(steps < 0)) <= _MOST_RESTARTS


@dataclass(frozen=True)
class SeriesTable:
    """Many series, found quickly by name or service. `skipped` lines of the text could not be read."""

    series: tuple[Series, ...] = ()
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.series)

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[Series]]:
        return _grouped((one.name, one) for one in self.series)

    @cached_property
    def _by_service(self) -> Mapping[str, Sequence[Series]]:
        return _grouped((one.service, one) for one in self.series)

    @property
    def names(self) -> list[str]:
        return sorted(self._by_name)

    @property
    def services(self) -> list[str]:
        """Every service that a series is of, or that is the destination of an edge."""
        return sorted({name for one in self.series for name in (one.service, one.destination) if name})

    def named(self, name: str) -> Sequence[Series]:
        return self._by_name.get(name, ())

    def of_service(self, service: str) -> Sequence[Series]:
        return self._by_service.get(service, ())

    def select(self, name: str | None = None, service: str | None = None, **labels: str) -> list[Series]:
        """The series with all of these; each may be left out."""
        found = self.named(name) if name is not None else self.of_service(service) if service else self.series
        return [
            one
            for one in found
            if (service is None or one.service == service)
            and all(one.labels.get(label) == value for label, value in labels.items())
        ]


def _grouped(pairs: Iterable[tuple[str, Series]]) -> Mapping[str, Sequence[Series]]:
    groups: dict[str, list[Series]] = defaultdict(list)
    for key, one in pairs:
        groups[key].append(one)
    return groups


# OpenMetrics 1.0, section 5.1: a sample is `name{labels} value timestamp`, exemplars behind ` # `.
_LABEL = re.compile(r'\s*([^\s=,{}"]+)\s*=\s*"((?:[^"\\]|\\.)*)"\s*,?')
_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"n": "\n"}


@dataclass
class _Text:
    """What was read so far: the instants and values of each series under the text that names it."""

    types: dict[str, str] = field(default_factory=dict)
    samples: dict[str, tuple[array[float], array[float]]] = field(default_factory=dict)
    skipped: int = 0

    def of_series(self, head: str) -> tuple[array[float], array[float]]:
        return self.samples.setdefault(head, (array("d"), array("d")))

    def comment(self, line: str) -> None:
        words = line.split()
        if len(words) >= 4 and words[1] == "TYPE":
            self.types[words[2]] = words[3]


def read_openmetrics(lines: Iterable[str]) -> SeriesTable:
    """Reads OpenMetrics text in which every sample has its timestamp; others and NaN are left out.

    Streams: it holds 16 bytes a sample. The samples of a series may be in any order; of those at the same instant
    the last counts.
    """
    text = _Text()
    known, (moments, numbers) = "", text.of_series("")
    for line in lines:
        if line.startswith("#"):
            text.comment(line)
            continue
        try:
            head, value, second = (line.split(" # ", 1)[0] if " # {" in line else line).rsplit(None, 2)
            number, moment = float(value), float(second)
        except ValueError:
            text.skipped += not line.isspace() and line != ""
            continue
        # Samples mostly follow others of their series.
        if head != known:
            known, (moments, numbers) = head, text.of_series(head)
        if number == number and moment == moment:
            moments.append(moment)
            numbers.append(number)
    return _table(text)


def _table(text: _Text) -> SeriesTable:
    series = []
    skipped = text.skipped
    for head, (moments, numbers) in text.samples.items():
        if not moments:
            continue
        named = _name_and_labels(head)
        if named is None:
            skipped += len(moments)
            continue
        times, values = _in_order(np.frombuffer(moments), np.frombuffer(numbers))
        series.append(Series(*named, times, values, _type_of(named[0], text.types)))
    return SeriesTable(tuple(series), skipped)


def _name_and_labels(head: str) -> tuple[str, dict[str, str]] | None:
    """`name{label="value"}` taken apart; None when it cannot be that."""
    name, brace, rest = head.partition("{")
    name = name.strip()
    if not brace:
        return (name, {}) if name and " " not in name and '"' not in name else None
    if not rest.endswith("}"):
        return None
    inside, labels, place = rest[:-1], {}, 0
    while place < len(inside) and inside[place:].strip():
        match = _LABEL.match(inside, place)
        if match is None:
            return None
        labels[match[1]] = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), match[2])
        place = match.end()
    # A metric may also be named by this label, as Prometheus does within.
    name = name or labels.pop("__name__", "")
    return (name, labels) if name else None


def _in_order(moments: Values, numbers: Values) -> tuple[Times, Values]:
    moments = np.where(moments > _MILLISECONDS_FROM, moments / 1000, moments)
    whole = np.floor(moments)
    # Apart, since a float cannot hold nanoseconds since 1970; to the microsecond, which is what it can.
    times = whole.astype(np.int64) * NANOSECONDS + np.round((moments - whole) * 1e6).astype(np.int64) * 1000
    if np.all(times[1:] > times[:-1]):
        return times, numbers
    order = np.argsort(times, kind="stable")
    times, numbers = times[order], numbers[order]
    last = np.append(times[1:] != times[:-1], True)
    return times[last], numbers[last]


def _type_of(name: str, types: Mapping[str, str]) -> str:
    if name in types:
        return types[name]
    for suffix in (*_CUMULATIVE_SUFFIXES, "_created", "_info"):
        if name.endswith(suffix) and (family := name.removesuffix(suffix)) in types:
            return types[family]
    return "unknown"
