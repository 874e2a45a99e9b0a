"""Where is the time spent? Bad requests' own time against that of normal ones, by service and operation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evidence.blame import Added, Culprit, culprits
from evidence.case import Inquiry
from evidence.distinct import distinct
from evidence.findings import Finding, Kind, Reference, Report, Subject, Suspicion
from evidence.growth import RESOLUTION, Growth, certainty, growth
from evidence.instances import concentrated
from evidence.own_time import QUEUE, WAY, OwnTime, own_time
from evidence.samples import Sample, sample
from evidence.span_table import SpanTable
from evidence.traffic_mix import mix_finding
from evidence.wording import milliseconds, share, span_reference

MS = 1e6
MOST_FINDINGS = 6
# Added time is as likely the trouble as not when it is a tenth of what a request usually takes.
NOTABLE = 0.1
# Culprits that explain less than this share of a usual request's time are noise.
LEAST_NOTABLE = 0.002


@dataclass(frozen=True)
class _Accounts:
    """Kinds of time: by account its place and who spent it, how it grew, and how often a bad request pays it."""

    place: NDArray[np.int64]
    caller: NDArray[np.int64]
    callee: NDArray[np.int64]
    operation: NDArray[np.int64]
    grown: Growth
    # How much longer (ms) each takes for sure, by itself or judging by all that its service does.
    each: NDArray[np.float64]
    often: NDArray[np.float64]
    # For each piece of time its account.
    of: NDArray[np.int64]


def investigate(inquiry: Inquiry, spans: SpanTable) -> Report:
    """Findings by operation, best first, and the services that explain the added time."""
    chosen = sample(inquiry, spans)
    own = own_time(spans)
    accounts = _accounts(chosen, own)
    usual = float(np.median(spans.duration_ns[spans.root[chosen.normal]])) / MS
    found = [one for one in culprits(_added(accounts)) if one.gain > LEAST_NOTABLE * usual]
    total = max(sum(_plainly(one, accounts) for one in found), _slowdown(chosen))
    findings = [_finding(one, accounts, own, chosen, total, usual) for one in found[:MOST_FINDINGS]]
    shifted = mix_finding(chosen, total)
    return Report(
        tuple(findings) + ((shifted,) if shifted else ()),
        tuple(_suspicion(one, found[0].gain, accounts, own, chosen, usual) for one in found),
    )


def _accounts(chosen: Sample, own: OwnTime) -> _Accounts:
    services, operations = len(own.services), max(len(chosen.spans.operations), 1)
    key = ((own.place.astype(np.int64) * services + own.caller) * services + own.callee) * operations + own.operation
    keys, group = np.unique(key, return_inverse=True)
    window = chosen.window[chosen.spans.trace[own.row]]
    taken = window >= 0
    grown = growth(group[taken], window[taken], own.time_ns[taken] / MS, len(keys), chosen.windows)
    rest, operation = np.divmod(keys, operations)
    rest, callee = np.divmod(rest, services)
    place, caller = np.divmod(rest, services)
    often = grown.count_during / max(chosen.bad_count, 1)
    accounts = _Accounts(place, caller, callee, operation, grown, grown.surely, often, group)
    return replace(accounts, each=np.maximum(grown.surely, _together(accounts, chosen, own) * grown.step))


def _together(accounts: _Accounts, chosen: Sample, own: OwnTime) -> NDArray[np.float64]:
    """By account how certain it is that its service is slower in all it does, or in all ways from or to it.

    A starved service is a little slower everywhere, which no account with its few values proves alone.
    """
    compared = (accounts.grown.count_before > 0) & (accounts.grown.count_during > 0)
    window = chosen.window[chosen.spans.trace[own.row]]
    pieces = np.flatnonzero((window >= 0) & compared[accounts.of])
    certain = np.zeros(len(accounts.place))
    if not len(pieces):
        return certain
    group, logs, before = accounts.of[pieces], np.log(own.time_ns[pieces] / MS + RESOLUTION), window[pieces]
    normal = before < chosen.windows - 1
    count = np.bincount(group[normal], minlength=len(certain))
    usual = np.bincount(group[normal], logs[normal], len(certain)) / np.maximum(count, 1)
    trace = chosen.spans.trace[own.row[pieces]]
    way = accounts.place == WAY
    for service, kept in ((accounts.callee, ~way), (accounts.caller, way), (accounts.callee, way)):
        # One value for each request, or its many pieces would pass for as many requests.
        chosen_pieces = kept[group]
        (of, request), number = distinct(service[group[chosen_pieces]], trace[chosen_pieces])
        weight = np.bincount(number, minlength=len(of))
        excess = np.bincount(number, (logs - usual[group])[chosen_pieces], len(of)) / np.maximum(weight, 1)
        by_service = certainty(of, chosen.window[request], excess, len(own.services), chosen.windows)
        certain = np.where(kept, np.maximum(certain, by_service[service]), certain)
    return certain


def _added(accounts: _Accounts) -> list[Added]:
    columns = (accounts.caller, accounts.callee, accounts.each, accounts.often)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [Added(caller, callee, each, often, key) for key, (caller, callee, each, often) in enumerate(rows)]


def _slowdown(chosen: Sample) -> float:
    """How much longer (ms) bad requests take than normal ones of the same kind."""
    spans = chosen.spans
    time = spans.duration_ns[spans.root] / MS
    kinds = int(chosen.stratum.max()) + 1
    normal = np.bincount(chosen.stratum[chosen.normal], minlength=kinds)
    bad = np.bincount(chosen.stratum[chosen.bad], minlength=kinds)
    both = (normal > 0) & (bad > 0)
    before = np.bincount(chosen.stratum[chosen.normal], time[chosen.normal], kinds)[both] / normal[both]
    during = np.bincount(chosen.stratum[chosen.bad], time[chosen.bad], kinds)[both]
    return float((during - before * bad[both]).sum()) / max(int(bad[both].sum()), 1)


def _suspicion(one: Culprit, most: float, accounts: _Accounts, own: OwnTime, chosen: Sample, usual: float) -> Suspicion:
    account = one.keys[0]
    return Suspicion(
        service=own.services[one.service],
        kind=_kind(one, accounts),
        score=_likely(one.gain, usual) * one.gain / most,
        operation=chosen.spans.operations[int(accounts.operation[account])],
        instance=_instance(one, accounts, own, chosen),
        resource=_resource(one, accounts),
    )


def _instance(one: Culprit, accounts: _Accounts, own: OwnTime, chosen: Sample) -> str:
    """The instance of the culprit that alone is slow, or empty."""
    pieces = np.flatnonzero(np.isin(accounts.of, one.keys) & chosen.bad_rows[own.row])
    row = np.where(own.callee[pieces] == one.service, own.callee_row[pieces], own.row[pieces])
    added = own.time_ns[pieces] / MS - accounts.grown.before[accounts.of[pieces]]
    code = concentrated(chosen.spans.instance[row], added)
    return chosen.spans.instances[code] if code >= 0 else ""


def _plainly(one: Culprit, accounts: _Accounts) -> float:
    """What the culprit's accounts added on average (ms per request), not only what they added for sure."""
    keys = list(one.keys)
    return float(((accounts.grown.during - accounts.grown.before)[keys] * accounts.often[keys]).sum())


