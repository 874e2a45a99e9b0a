"""Sloth's files (`prometheus/v1`) and its Kubernetes resource, read."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from slo.counting import Sli
from slo.definition import Definition
from slo.documents import indicators, rates, soundness
from slo.documents.carried import Carried, Entry, Service
from slo.documents.tree import DocumentError, Unreadable, Value
from slo.periods import Window
from slo.tiers import WORKBOOK_TIERS, Tier

VERSION = "prometheus/v1"
RESOURCE = "sloth.slok.dev/v1"
KIND = "PrometheusServiceLevel"
# Its own default; another one is an option of its command line, not of its files.
WINDOW = Window(timedelta(days=30))
ASSUMED = (
    "Sloth's files do not say how long the window is. It was taken to be 30 d; "
    "if Sloth was told another, change the objective's window."
)
PLUGIN = "It is counted by a plugin, which is a program of Sloth's. The objective was left out: write its queries here."


def read(documents: Sequence[Value]) -> Carried:
    """All objectives of these documents. Raises `Unreadable` with everything that is wrong."""
    carried, problems = Carried(), list[str]()
    for document in documents:
        try:
            _read(document, carried)
        except DocumentError as error:
            problems.append(str(error))
    if problems:
        raise Unreadable(problems)
    return carried


def _read(document: Value, carried: Carried) -> None:
    spec = _spec(document)
    service = spec["service"].text()
    document.document.title = f"service {service}"
    carried.services.append(Service(service, service))
    shared = spec["labels"].texts()
    for slo in spec["slos"].items():
        sli = _sli(slo, carried.losses)
        if sli is None:
            continue
        target = _target(slo["objective"])
        tiers, left_out = soundness.fitting(_tiers(slo["alerting"]), WINDOW.length, target)
        carried.losses += [f"{slo.place}: {sentence}" for sentence in left_out]
        definition = Definition(
            name=slo["name"].text(),
            sli=sli,
            target=target,
            window=WINDOW,
            tiers=tiers,
            budget_alerts=(),
            no_data=None,
            flow=service,
            description=slo["description"].text(""),
            labels=shared | slo["labels"].texts(),
        )
        carried.entries.append(Entry(definition, slo.place, service))
    carried.losses.append(f"{document.place}: {ASSUMED}")
    carried.losses += [f"{place}: Fireline has no use for this, so it was left out." for place in document.unread()]


def _spec(document: Value) -> Value:
    """Where the SLOs are: a resource has them within `spec`."""
    if document["version"].text("") == VERSION:
        return document
    if document["kind"].text() != KIND:
        raise document["kind"].error(f"Of {RESOURCE}, Fireline reads {KIND}.")
    document["metadata.name"].text("")
    return document["spec"]


def _either(value: Value, file: str, resource: str) -> Value:
    """A field whose name differs between files and resources."""
    return value[file] or value[resource]


def _sli(slo: Value, losses: list[str]) -> Sli | None:
    """How it counts; `None` if only Sloth can tell."""
    sli = slo["sli"]
    if events := sli["events"]:
        bad, total = _either(events, "error_query", "errorQuery"), _either(events, "total_query", "totalQuery")
        try:
            found, notes = rates.counted(bad.text(), total.text(), "bad")
        except ValueError as error:
            raise events.error(str(error)) from None
        losses += [f"{events.place}: {note}" for note in notes]
        return found
    if raw := sli["raw"]:
        query = _either(raw, "error_ratio_query", "errorRatioQuery")
        losses.append(f"{query.place}: {indicators.RATIO}")
        return indicators.of_ratio(rates.windowed(query.text()), answers_good=False)
    if plugin := sli["plugin"]:
        losses.append(f"{plugin.place}: {PLUGIN}")
        slo.dismiss()
        return None
    raise sli.error("An SLO needs events with their queries, or a raw one.")


def _target(value: Value) -> Decimal:
    percent = value.number()
    if not 0 < percent < 100:
        raise value.error("An objective is a percentage between 0 and 100, such as 99.9.")
    return percent / 100


def _tiers(alerting: Value) -> tuple[Tier, ...]:
    """Sloth alerts as the workbook does; either severity may be switched off."""
    off = {
        severity
        for severity, file, resource in (("page", "page_alert", "pageAlert"), ("ticket", "ticket_alert", "ticketAlert"))
        if _either(alerting, file, resource)["disable"].flag()
    }
    return tuple(tier for tier in WORKBOOK_TIERS if tier.severity not in off)
