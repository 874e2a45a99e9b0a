"""The requests that traces show, as counts by attribute: what their spans say of the part of the traffic they are."""

from collections.abc import Iterator, Mapping

import numpy as np

from evidence import samples
from evidence.case import Inquiry
from evidence.count_table import CountTable, Request, of_requests
from evidence.findings import NotInvestigated
from evidence.span_table import SpanTable

# How a request went, not which one it was: these differ between bad and good requests by definition.
_OUTCOMES = ("error.", "exception.", "otel.status", "http.status", "http.response", "rpc.grpc.status", "retry.")
_OUTCOME_NAMES = frozenset({"error", "http.request.resend_count", "rpc.response.status_code", "db.response.status_code"})
# Where the telemetry was made and by which library, and what no two requests have in common.
_ASIDE = ("telemetry.", "otel.", "thread.", "code.", "process.", "network.peer", "net.", "client.port", "db.query.text")
_ASIDE_NAMES = frozenset({"service.name", "user.flow", "db.statement", "url.full", "http.url", "http.target", "url.query"})
# Of these each service has its own: they are told apart by the service's name.
_OF_A_SERVICE = frozenset(
    {"service.version", "service.instance.id", "k8s.pod.name", "k8s.node.name", "host.name", "container.id"}
)


def of_spans(inquiry: Inquiry, spans: SpanTable) -> CountTable:
    """One row for each request of the flow. Raises `NotInvestigated` when nobody can say which ones were bad."""
    if not inquiry.bad.known:
        raise NotInvestigated("Nothing says which requests were bad, so their attributes cannot be compared.")
    chosen = samples.sample(inquiry, spans)
    bad, started = chosen.bad, spans.start_ns[spans.root]
    of_flow = samples.of_flow(inquiry, spans)
    return of_requests(
        Request(int(started[trace]), bool(bad[trace]), attributes)
        for trace, attributes in _attributes(spans)
        if of_flow[trace]
    )


def _attributes(spans: SpanTable) -> Iterator[tuple[int, Mapping[str, str]]]:
    """By trace, the value of each attribute; where spans disagree, the outermost one's."""
    key = np.stack([spans.trace, spans.service, spans.attributes, spans.resource], axis=1)
    order = np.lexsort((np.arange(len(spans)), spans.depth, spans.trace))
    _, first = np.unique(key[order], axis=0, return_index=True)
    known: dict[tuple[int, int, int], dict[str, str]] = {}
    current, found = -1, dict[str, str]()
    for row in order[np.sort(first)]:
        trace = int(spans.trace[row])
        if trace != current:
            if current >= 0:
                yield current, found
            current, found = trace, {}
        said = int(spans.service[row]), int(spans.attributes[row]), int(spans.resource[row])
        if said not in known:
            known[said] = _telling(spans, *said)
        for name, value in known[said].items():
            found.setdefault(name, value)
    if current >= 0:
        yield current, found


def _telling(spans: SpanTable, service: int, *sets: int) -> dict[str, str]:
    said = {name: value for number in reversed(sets) for name, value in spans.combos.attributes(number).items()}
    return {
        f"{spans.services[service]} {name}" if name in _OF_A_SERVICE else name: value
        for name, value in said.items()
        if _tells(name)
    }


def _tells(name: str) -> bool:
    named = name in _OUTCOME_NAMES or name in _ASIDE_NAMES
    return not named and not name.startswith(_OUTCOMES) and not name.startswith(_ASIDE)