def _likely(gain: float, usual: float) -> float:
    return gain / (gain + NOTABLE * max(usual, 0.1))


def _kind(one: Culprit, accounts: _Accounts) -> Kind:
    """What is slow from its caller's view is a dependency; a service that is slow in all it does lacks a resource."""
    if int(accounts.place[one.keys[0]]) == QUEUE:
        return "queue"
    return "resource" if _resource(one, accounts) == "cpu" else "dependency"


def _resource(one: Culprit, accounts: _Accounts) -> str:
    """Slow to call others, too: the processor. Nothing but slow to reach: the network."""
    if any(accounts.caller[key] == one.service != accounts.callee[key] for key in one.keys):
        return "cpu"
    return "network" if {int(accounts.place[key]) for key in one.keys} == {WAY} else ""


def _finding(one: Culprit, accounts: _Accounts, own: OwnTime, chosen: Sample, total: float, usual: float) -> Finding:
    key, grown = one.keys[0], accounts.grown
    caller, callee = own.services[int(accounts.caller[key])], own.services[int(accounts.callee[key])]
    operation = chosen.spans.operations[int(accounts.operation[key])]
    before, during = float(grown.before[key]), float(grown.during[key])
    part = min(_plainly(one, accounts) / total, 1.0) if total > 0 else 0.0
    instance = _instance(one, accounts, own, chosen)
    statement = (
        f"{_subject(int(accounts.place[key]), caller, callee, operation)} takes {milliseconds(during - before)} longer "
        f"({milliseconds(before)} → {milliseconds(during)}); {own.services[one.service]} explains "
        f"{share(part)} of the increase{f', only its instance {instance}' if instance else ''}."
    )
    return Finding(
        "spans",
        statement,
        score=part,
        confidence=_likely(one.gain, usual),
        subject=Subject(own.services[one.service], operation, instance, _resource(one, accounts)),
        numbers={
            "before_ms": round(before, 3),
            "during_ms": round(during, 3),
            "added_ms_per_request": round(_plainly(one, accounts), 3),
            "surely_added_ms_per_request": round(one.gain, 3),
            "share_of_increase": round(part, 4),
            "calls_before": int(grown.count_before[key]),
            "calls_during": int(grown.count_during[key]),
            "caller": caller,
            "callee": callee,
            "place": ("itself", "way", "queue")[int(accounts.place[key])],
        },
        references=_slowest(accounts, own, chosen, key),
    )


def _subject(place: int, caller: str, callee: str, operation: str) -> str:
    if place == WAY:
        return f"The way from {caller} to {callee} ({operation})"
    if place == QUEUE:
        return f"Waiting in the queue from {caller} to {callee} ({operation})"
    return f"{callee} {operation} itself"


def _slowest(accounts: _Accounts, own: OwnTime, chosen: Sample, key: int) -> tuple[Reference, ...]:
    pieces = np.flatnonzero((accounts.of == key) & chosen.bad_rows[own.row])
    order: Sequence[int] = pieces[np.argsort(-own.time_ns[pieces], kind="stable")][:3].tolist()
    return tuple(span_reference(chosen.spans, int(own.row[piece])) for piece in order)
