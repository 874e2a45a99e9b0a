"""Which span of a trace is its entry, where the request came in, and what that says of the trace as a whole."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any

from connectors.telemetry import Attributes, Span, TraceQuery, TraceSummary, to_ns

FLOW = "user.flow"
LONGEST_FLOW = 120


class Rank(IntEnum):
    """How sure it is that a span is the trace's entry, where the request came in. The highest wins, then the earliest.

    A root that takes no part in the flow is the load generator or the batch job around it, so the flow's own first
    server span stands above it.
    """

    OTHER = 1
    ROOT = 2
    SERVES_FLOW = 3
    ROOT_OF_FLOW = 4


def flow_of(span: Span) -> str:
    """The flow a span says it belongs to: attribute `user.flow`, on the span or on its resource."""
    value = span.attributes.get(FLOW) or span.resource.get(FLOW) or ""
    return str(value)[:LONGEST_FLOW]


def rank_of(span: Span) -> Rank:
    serves = span.kind in ("server", "consumer")
    if not span.parent_id:
        return Rank.ROOT_OF_FLOW if serves or flow_of(span) else Rank.ROOT
    return Rank.SERVES_FLOW if serves and flow_of(span) else Rank.OTHER


def order(span: Span) -> tuple[int, int, str]:
    """Sorts the entry span first."""
    return -rank_of(span), span.start_ns, span.span_id


def summary_of(spans: Sequence[Span]) -> TraceSummary:
    """One trace as a whole, of which at least one span is known."""
    ordered = sorted(spans, key=order)
    entry = ordered[0]
    known = rank_of(entry) > Rank.OTHER
    start, end = min(span.start_ns for span in spans), max(span.end_ns for span in spans)
    return TraceSummary(
        trace_id=entry.trace_id,
        flow=next(filter(None, map(flow_of, ordered)), ""),
        service=entry.service,
        name=entry.name,
        start_ns=start,
        duration_ns=entry.duration_ns if known else end - start,
        error=entry.status == "error" if known else any(span.status == "error" for span in spans),
        span_count=len(spans),
    )


def by_trace(spans: Iterable[Span]) -> dict[str, list[Span]]:
    traces: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        traces[span.trace_id].append(span)
    return traces


# -- What a search leaves to do, for stores that know spans but not how a request went
def hits(query: TraceQuery, traces: Iterable[Sequence[Span]]) -> list[TraceSummary]:
    """Those of whole `traces` that the query asks for, in its order."""
    found = {summary.trace_id: summary for spans in traces if (summary := _hit(query, spans))}
    return ordered(query, found.values())


def _hit(query: TraceQuery, spans: Sequence[Span]) -> TraceSummary | None:
    if not spans or not any(describes(query, span) for span in spans):
        return None
    summary = summary_of(spans)
    if query.flow and summary.flow != query.flow and all(flow_of(span) != query.flow for span in spans):
        return None
    return summary if fits(query, summary) else None


def ordered(query: TraceQuery, found: Iterable[TraceSummary]) -> list[TraceSummary]:
    if query.slowest_first:
        return sorted(found, key=lambda hit: (-hit.duration_ns, hit.trace_id))[: query.limit]
    return sorted(found, key=lambda hit: (-hit.start_ns, hit.trace_id))[: query.limit]


def fits(query: TraceQuery, summary: TraceSummary) -> bool:
    """Whether time, outcome and duration are what the query asks for."""
    seconds = summary.duration_ns / 1e9
    return (
        (query.error is None or summary.error == query.error)
        and (query.since is None or summary.start_ns >= to_ns(query.since))
        and (query.until is None or summary.start_ns <= to_ns(query.until))
        and (query.min_duration is None or seconds >= query.min_duration.total_seconds())
        and (query.max_duration is None or seconds <= query.max_duration.total_seconds())
    )


def describes(query: TraceQuery, span: Span) -> bool:
    """Whether service, operation and attributes of the query are this span's."""
    return (
        query.service in ("", span.service)
        and query.operation in ("", span.name)
        and carries(query.attributes, span.attributes, span.resource)
    )


def carries(wanted: Attributes, *said: Mapping[str, Any]) -> bool:
    """Whether one of the mappings has each wanted value; compared as texts, as which many stores keep them.

    Some stores write a name's dots as underscores.
    """
    return all(
        any(text(one[name]) == text(value) for one in said for name in (key, key.replace(".", "_")) if name in one)
        for key, value in wanted.items()
    )


def text(value: Any) -> str:
    """An attribute's value as stores write it that know only texts."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)
