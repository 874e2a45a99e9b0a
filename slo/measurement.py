"""Measuring: asks an objective's store about the slices that are due, and appends the answer to its ledger."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings

from connectors.errors import Refused, StoreError, TimedOut, TooMuch
from slo import chunks, ledger
from slo.answers import Series, joined_lead, slices_of
from slo.chunks import Chunk
from slo.counting import Sli, promql
from slo.definitions import sli_of
from slo.models import Objective
from slo.slices import Measured
from telemetry import sources

# Bounds the work of one call, so that a long backfill does not keep a worker from live slices.
QUERIES = 4
# A query that was too much for the store is asked again for this part of it.
SMALLER = 4


class Store(Protocol):
    """What is asked: `connectors.prometheus.Prometheus`, say. Raises `connectors.errors.StoreError`."""

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]: ...


def advance(objective_id: int, now: datetime, store: Store | None = None) -> bool:
    """Measure what is due at `now`, in order, with a few queries; whether more is due.

    A slice is due `settings.SETTLE` after it ended. A new objective begins with the history of its whole window.
    When the store cannot answer, no slice is written: the objective says why in `last_error`, and the next call
    begins where this one stopped. No lock is held while the store is asked; of two workers one appends.
    """
    objective = Objective.objects.active().select_related("source").filter(pk=objective_id).first()
    if objective is None:
        return False
    try:
        if store is not None:
            return _advance(objective, now, store)
        with sources.client(objective.source) as client:
            return _advance(objective, now, client)
    except StoreError as error:
        # A store that refuses this question may answer all others: that is not the source's fault.
        if not isinstance(error, Refused | TooMuch):
            sources.record_error(objective.source, error, now)
        _record(objective, str(error), now)
    except ValueError as error:
        _record(objective, f"The objective cannot be counted: {error}", now)
    return False


def ask(store: Store, sli: Sli, chunk: Chunk) -> list[Measured]:
    """The slices of `chunk`, by one range query. Raises `StoreError`."""
    answer = store.range(promql(sli, chunk.length), chunk.first_end, chunk.end, chunk.length)
    return slices_of(sli, chunk, answer)


def _advance(objective: Objective, now: datetime, store: Store) -> bool:
    sli, most = sli_of(objective), chunks.MOST_POINTS
    for query in range(1, QUERIES + 1):
        chunk = _following(objective, now, most)
        if chunk is None:
            return False
        try:
            slices = ask(store, sli, chunk)
        except (TooMuch, TimedOut):
            if chunk.count == 1 or query == QUERIES:
                raise
            most = max(1, chunk.count // SMALLER)
            continue
        sources.record_answer(objective.source, now)
        if not _append(objective, slices):
            return False
    return _following(objective, now, most) is not None


def _following(objective: Objective, now: datetime, most: int) -> Chunk | None:
    measured_until = objective.measured_until or chunks.beginning(now, objective.window, settings.SLICE)
    return chunks.following(measured_until, now, settings.SLICE, settings.SETTLE, most)


def _append(objective: Objective, slices: list[Measured]) -> bool:
    if slices[0].total is None and not ledger.has_measured(objective):
        slices = joined_lead(slices)
    return ledger.append(objective, slices)


def _record(objective: Objective, error: str, now: datetime) -> None:
    # Not if somebody got further meanwhile: then it is no longer true.
    Objective.objects.filter(
        pk=objective.pk, measured_until=objective.measured_until, generation=objective.generation
    ).update(last_error=error, last_error_at=now)
