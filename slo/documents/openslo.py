"""OpenSLO v1, read: SLOs with the SLIs, alert policies, services and data sources that they name or hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from slo import tiers
from slo.definition import USUAL_BUDGET_ALERTS, USUAL_NO_DATA, Definition
from slo.documents import annotations, flows, objectives, policies, queries, time_windows
from slo.documents.carried import Carried, Entry
from slo.documents.library import Library
from slo.documents.policies import Alerting
from slo.documents.tree import DocumentError, Unreadable, Value


def read(documents: Sequence[Value]) -> Carried:
    """All objectives of these documents. Raises `Unreadable` with everything that is wrong."""
    reader = Reader(Library(documents))
    reader.read()
    if reader.problems:
        raise Unreadable(reader.problems)
    return reader.carried


@dataclass(slots=True)
class Reader:
    """Reads what is in a library; collects what is wrong, and what is lost."""

    library: Library
    carried: Carried = field(default_factory=Carried)
    problems: list[str] = field(default_factory=list)

    def read(self) -> None:
        for service in self.library.all("Service"):
            self._try(self._service, service)
        for slo in self.library.all("SLO"):
            self._try(self._slo, slo)
        self._try_losses()

    def _try(self, step: Callable[[Value], None], document: Value) -> None:
        try:
            step(document)
        except DocumentError as error:
            self.problems.append(str(error))

    def _try_losses(self) -> None:
        # After something was refused, what stands behind it was not read yet.
        if not self.problems:
            self.carried.losses += self.library.losses()

    def _service(self, document: Value) -> None:
        self.carried.services.append(flows.read(document))

    def _slo(self, slo: Value) -> None:
        found = objectives.listed(slo["spec"])
        for one in found:
            definition = self._definition(slo, one, several=len(found) > 1)
            name, url = queries.source(queries.indicator(slo["spec"], self.library), self.library)
            entry = Entry(definition, slo.place, slo["spec.service"].text(""), name, url)
            self.carried.entries.append(entry)
        self.carried.losses = list(dict.fromkeys(self.carried.losses))

    def _definition(self, slo: Value, objective: Value, several: bool) -> Definition:
        spec, losses = slo["spec"], self.carried.losses
        notes = annotations.annotations(slo["metadata"], annotations.OF_OBJECTIVES)
        window = time_windows.read(spec["timeWindow"])
        target = objectives.target(objective)
        sli = queries.sli(queries.indicator(spec, self.library), objective, notes, losses)
        alerting = self._alerting(spec, notes, window.length)
        if alerting is None:
            alerting = Alerting(list(tiers.scaled_for(window.length, target)), USUAL_NO_DATA)
        groups, budget, silence = (
            notes.get(name) for name in (annotations.GROUP_BY, annotations.BUDGET_ALERTS, annotations.NO_DATA)
        )
        return Definition(
            name=objectives.name(slo, objective, target, several),
            sli=replace(sli, group_by=annotations.group_by(groups)) if groups else sli,
            target=target,
            window=window,
            budgeting=objectives.budgeting(spec["budgetingMethod"], objective, losses),
            tiers=tuple(dict.fromkeys(alerting.tiers)),
            policy=annotations.policy(notes.get(annotations.CONFIDENCE), notes.get(annotations.MIN_BAD)),
            budget_alerts=annotations.budget_alerts(budget) if budget else USUAL_BUDGET_ALERTS,
            no_data=annotations.no_data(silence) if silence else alerting.no_data,
            flow=self._flow(spec["service"]),
            description=spec["description"].text(""),
            labels=objectives.labels(slo["metadata.labels"], losses),
        )

    def _alerting(self, spec: Value, notes: dict[str, Value], window: timedelta) -> Alerting | None:
        """What the document says of alerts; `None` where it says nothing, so that the usual tiers apply."""
        listed, written = spec["alertPolicies"].items(), notes.get(annotations.TIERS)
        if not listed and not written:
            return None
        alerting = policies.read(listed, self.library, window)
        if written:
            alerting.tiers = [*annotations.tiers(written), *alerting.tiers]
        if not listed:
            alerting.no_data = USUAL_NO_DATA
        self.carried.losses += alerting.losses
        return alerting

    def _flow(self, name: Value) -> str:
        found = self.library.find("Service", name.text(""))
        return flows.read(found).name if found else name.text("")
