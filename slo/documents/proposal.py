"""What applying documents would create and change: against what is stored, as a diff, then for real."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import unified_diff

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from slo.definition import Definition
from slo.definitions import definition_of, restarts, save_definition
from slo.documents import writing
from slo.documents.carried import Carried, Entry, Service
from slo.documents.tree import Unreadable
from slo.models import Flow, Objective
from telemetry.models import Source


@dataclass(slots=True)
class FlowChange:
    """A flow that is created or changed; `lines` say what of it."""

    flow: Flow
    new: bool
    lines: list[str]

    @property
    def verb(self) -> str:
        return _verb(self.new, self.lines)


@dataclass(slots=True)
class ObjectiveChange:
    """An objective that is created or changed, as a diff of its document."""

    entry: Entry
    flow: Flow
    source: Source
    objective: Objective | None
    lines: list[str]
    # Whether other events count than before, so that they are measured anew.
    anew: bool = False

    @property
    def verb(self) -> str:
        return _verb(self.objective is None, self.lines)


type Change = FlowChange | ObjectiveChange


@dataclass(slots=True)
class Proposal:
    flows: list[FlowChange]
    objectives: list[ObjectiveChange]

    @property
    def changes(self) -> list[Change]:
        """What would not stay as it is, flows first."""
        changes: list[Change] = [*self.flows, *self.objectives]
        return [change for change in changes if change.verb != "keep"]


def propose(carried: Carried, source: str = "") -> Proposal:
    """What `carried` would change; `source` (a name or address) replaces what it says about stores.

    Raises `Unreadable` with a sentence for everything that stands in the way.
    """
    planner = _Planner(carried, source)
    proposal = planner.plan()
    if planner.problems:
        raise Unreadable(planner.problems)
    return proposal


def adopt(proposal: Proposal) -> None:
    """Create and change it all, or nothing. Raises `ValueError` when somebody else was quicker."""
    try:
        _adopt(proposal)
    except IntegrityError as error:
        raise ValueError(
            "Somebody changed these flows or objectives at the same time. Nothing was applied: run it again."
        ) from error


@transaction.atomic
def _adopt(proposal: Proposal) -> None:
    for change in proposal.changes:
        if isinstance(change, FlowChange):
            change.flow.save()
        else:
            save_definition(change.flow, change.source, change.entry.definition, change.objective)


def _verb(new: bool, lines: Sequence[str]) -> str:
    return "create" if new else "change" if lines else "keep"


class _Planner:
    def __init__(self, carried: Carried, source: str) -> None:
        self.carried, self.source = carried, source
        self.problems = list[str]()
        self.flows = dict[str, FlowChange]()
        self.stores = list(Source.objects.filter(kind=Source.Kind.PROMETHEUS))

    def plan(self) -> Proposal:
        for service in self.carried.services:
            self._flow(service)
        self._refuse_same_names()
        objectives = list[ObjectiveChange]()
        for entry in self.carried.entries:
            try:
                objectives.append(self._objective(entry))
            except ValueError as error:
                self.problems.append(f"{entry.place}: {error}")
        self._refuse_doubles(objectives)
        return Proposal(list(self.flows.values()), objectives)

    def _flow(self, service: Service) -> None:
        if service.slug in self.flows:
            return
        try:
            self.flows[service.slug] = _changed_flow(service, _stored_flow(service))
        except ValidationError as error:
            self.problems += [f"The flow {service.name}: {sentence}" for sentence in error.messages]
        except ValueError as error:
            self.problems.append(str(error))

    def _objective(self, entry: Entry) -> ObjectiveChange:
        if not entry.service:
            raise ValueError("It names no service. Its spec.service says which flow it belongs to.")
        if entry.service not in self.flows:
            self._flow(Service(entry.service, entry.service))
        if entry.service not in self.flows:
            raise ValueError(f"It belongs to {entry.service}, which cannot be changed.")
        flow = self.flows[entry.service].flow
        _check_slices(entry.definition)
        objective = _stored_objective(flow, entry.definition.name)
        source = self._source(entry, objective)
        return _changed_objective(entry, flow, source, objective)

    def _source(self, entry: Entry, objective: Objective | None) -> Source:
        """The one on the command line; the one in the document; the one it has; the only one. Raises `ValueError`."""
        if self.source:
            return _wanted(self.stores, self.source)
        if entry.source:
            return _wanted(self.stores, entry.source, entry.source_url)
        if objective:
            return objective.source
        if len(self.stores) == 1:
            return self.stores[0]
        raise ValueError(f"It names no Prometheus. Name one with --source: {_names(self.stores)}.")

    def _refuse_same_names(self) -> None:
        names = Counter(change.flow.name.casefold() for change in self.flows.values())
        doubled = {change.flow.name for change in self.flows.values() if names[change.flow.name.casefold()] > 1}
        self.problems += [f"Two services are named {name!r}. Give them names that tell them apart." for name in doubled]

    def _refuse_doubles(self, objectives: Sequence[ObjectiveChange]) -> None:
        seen = dict[tuple[int, str], str]()
        for one in objectives:
            key = (id(one.flow), one.entry.definition.name.casefold())
            if key in seen:
                name = one.entry.definition.name
                self.problems.append(
                    f"{one.entry.place}: {one.flow.name} has another objective named {name!r}: {seen[key]}."
                )
            seen[key] = one.entry.place


def _stored_flow(service: Service) -> Flow:
    """The flow of this slug or name, or a new one. Raises `ValueError` for one that is archived."""
    flow = Flow.objects.filter(slug=service.slug).first()
    flow = flow or Flow.objects.active().filter(name__iexact=service.name).first()
    if flow and flow.archived_at:
        raise ValueError(f"The flow {flow.name} is archived. Bring it back on its page first.")
    slug = slugify(service.slug)
    return flow or Flow(slug=slug, selector=slug)


def _changed_flow(service: Service, flow: Flow) -> FlowChange:
    new = flow._state.adding
    wanted = {
        # Without a Service of its own a flow is only named by its slug, which says nothing of its name.
        "name": service.name if new or service.name != service.slug else None,
        "description": service.description,
        "team": service.team,
        "importance": service.importance,
        "runbook_url": service.runbook_url,
        "selector": service.selector,
    }
    lines = list[str]()
    for name, value in wanted.items():
        before = getattr(flow, name)
        if value is not None and before != value:
            lines += [f"-{name}: {before}", f"+{name}: {value}"] if before and not new else [f"+{name}: {value}"]
            setattr(flow, name, value)
    flow.full_clean()
    return FlowChange(flow, new, lines)


def _stored_objective(flow: Flow, name: str) -> Objective | None:
    if flow._state.adding:
        return None
    found = Objective.objects.active().filter(flow=flow, name__iexact=name)
    return found.select_related("flow", "source").first()


def _changed_objective(entry: Entry, flow: Flow, source: Source, objective: Objective | None) -> ObjectiveChange:
    after = _document(entry.definition, flow, source)
    if objective is None:
        return ObjectiveChange(entry, flow, source, None, [f"+{line}" for line in after])
    definition = definition_of(objective)
    before = _document(definition, flow, objective.source)
    lines = list(unified_diff(before, after, lineterm="", n=1))[2:]
    anew = restarts(definition, entry.definition) or objective.source_id != source.pk
    return ObjectiveChange(entry, flow, source, objective, lines, anew)


def _document(definition: Definition, flow: Flow, source: Source) -> list[str]:
    """Its document as stored rows give it back: rules in their order, the flow by its own name."""
    alike = replace(
        definition,
        flow=flow.name,
        tiers=tuple(sorted(definition.tiers, key=lambda one: (one.severity, one.long, one.short, one.budget_share))),
        budget_alerts=tuple(sorted(set(definition.budget_alerts), key=lambda one: (one.severity, one.spent))),
    )
    return writing.slo(Entry(alike, source=source.name), flow.slug).splitlines()


def _check_slices(definition: Definition) -> None:
    length: timedelta | None = definition.budgeting.length
    if length is not None and length % settings.SLICE:
        seconds = settings.SLICE // timedelta(seconds=1)
        raise ValueError(f"A time slice is a multiple of what is measured at once, {seconds} s here. Choose another.")


def _wanted(stores: Iterable[Source], name: str, url: str = "") -> Source:
    for store in stores:
        if name in (store.name, store.url) or (url and store.url.rstrip("/") == url.rstrip("/")):
            return store
    raise ValueError(
        f"There is no Prometheus named {name!r} in Fireline. Add it under Settings, "
        f"or choose with --source: {_names(stores)}."
    )


def _names(stores: Iterable[Source]) -> str:
    return ", ".join(store.name for store in stores) or "there is none yet; add it under Settings"
