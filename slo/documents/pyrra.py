"""Pyrra's `ServiceLevelObjective`, read."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from slo.counting import Sli, selector
from slo.definition import USUAL_NO_DATA, Definition, NoDataAlert
from slo.documents import durations, indicators, selectors, soundness
from slo.documents.carried import Carried, Entry, Service
from slo.documents.selectors import Selector
from slo.documents.tree import DocumentError, Unreadable, Value
from slo.periods import Window
from slo.tiers import Severity, Tier, share_of

VERSION = "pyrra.dev/v1alpha1"
KIND = "ServiceLevelObjective"
# Pyrra's alerts for 28 days, in hours: severity, long and short window, burn rate. All scale with the window.
_ALERTS: tuple[tuple[Severity, Decimal, Decimal, int], ...] = (
    ("page", Decimal(1), Decimal(5) / 60, 14),
    ("page", Decimal(6), Decimal("0.5"), 7),
    ("ticket", Decimal(24), Decimal(2), 2),
    ("ticket", Decimal(96), Decimal(6), 1),
)
_NOMINAL = timedelta(days=28)
MINUTE = timedelta(minutes=1)
DELAYS = (
    "Pyrra's alerts wait some minutes before they fire. Fireline asks for confidence instead, and has no such delay."
)
WORST = (
    "With several series, Pyrra takes their average; here the worst one counts. "
    "Add a grouping to have each series by itself."
)
ABSENT = "Fireline's no-data alert takes the place of Pyrra's for absent metrics, after {after}."


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
    if document["kind"].text() != KIND:
        raise document["kind"].error(f"Of {VERSION}, Fireline reads {KIND}.")
    metadata, spec = document["metadata"], document["spec"]
    name = metadata["name"].text()
    document.document.title = f"{KIND} {name}"
    window = Window(spec["window"].read(durations.parse))
    alerting = spec["alerting"]
    on = not alerting["disabled"].flag()
    alerts, target = on and alerting["burnrates"].flag(default=True), _target(spec["target"])
    tiers, left_out = soundness.fitting(_tiers(window.length) if alerts else (), window.length, target)
    carried.losses += [f"{document.place}: {sentence}" for sentence in left_out]
    definition = Definition(
        name=name,
        sli=_sli(spec["indicator"], carried.losses),
        target=target,
        window=window,
        tiers=tiers,
        budget_alerts=(),
        no_data=_absent() if on and alerting["absent"].flag(default=True) else None,
        flow=name,
        description=spec["description"].text(""),
        labels=metadata["labels"].texts(),
    )
    carried.services.append(Service(name, name))
    carried.entries.append(Entry(definition, document.place, name))
    carried.losses += _losses(document, definition)


def _losses(document: Value, definition: Definition) -> list[str]:
    notes = [DELAYS] if definition.tiers else []
    if definition.no_data:
        notes.append(ABSENT.format(after=durations.text(definition.no_data.after)))
    unread = [f"{place}: Fireline has no use for this, so it was left out." for place in document.unread()]
    return [*(f"{document.place}: {note}" for note in notes), *unread]


def _sli(indicator: Value, losses: list[str]) -> Sli:
    for name, read in (("ratio", _ratio), ("latency", _latency), ("latencyNative", _native)):
        if found := indicator[name]:
            return replace(read(found), group_by=_grouping(found))
    found = indicator["bool_gauge"] or indicator["boolGauge"]
    if not found:
        raise indicator.error("An indicator is needed: ratio, latency, latencyNative or bool_gauge.")
    group_by = _grouping(found)
    if not group_by:
        losses.append(f"{found.place}: {WORST}")
    chosen = _selector(found)
    return Sli("bool", expression=selector(chosen.metric, chosen.matchers), group_by=group_by)


def _ratio(value: Value) -> Sli:
    return _exact(value, "errors")


def _latency(value: Value) -> Sli:
    sli = _exact(value, "success")
    if sli.kind != "latency":
        raise value.error("A latency takes a histogram's bucket with one le over its count.")
    return sli


def _native(value: Value) -> Sli:
    total = _selector(value["total"])
    limit = value["latency"].read(durations.parse)
    return Sli("latency", total.metric, total.matchers, threshold=Decimal(str(limit / timedelta(seconds=1))))


def _exact(value: Value, marked: str) -> Sli:
    try:
        return indicators.exact(
            _selector(value[marked]), _selector(value["total"]), "good" if marked == "success" else "bad"
        )
    except DocumentError:
        raise
    except ValueError as error:
        raise value.error(str(error)) from None


def _selector(value: Value) -> Selector:
    found = selectors.parse(value["metric"].text())
    if found is None:
        raise value["metric"].error('Pyrra takes plain selectors only, such as requests_total{job="shop"}.')
    return found


def _grouping(value: Value) -> tuple[str, ...]:
    return tuple(label.text() for label in value["grouping"].items())


def _target(value: Value) -> Decimal:
    percent = value.number()
    if not 0 < percent < 100:
        raise value.error('A target is a percentage between 0 and 100, such as "99.9".')
    return percent / 100


def _tiers(window: timedelta) -> tuple[Tier, ...]:
    return tuple(_tier(window, *alert) for alert in _ALERTS)


def _tier(window: timedelta, severity: Severity, long: Decimal, short: Decimal, factor: int) -> Tier:
    lengths = [
        max(MINUTE, _rounded(float(hours) * timedelta(hours=1) * (window / _NOMINAL))) for hours in (long, short)
    ]
    return Tier(severity, lengths[0], lengths[1], share_of(Decimal(factor), lengths[0], window))


def _rounded(length: timedelta) -> timedelta:
    # Halves up, as Go rounds; Python would round them to even.
    return (length + MINUTE / 2) // MINUTE * MINUTE


def _absent() -> NoDataAlert:
    return NoDataAlert("page", USUAL_NO_DATA.after)
