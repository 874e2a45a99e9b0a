"""What a trace is as a whole, folded from whichever of its spans have arrived. Pure: the store merges the rows."""

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.entry import Rank, by_trace, flow_of, order, rank_of
from connectors.telemetry import Span


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of StoredTrace, as far as these spans can tell. The fields are explained there."""

    trace_id: str
    flow: str
    service: str
    name: str
    start_ns: int
    end_ns: int
    duration_ns: int
    error: bool
    failed: bool
    slowest_ns: int
    entry_rank: int
    entry_ns: int


def summarise(spans: Iterable[Span]) -> list[Summary]:
    """One summary for each trace among the spans, ordered by trace id."""
    traces = by_trace(spans)
    return [_summary(trace_id, traces[trace_id]) for trace_id in sorted(traces)]


def _summary(trace_id: str, spans: list[Span]) -> Summary:
    ordered = sorted(spans, key=order) if len(spans) > 1 else spans
    entry = ordered[0]
    rank = rank_of(entry)
    start, end = min(span.start_ns for span in spans), max(span.end_ns for span in spans)
    failed = any(span.status == "error" for span in spans)
    known = rank > Rank.OTHER
    return Summary(
        trace_id=trace_id,
        flow=next(filter(None, map(flow_of, ordered)), ""),
        service=entry.service,
        name=entry.name,
        start_ns=start,
        end_ns=end,
        duration_ns=entry.duration_ns if known else end - start,
        error=entry.status == "error" if known else failed,
        failed=failed,
        slowest_ns=max(span.duration_ns for span in spans),
        entry_rank=rank,
        entry_ns=entry.start_ns,
    )
