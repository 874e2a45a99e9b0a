"""Stored flows and objectives as what documents hold."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from slo.definitions import definition_of
from slo.documents import writing
from slo.documents.carried import Entry, Service
from slo.models import AlertRule, Flow, Objective


def write(objectives: Iterable[Objective]) -> str:
    """A file with these objectives (their flow and source loaded), and the flows they belong to."""
    found = list(objectives)
    rules = defaultdict[int, list[AlertRule]](list)
    for rule in AlertRule.objects.active().filter(objective__in=found):
        rules[rule.objective_id].append(rule)
    flows = {objective.flow_id: objective.flow for objective in found}
    return writing.write([_entry(one, rules[one.pk]) for one in found], [_service(flow) for flow in flows.values()])


def _entry(objective: Objective, rules: Sequence[AlertRule]) -> Entry:
    return Entry(definition_of(objective, rules), service=objective.flow.slug, source=objective.source.name)


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
