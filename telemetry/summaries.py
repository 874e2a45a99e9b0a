"""What a trace is as a whole, folded from whichever of its spans have arrived. Pure: the store merges the rows."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from connectors.telemetry import Span

FLOW = "user.flow"


class Rank(IntEnum):
    """How sure it is that a span is the trace's entry, where the request came in. The highest wins, then the earliest.

    A root that takes no part in the flow is the load generator or the batch job around it, so the flow's own first
    server span stands above it.
    """

    OTHER = 1
    ROOT = 2
    SERVES_FLOW = 3
    ROOT_OF_FLOW = 4


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


def flow_of(span: Span) -> str:
    """The flow a span says it belongs to: attribute `user.flow`, on the span or on its resource."""
    value = span.attributes.get(FLOW) or span.resource.get(FLOW) or ""
    return str(value)[:120]


def rank_of(span: Span) -> Rank:
    serves = span.kind in ("server", "consumer")
    if not span.parent_id:
        return Rank.ROOT_OF_FLOW if serves or flow_of(span) else Rank.ROOT
    return Rank.SERVES_FLOW if serves and flow_of(span) else Rank.OTHER


def summarise(spans: Iterable[Span]) -> list[Summary]:
    """One summary for each trace among the spans, ordered by trace id."""
    traces: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span)
    return [_summary(trace_id, traces[trace_id]) for trace_id in sorted(traces)]


def _entry_order(span: Span) -> tuple[int, int, str]:
    return -rank_of(span), span.start_ns, span.span_id


def _summary(trace_id: str, spans: list[Span]) -> Summary:
    ordered = sorted(spans, key=_entry_order) if len(spans) > 1 else spans
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
