"""The requests that traces show, as counts by attribute: what their spans say of the part of the traffic they are."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set

import numpy as np

from evidence import samples
from evidence.case import Inquiry, within
from evidence.count_table import CountTable, Request, of_requests
from evidence.findings import NotInvestigated
from evidence.span_places import Flags
from evidence.span_table import SpanTable
from evidence.versions import VersionSeen

# How a request went, not which one it was: these differ between bad and good requests by definition.
_OUTCOMES = ("error.", "exception.", "otel.status", "http.status", "http.response", "rpc.grpc.status", "retry.")
_OUTCOME_NAMES = frozenset(
    {"error", "http.request.resend_count", "rpc.response.status_code", "db.response.status_code"}
)
# Where the telemetry was made and by which library, what was called with what, and what no two requests share.
_ASIDE = (
    *("telemetry.", "otel.", "thread.", "code.", "process.", "host.arch", "os."),
    *("network.", "net.", "server.", "peer.", "url.", "db.", "messaging.", "rpc."),
)
_ASIDE_NAMES = frozenset({"service.name", "user.flow", "http.url", "http.target", "client.port", "user_agent.original"})
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
    said = {trace: dict(attributes) for trace, attributes in _attributes(spans) if of_flow[trace]}
    varied = _varied(said.values())
    return of_requests(
        Request(
            int(started[trace]), bool(bad[trace]), {name: attributes[name] for name in attributes if name in varied}
        )
        for trace, attributes in said.items()
    )


def _varied(said: Iterable[Mapping[str, str]]) -> Set[str]:
    """The attributes that have more than one value: who has the only one just passed a service that sets it."""
    first: dict[str, str] = {}
    return {name for one in said for name, value in one.items() if first.setdefault(name, value) != value}


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


def versions(inquiry: Inquiry, spans: SpanTable) -> dict[str, dict[str, VersionSeen]]:
    """What traces tell of each service's versions: by service and version, only where there is more than one."""
    bad, known = samples.bad_requests(inquiry, spans)
    started = spans.start_ns[spans.root]
    during, before = inquiry.incident.covers(started), within(inquiry.baseline, started)
    carried: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    first: dict[tuple[str, str], int] = {}
    pairs = spans.values("service.version")
    key = np.stack([spans.service, pairs, spans.trace], axis=1)[pairs >= 0]
    rows, place = np.unique(key, axis=0, return_index=True)
    starts = spans.start_ns[pairs >= 0]
    for (service, pair, trace), row in zip(rows.tolist(), place.tolist(), strict=True):
        name, version = spans.services[service], spans.combos.pairs[pair][1]
        carried[name][version].add(trace)
        first[name, version] = min(first.get((name, version), int(starts[row])), int(starts[row]))
    return {
        name: {
            version: VersionSeen(
                first[name, version],
                _share(traces, carried[name], before),
                _share(traces, carried[name], during),
                _share(traces, carried[name], during & bad) if known else None,
            )
            for version, traces in of_service.items()
        }
        for name, of_service in carried.items()
        if len(of_service) > 1
    }


def _share(traces: Set[int], of_service: Mapping[str, Set[int]], chosen: Flags) -> float:
    """The version's share (0…1) of the chosen requests that the service took part in."""
    mine = int(chosen[list(traces)].sum())
    every = int(chosen[list(set().union(*of_service.values()))].sum())
    return mine / every if every else 0.0


def calls(spans: SpanTable) -> tuple[tuple[str, str], ...]:
    """(caller, callee) of every pair of services of which one called the other."""
    entries = np.flatnonzero(spans.entry & (spans.parent >= 0))
    pairs = np.stack([spans.service[spans.parent[entries]], spans.service[entries]], axis=1)
    return tuple((spans.services[caller], spans.services[callee]) for caller, callee in np.unique(pairs, axis=0))
