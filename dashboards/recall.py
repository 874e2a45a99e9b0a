"""One request as it is remembered: by the stores while they know it, by an incident that kept it after that."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from alerts import frozen
from alerts.models import Example
from connectors.errors import StoreError
from connectors.telemetry import LogLine, Span, from_ns
from telemetry import stores
from telemetry.store import full_trace_id

# Lines of one request that a page shows.
MOST_LINES = 1000
# Lines may be written, or dated, before and after the spans that they belong to.
AROUND = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is known of a request, and what could not be asked."""

    trace_id: str
    spans: Sequence[Span]
    lines: Sequence[LogLine]
    # The incidents' rows that kept it, newest first, without their spans and lines.
    examples: Sequence[Example]
    # Whether the spans come from an incident because no store knows them any more.
    frozen: bool
    errors: tuple[str, ...]


def recall(trace_id: str) -> Recalled:
    """Ask every store, and take an incident's copy where that holds more; a store's failure is a sentence."""
    trace_id = full_trace_id(trace_id) or trace_id
    errors: list[str] = []
    spans = _spans(trace_id, errors)
    lines = _lines(trace_id, spans, errors)
    kept = Example.objects.filter(trace_id=trace_id).select_related("incident__flow")
    examples = list(kept.defer("spans", "lines").order_by("-kept_at"))
    was_frozen = False
    if examples:
        copy = kept.order_by("-kept_at").values("spans", "lines")[0]
        if len(copy["spans"]) > len(spans):
            spans, was_frozen = frozen.thaw_spans(copy["spans"]), True
        # The store drops quiet lines of requests that it does not keep.
        lines = _together(lines, frozen.thaw_lines(copy["lines"]))
    return Recalled(trace_id, spans, lines, examples, was_frozen, tuple(errors))


def _spans(trace_id: str, errors: list[str]) -> Sequence[Span]:
    for store in stores.trace_stores(stores.PAGE_PATIENCE):
        try:
            if found := store.trace(trace_id):
                return found
        except StoreError as error:
            errors.append(str(error))
    return []


def _lines(trace_id: str, spans: Sequence[Span], errors: list[str]) -> Sequence[LogLine]:
    # Where the time is known, a store need not look through all it has.
    since = min(span.start for span in spans) - AROUND if spans else None
    until = max(from_ns(span.end_ns) for span in spans) + AROUND if spans else None
    for store in stores.log_stores(stores.PAGE_PATIENCE):
        try:
            if found := store.lines_of([trace_id], limit=MOST_LINES, since=since, until=until):
                return found
        except StoreError as error:
            if str(error) not in errors:
                errors.append(str(error))
    return []


def _together(*known: Iterable[LogLine]) -> list[LogLine]:
    """Each line once, oldest first."""
    unique = {(line.at_ns, line.span_id, line.body): line for lines in known for line in lines}
    return sorted(unique.values(), key=lambda line: line.at_ns)
