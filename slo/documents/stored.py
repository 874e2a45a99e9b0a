"""Stored flows and objectives as what documents hold."""

from collections.abc import Iterable

from slo.definitions import definition_of
from slo.documents import writing
from slo.documents.carried import Entry, Service
from slo.models import Flow, Objective


def write(objectives: Iterable[Objective]) -> str:
    """A file with these objectives (their flow and source loaded), and the flows they belong to."""
    found = list(objectives)
    flows = {objective.flow_id: objective.flow for objective in found}
    return writing.write([_entry(one) for one in found], [_service(flow) for flow in flows.values()])


def _entry(objective: Objective) -> Entry:
    return Entry(definition_of(objective), service=objective.flow.slug, source=objective.source.name)


def _service(flow: Flow) -> Service:
    return Service(
        slug=flow.slug,
        name=flow.name,
        description=flow.description,
        team=flow.team,
        importance=flow.importance,
        runbook_url=flow.runbook_url,
        selector=flow.selector,
    )
