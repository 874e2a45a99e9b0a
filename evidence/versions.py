"""Changes that nobody announced: new versions in traces and metrics, and what Kubernetes says of its deployments."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from connectors.telemetry import from_ns, to_ns
from evidence.case import Change, Inquiry
from evidence.rollout import TOLERANCE_NS, same_version
from evidence.series import Series, SeriesTable, first_label


@dataclass(frozen=True)
class VersionSeen:
    """A version in traces: since when, and its share (0…1) of the service's requests then, now, and of the bad ones."""

    first_ns: int
    baseline_share: float
    incident_share: float
    bad_share: float | None = None


# A version that has this share of the baseline's requests was there before.
_ESTABLISHED = 0.5
# Two records of one change may be this far apart: the announcement, and the first pod that reports the version.
_SAME_WITHIN_NS = 30 * 60 * 1_000_000_000
# Metrics whose labels name a version: Prometheus clients' practice, OpenTelemetry's target_info, kube-state-metrics.
_INFO = re.compile(r"(_build_info|^target_info|_version_info|^kube_pod_container_info)$")
_DEPLOYMENT_LABELS = ("deployment", "k8s_deployment_name", "statefulset", "daemonset")
# Counts every edit of a deployment's specification (kube-state-metrics, deployment metrics).
_GENERATION = re.compile(r"^kube_(deployment|statefulset|daemonset)_status_observed_generation$")


def known_changes(
    inquiry: Inquiry, table: SeriesTable, versions: Mapping[str, Mapping[str, VersionSeen]]
) -> list[Change]:
    """The announced changes, then those that only the telemetry tells of; each once, by time.

    Stages of one roll-out are one change: it came when the first of them did.
    """
    known: list[Change] = []
    for change in sorted([*inquiry.changes, *_in_traces(versions), *_in_metrics(table)], key=lambda one: one.at):
        if not any(_same(change, other) for other in known):
            known.append(change)
    return [_announced(change, inquiry.changes) for change in known]


def _announced(change: Change, announced: Iterable[Change]) -> Change:
    """With the announcement's words, though the telemetry may have seen it first."""
    if change.id or change.title:
        return change
    return next((other for other in announced if _same(other, change)), change)


def _same(change: Change, other: Change) -> bool:
    if change.service != other.service:
        return False
    if change.version and other.version:
        return same_version(change.version, other.version)
    near = abs(to_ns(change.at) - to_ns(other.at)) < _SAME_WITHIN_NS
    return near and not (change.version == other.version and change.title != other.title)


def seen_version(versions: Mapping[str, Mapping[str, VersionSeen]], service: str, version: str) -> VersionSeen | None:
    """What traces tell of a version, however it is written there."""
    for name, seen in versions.get(service, {}).items():
        if version and same_version(name, version):
            return seen
    return None


def _in_traces(versions: Mapping[str, Mapping[str, VersionSeen]]) -> Iterable[Change]:
    """Versions that came while another one was there; the one that they replace is no change."""
    for service, by_version in versions.items():
        began = min((seen.first_ns for seen in by_version.values()), default=0)
        for version, seen in by_version.items():
            if seen.baseline_share < _ESTABLISHED and seen.first_ns > began + TOLERANCE_NS:
                yield Change(from_ns(seen.first_ns), "version", service, version)


def _in_metrics(table: SeriesTable) -> Iterable[Change]:
    by_service: dict[str, list[Series]] = defaultdict(list)
    for series in table:
        if not len(series):
            continue
        if _GENERATION.search(series.name):
            yield from _edits(series)
        elif series.version and (_INFO.search(series.name) or series.pod):
            by_service[_deployed(series)].append(series)
    for service, reporting in by_service.items():
        if service:
            yield from _new_versions(service, reporting)


def _deployed(series: Series) -> str:
    """Kubernetes' own metrics name the exporter as their service, and what they tell about by other labels."""
    if series.name.startswith("kube_"):
        return first_label(series.labels, (*_DEPLOYMENT_LABELS, "container"))
    return series.destination or series.service


def _new_versions(service: str, reporting: Sequence[Series]) -> Iterable[Change]:
    """Versions that were first seen after others were."""
    firsts: dict[str, int] = {}
    for series in reporting:
        version = series.version
        firsts[version] = min(firsts.get(version, int(series.times[0])), int(series.times[0]))
    began = min(firsts.values())
    for version, first in firsts.items():
        if first > began + TOLERANCE_NS:
            yield Change(from_ns(first), "version", service, version.rsplit(":", 1)[-1])


def _edits(series: Series) -> Iterable[Change]:
    service = _deployed(series)
    rose = np.flatnonzero(np.diff(series.values) > 0) + 1
    if service:
        for place in rose:
            yield Change(from_ns(int(series.times[place])), "deployment", service)
