"""Runs the investigators over what is known of an incident, and makes one explanation of what they found.

Each can fail alone: what it could not do is said, and the others' findings stand.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from connectors.telemetry import LogLine, Span
from evidence import requests, story
from evidence.case import Inquiry
from evidence.count_table import CountTable
from evidence.findings import Finding, NotInvestigated, Report, Suspicion
from evidence.log_table import LogTable
from evidence.log_table import from_lines as logs_of
from evidence.span_table import SpanTable
from evidence.span_table import from_spans as table_of
from evidence.story import Clause

log = logging.getLogger(__name__)


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
