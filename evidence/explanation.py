"""Runs the investigators over what is known of an incident, and makes one explanation of what they found.

Each can fail alone: what it could not do is said, and the others' findings stand.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from evidence import (
    beginning,
    changes,
    culprits,
    dependencies,
    logs,
    metric_onset,
    requests,
    saturation,
    segments,
    service_metrics,
    story,
    time_spent,
)
from evidence.case import Inquiry
from evidence.count_table import CountTable
from evidence.findings import Finding, NotInvestigated, Report, Suspicion
from evidence.log_table import LogTable
from evidence.series import SeriesTable
from evidence.span_table import SpanTable
from evidence.story import Clause

log = logging.getLogger(__name__)

# How likely it is that something is wrong though neither counts nor traces nor metrics show since when.
NOT_BEGUN = 0.2


@dataclass(frozen=True, slots=True)
class Material:
    """What is known of an incident; `None` is what nobody recorded. (caller, callee) pairs are the `topology`."""

    spans: SpanTable | None = None
    logs: LogTable | None = None
    series: SeriesTable | None = None
    counts: CountTable | None = None
    topology: tuple[tuple[str, str], ...] = ()
    # As the ledger tells it; looked for in the material without it.
    onset: datetime | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """An investigator that found nothing because it could not look, and why."""

    investigator: str
    reason: str


@dataclass(frozen=True, slots=True)
class Explained:
    """What is known so far. Findings of a question stand best first; culprits too, of all kinds."""

    onset: datetime | None = None
    clauses: tuple[Clause, ...] = ()
    findings: tuple[Finding, ...] = ()
    culprits: tuple[Suspicion, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def headline(self) -> str:
        return " ".join(clause.text for clause in self.clauses)

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(one.key for one in self.findings if not one.fine)

    def as_json(self) -> dict[str, Any]:
        """Plain data, as `manage.py explain --json` prints it and an incident keeps it."""
        return {
            "headline": self.headline,
            "onset": self.onset.isoformat() if self.onset else None,
            "clauses": [asdict(one) for one in self.clauses],
            "findings": [asdict(one) | {"key": one.key} for one in self.findings],
            "culprits": [asdict(one) for one in self.culprits],
            "skipped": [asdict(one) for one in self.skipped],
        }


@dataclass
class _Investigation:
    """What is known while investigators are at work, each told what the others found before it."""

    inquiry: Inquiry
    material: Material
    reports: dict[str, Report] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    onset: datetime | None = None
    # It may have begun as late as this.
    latest: datetime | None = None

    @cached_property
    def counts(self) -> CountTable:
        """Events by attribute: as they were counted, or as the traces show them. Raises `NotInvestigated`."""
        if self.material.counts:
            return self.material.counts
        return requests.of_spans(self.inquiry, self.spans)

    @property
    def spans(self) -> SpanTable:
        if not self.material.spans:
            raise NotInvestigated("No traces were recorded.")
        return self.material.spans

    @property
    def series(self) -> SeriesTable:
        if not self.material.series:
            raise NotInvestigated("No metrics were recorded.")
        return self.material.series

    @cached_property
    def topology(self) -> tuple[tuple[str, str], ...]:
        """Who calls whom: as it was told, or as the traces show it."""
        if self.material.topology or not self.material.spans:
            return self.material.topology
        return requests.calls(self.material.spans)

    @cached_property
    def services(self) -> tuple[str, ...]:
        """All that are known, those that most spans come from first."""
        spans = self.material.spans
        if not spans:
            return tuple(dict.fromkeys(name for call in self.topology for name in call))
        counts = np.bincount(spans.service, minlength=len(spans.services))
        return tuple(spans.services[code] for code in np.argsort(-counts, kind="stable").tolist())

    def run(self, name: str, investigate: Callable[["_Investigation"], Report]) -> None:
        try:
            self.reports[name] = investigate(self)
        except NotInvestigated as error:
            self.skipped.append(Skipped(name, str(error)))
        except Exception as error:  # one that fails must not cost what the others found
            log.exception("The investigator of %s failed.", name)
            self.skipped.append(Skipped(name, f"It failed ({type(error).__name__}), which is a fault of its own."))

    @property
    def explained(self) -> Explained:
        findings = tuple(one for report in self.reports.values() for one in report.findings)
        blamed = culprits.ranked(self.reports, self.services)
        told = story.story(self.inquiry, self.onset, findings, blamed)
        return Explained(self.onset, told, findings, blamed, tuple(self.skipped))


def explained(inquiry: Inquiry, material: Material) -> Iterator[Explained]:
    """What is known after each investigator's turn; the last one is the explanation."""
    work = _Investigation(inquiry, material)
    for name, investigate in INVESTIGATORS:
        work.run(name, investigate)
        yield work.explained


