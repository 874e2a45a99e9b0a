"""Decides which traces stay, and keeps the embedded store within its bounds of age and size.

Every trace is stored first and judged once it has settled, because whether it failed or was slow is known only when
its last span is there. All failed and slow ones stay, and a sample of the others to compare them with.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Coalesce

from connectors.telemetry import to_ns
from telemetry.models import StoredLog, StoredSpan, StoredTrace
from telemetry.router import database

# Traces and lines in one transaction: few, so that senders never wait long.
BATCH, LINES = 500, 5000
# From here on, a line of an ordinary trace stays, and an error line keeps its trace.
WARN, ERROR = 13, 17
# 56 bits.
_RANDOM_DIGITS, _RANDOM_VALUES = 14, 16**14


def sampled(trace_id: str, share: float) -> bool:
    """Whether a trace belongs to the sample of normal ones. The same everywhere and every time it is asked.

    By OpenTelemetry's rule for consistent probability sampling: the last 56 bits of the id are random, and the
    highest ones stay, so that what a sender sampled by the same rule is not thinned in another pattern.
    """
    return int(trace_id[-_RANDOM_DIGITS:], 16) >= round((1 - share) * _RANDOM_VALUES)


def settle(now: datetime) -> tuple[int, int]:
    """Judge every trace that has heard nothing for TRACE_SETTLE; answers how many stay and how many are dropped."""
    stay = dropped = 0
    while batch := _judge_batch(now - settings.TRACE_SETTLE):
        stay, dropped = stay + batch[0], dropped + batch[1]
    return stay, dropped


def _judge_batch(before: datetime) -> tuple[int, int] | None:
    """One transaction's worth of `settle`; None when nothing is left to judge."""
    with transaction.atomic(using=database()):
        # Skips what a sender or another worker is busy with; SQLite has one writer at a time anyway.
        waiting = StoredTrace.objects.select_for_update(skip_locked=True).filter(kept=None, received_at__lte=before)
        rows = list(waiting.order_by("received_at").values_list("trace_id", "failed", "slowest_ns")[:BATCH])
        if not rows:
            return None
        slow = settings.SLOW_TRACE // timedelta(microseconds=1) * 1000
        ids = {trace_id for trace_id, _, _ in rows}
        good = {trace_id for trace_id, failed, slowest in rows if failed or slowest >= slow}
        good |= {trace_id for trace_id in ids if sampled(trace_id, settings.TRACE_SAMPLE)}
        good |= _with_error_lines(ids - good)
        StoredTrace.objects.filter(trace_id__in=good).update(kept=True)
        _drop(sorted(ids - good))
        return len(good), len(ids - good)


def _with_error_lines(trace_ids: set[str]) -> set[str]:
    # Saying that the id is not empty lets the database use its partial index on trace ids.
    lines = StoredLog.objects.filter(trace_id__in=trace_ids, severity__gte=ERROR).exclude(trace_id="")
    return set(lines.values_list("trace_id", flat=True))


def _drop(trace_ids: Sequence[str]) -> None:
    """Warnings stay without their trace: the log list is where people look for them."""
    StoredSpan.objects.filter(trace_id__in=trace_ids).delete()
    StoredLog.objects.filter(trace_id__in=trace_ids, severity__lt=WARN).exclude(trace_id="").delete()
    StoredTrace.objects.filter(trace_id__in=trace_ids).delete()


def expire(now: datetime) -> int:
    """Delete what is older than TELEMETRY_MAX_AGE; answers how many traces and log lines that were."""
    cutoff = to_ns(now - settings.TELEMETRY_MAX_AGE)
    deleted = 0
    while traces := _oldest_traces(BATCH, before=cutoff):
        _delete_traces(traces)
        deleted += len(traces)
    while lines := _oldest_lines(LINES, before=cutoff):
        deleted += _delete_lines(lines)
    return deleted


def shrink() -> int:
    """Delete the oldest until at most TELEMETRY_MAX_ROWS are left; answers how many spans and lines that were.

    Spans and lines give way in proportion to their number, so that a flood of one does not drive out the other.
    """
    spans = StoredTrace.objects.aggregate(spans=Coalesce(Sum("span_count"), 0))["spans"]
    lines = StoredLog.objects.count()
    excess = spans + lines - settings.TELEMETRY_MAX_ROWS
    if excess <= 0:
        return 0
    from_lines = min(lines, -(-excess * lines // (spans + lines)))
    return _delete_spans(excess - from_lines) + _delete_oldest_lines(from_lines)


def _delete_spans(count: int) -> int:
    """Delete whole traces, the oldest first, until at least `count` spans are gone."""
    deleted = 0
    while deleted < count and (batch := _oldest_traces(BATCH)):
        doomed = []
        for trace_id, spans in batch.items():
            if deleted >= count:
                break
            doomed.append(trace_id)
            deleted += spans
        _delete_traces(doomed)
    return deleted


def _delete_oldest_lines(count: int) -> int:
    deleted = 0
    while deleted < count and (batch := _oldest_lines(min(LINES, count - deleted))):
        deleted += _delete_lines(batch)
    return deleted


def _oldest_traces(count: int, before: int | None = None) -> dict[str, int]:
    """Trace ids with their number of spans, the oldest first."""
    rows = StoredTrace.objects.order_by("start_ns")
    if before is not None:
        rows = rows.filter(start_ns__lt=before)
    return dict(rows.values_list("trace_id", "span_count")[:count])


def _delete_traces(trace_ids: Iterable[str]) -> None:
    """Without their log lines, which have an age of their own."""
    ordered = sorted(trace_ids)
    with transaction.atomic(using=database()):
        # Locked in the order in which senders lock them, so that neither waits for the other in a circle.
        list(StoredTrace.objects.select_for_update().filter(trace_id__in=ordered).order_by("trace_id").values("pk"))
        StoredSpan.objects.filter(trace_id__in=ordered).delete()
        StoredTrace.objects.filter(trace_id__in=ordered).delete()


def _oldest_lines(count: int, before: int | None = None) -> list[int]:
    rows = StoredLog.objects.order_by("at_ns")
    if before is not None:
        rows = rows.filter(at_ns__lt=before)
    return list(rows.values_list("pk", flat=True)[:count])


def _delete_lines(keys: Sequence[int]) -> int:
    return StoredLog.objects.filter(pk__in=keys).delete()[0]
