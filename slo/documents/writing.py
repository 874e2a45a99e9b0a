"""Definitions as OpenSLO v1: what reading gives back exactly, and other tools understand as far as OpenSLO goes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.text import slugify

from slo.counting import Matcher, Sli, selector
from slo.definition import Definition
from slo.documents import annotations, durations, time_windows, yaml_text
from slo.documents.annotations import PREFIX
from slo.documents.carried import Entry, Service
from slo.documents.library import VERSION
from slo.documents.queries import AGE
from slo.states import Policy


def write(entries: Sequence[Entry], services: Sequence[Service] = ()) -> str:
    """A file with a Service for each flow and an SLO for each objective."""
    names = _names(entries)
    flows = {service.name: service for service in (*_implied(entries, services), *services)}
    slugs = {name: service.slug for name, service in flows.items()}
    parts = [_service(service) for service in flows.values()]
    parts += [_slo(entry, name, slugs) for entry, name in zip(entries, names, strict=True)]
    return yaml_text.dump(parts)


def slo(entry: Entry, service: str) -> str:
    """The SLO alone, as `write` writes it."""
    return yaml_text.dump([_slo(entry, _names([entry])[0], {entry.definition.flow: service})])


def _implied(entries: Sequence[Entry], services: Sequence[Service]) -> Iterable[Service]:
    """Flows that are named only: so that a name with blanks and capitals comes back as it is."""
    known = {service.name for service in services}
    taken = {service.slug for service in services}
    for flow in dict.fromkeys(entry.definition.flow for entry in entries if entry.definition.flow):
        if flow not in known:
            slug = _free(slugify(flow) or "flow", taken)
            taken.add(slug)
            yield Service(slug, flow)


def _names(entries: Sequence[Entry]) -> list[str]:
    # A dictionary for its order, and because it finds quickly what is taken.
    names = dict[str, None]()
    for entry in entries:
        wanted = slugify(f"{entry.definition.flow} {entry.definition.name}") or "objective"
        names[_free(wanted, names)] = None
    return list(names)


def _free(name: str, taken: Collection[str]) -> str:
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    return candidate


def _service(service: Service) -> dict[str, Any]:
    notes = {
        annotations.TEAM: service.team,
        annotations.IMPORTANCE: None if service.importance is None else str(service.importance),
        annotations.RUNBOOK: service.runbook_url,
        annotations.SELECTOR: service.selector,
    }
    return {
        "apiVersion": VERSION,
        "kind": "Service",
        "metadata": _metadata(service.slug, service.name, notes),
        "spec": {} if service.description is None else {"description": service.description},
    }


def _slo(entry: Entry, name: str, slugs: Mapping[str, str]) -> dict[str, Any]:
    definition = entry.definition
    spec: dict[str, Any] = {"description": definition.description} if definition.description else {}
    if definition.flow:
        spec["service"] = slugs[definition.flow]
    return {
        "apiVersion": VERSION,
        "kind": "SLO",
        "metadata": _metadata(name, definition.name, _notes(definition), definition.labels),
        "spec": spec
        | {
            "indicator": {"metadata": {"name": name}, "spec": _indicator(definition.sli, entry.source)},
            "timeWindow": [time_windows.write(definition.window)],
            "budgetingMethod": "Timeslices" if definition.budgeting.method == "timeslices" else "Occurrences",
            "objectives": [_objective(definition)],
        },
    }


def _metadata(
    name: str, display: str, notes: Mapping[str, str | None], labels: Mapping[str, str] | None = None
) -> dict[str, Any]:
    written = {f"{PREFIX}{key}": text for key, text in notes.items() if text is not None}
    optional = {"labels": dict(labels or {}), "annotations": written}
    return {"name": name, "displayName": display} | {key: value for key, value in optional.items() if value}


def _notes(definition: Definition) -> dict[str, str | None]:
    """Alerts are always written, so that the file says all of them."""
    sli, policy, usual = definition.sli, definition.policy, Policy()
    confidence = annotations.NONE if policy.confidence is None else str(policy.confidence)
    return {
        annotations.KIND: sli.kind if sli.kind in ("freshness", "bool") else None,
        annotations.GROUP_BY: annotations.group_by_text(sli.group_by) if sli.group_by else None,
        annotations.TIERS: annotations.tiers_text(definition.tiers),
        annotations.BUDGET_ALERTS: annotations.budget_alerts_text(definition.budget_alerts),
        annotations.NO_DATA: annotations.no_data_text(definition.no_data),
        annotations.CONFIDENCE: confidence if policy.confidence != usual.confidence else None,
        annotations.MIN_BAD: str(policy.min_bad) if policy.min_bad != usual.min_bad else None,
    }


def _indicator(sli: Sli, source: str) -> dict[str, Any]:
    if sli.by_time:
        return {"thresholdMetric": _metric(_threshold_query(sli), source)}
    marks = "good" if sli.kind == "latency" and not sli.by_expression else sli.marks
    marked, total = _ratio_queries(sli)
    return {
        "ratioMetric": {
            "counter": not sli.by_expression,
            marks: _metric(marked, source),
            "total": _metric(total, source),
        }
    }


def _metric(query: str, source: str) -> dict[str, Any]:
    reference = {"metricSourceRef": source} if source else {}
    return {"metricSource": reference | {"type": "Prometheus", "spec": {"query": query}}}


def _threshold_query(sli: Sli) -> str:
    before, after = AGE
    return f"{before}{sli.expression}{after}" if sli.kind == "freshness" else sli.expression


def _ratio_queries(sli: Sli) -> tuple[str, str]:
    """The queries of the marked events and of all."""
    if sli.by_expression:
        return sli.bad_expression, sli.total_expression
    if sli.kind == "latency":
        # As the database answers it, it ends in zeros.
        edge = Matcher("le", "=", f"{Decimal(sli.threshold or 0).normalize():f}")
        return selector(f"{sli.metric}_bucket", (*sli.matchers, edge)), selector(f"{sli.metric}_count", sli.matchers)
    if sli.bad_metric:
        return selector(sli.bad_metric, sli.bad_matchers), selector(sli.metric, sli.matchers)
    return selector(sli.metric, (*sli.matchers, *sli.bad_matchers)), selector(sli.metric, sli.matchers)


def _objective(definition: Definition) -> dict[str, Any]:
    sli, budgeting = definition.sli, definition.budgeting
    objective: dict[str, Any] = {}
    if sli.by_time:
        at_least = sli.kind == "bool"
        objective = {
            "op": "gte" if at_least else sli.comparison,
            "value": Decimal(1) if at_least else sli.threshold,
        }
    objective["target"] = definition.target
    if budgeting.method == "timeslices" and budgeting.length is not None:
        objective |= {"timeSliceTarget": budgeting.target, "timeSliceWindow": durations.text(budgeting.length)}
    return objective