def explain(inquiry: Inquiry, material: Material) -> Explained:
    """The explanation when all have had their turn."""
    [*_, last] = explained(inquiry, material)
    return last


# -- What each of them is given
def _onset(work: _Investigation) -> Report:
    """As the ledger tells it, where there is one; else as counts, traces or metrics show it.

    Where nothing tells how requests fared, the incident's own start has to do, and no finding says so.
    """
    work.onset = work.material.onset
    if work.onset:
        return Report()
    if found := _risen(work):
        work.onset, work.latest = found.onset.at, found.onset.latest
        return beginning.report(found)
    if work.inquiry.bad.known and _counted(work):
        return Report()
    return _onset_of_metrics(work)


def _risen(work: _Investigation) -> beginning.Rise | None:
    """The clearest rise: of bad requests, or of what is unusual in traces where nobody knows which ones are bad."""
    found = [beginning.of_counts(work.inquiry, work.counts)] if _counted(work) else []
    if work.material.spans and not work.inquiry.bad.known:
        found.append(beginning.of_traces(work.inquiry, work.material.spans))
    return max((one for one in found if one), key=lambda one: one.onset.gain, default=None)


def _counted(work: _Investigation) -> bool:
    return bool(work.material.counts or (work.material.spans and work.inquiry.bad.known))


def _onset_of_metrics(work: _Investigation) -> Report:
    try:
        report = metric_onset.investigate(work.inquiry, work.series)
    except NotInvestigated:
        work.onset = None if _counted(work) or work.material.spans else work.inquiry.incident.start
        raise
    for finding in report.findings:
        work.onset = datetime.fromisoformat(str(finding.numbers["at"]))
    return report


def _segments(work: _Investigation) -> Report:
    return segments.investigate(work.inquiry, work.counts)


def _time_spent(work: _Investigation) -> Report:
    return time_spent.investigate(work.inquiry, work.spans)


def _dependencies(work: _Investigation) -> Report:
    return dependencies.investigate(work.inquiry, work.spans, work.material.logs)


def _logs(work: _Investigation) -> Report:
    if not work.material.logs:
        raise NotInvestigated("No log lines were recorded.")
    return logs.investigate(work.inquiry, work.material.logs, work.material.spans)


def _saturation(work: _Investigation) -> Report:
    return saturation.investigate(work.inquiry, work.series, work.topology)


def _metrics(work: _Investigation) -> Report:
    return service_metrics.investigate(work.inquiry, work.series, work.topology)


def _changes(work: _Investigation) -> Report:
    """Last, because a change is judged by whether it is near what the others blame.

    What they blame counts little where nothing rose: then nothing began that a change could have brought.
    """
    spans = work.material.spans
    began = 1.0 if work.onset else NOT_BEGUN
    blamed = {one.service: began * one.score for one in culprits.ranked(work.reports) if one.kind != "change"}
    return changes.investigate(
        work.inquiry,
        work.material.series,
        work.topology,
        requests.versions(work.inquiry, spans) if spans else None,
        blamed or None,
        work.onset,
        work.latest,
    )


INVESTIGATORS: tuple[tuple[str, Callable[[_Investigation], Report]], ...] = (
    ("onset", _onset),
    ("segments", _segments),
    ("spans", _time_spent),
    ("dependencies", _dependencies),
    ("logs", _logs),
    ("metrics", _metrics),
    ("saturation", _saturation),
    ("changes", _changes),
)
