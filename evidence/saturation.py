"""Which resource under the flow is short: its utilisation, what waits for it, and its errors, against their normal."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from connectors.telemetry import from_ns
from evidence import quantities
from evidence.call_blame import CAUSED, bayes_factor
from evidence.case import Inquiry, Interval
from evidence.deviation import Deviation, deviation
from evidence.findings import Finding, Kind, NotInvestigated, Reference, Report, Subject, Suspicion
from evidence.resources import SHARED, Aspect, Meter, limit_of, meter_of
from evidence.series import Series, SeriesTable
from evidence.signals import added, at

# Ordinary traffic moves the use of a resource by a tenth of what there is; from three tenths on it is another load.
# Averages of a minute hide the seconds in which all of it was used (Gregg 2020, section 2.3.11).
ORDINARY_RISE, FULL_RISE = 0.1, 0.3
# From this utilisation on what waits for a resource grows without bound (Gregg 2020, section 2.6.5), whatever the rise.
FULL = 0.9
# Waiting and failing weighs by how many times it rose, less than a share of which the limit is known.
WAITING = 0.7
# Use whose limit nobody knows is a hint only.
UNKNOWN_LIMIT = 0.005
# No resource is more unlikely by chance than this: metrics of hundreds of services have odd tails.
LEAST_CHANCE = 1e-4
# One value alone may be a blip, however far out it is.
LEAST_CHANCE_OF_ONE = 0.01
# From this probability on it is told; services less likely stay in the ranking.
LEAST_TOLD = 0.1
MOST_NAMED = 20
UNUSUAL = 0.05


@dataclass(frozen=True)
class Reading:
    """One resource of one instance in the incident."""

    service: str
    instance: str
    meter: Meter
    metric: str
    selector: str
    deviation: Deviation
    # Whether before and after are shares (0…1) of what there is.
    share: bool

    @property
    def severity(self) -> float:
        """How short the resource is (0…1), apart from how unusual that is."""
        rise, after = self.deviation.rise, self.deviation.after
        if rise <= 0:
            return 0.0
        if self.share:
            more = float(np.clip((rise - ORDINARY_RISE) / (FULL_RISE - ORDINARY_RISE), 0, 1))
            return max(more, 1.0 if after >= FULL and rise >= ORDINARY_RISE / 2 else 0.0)
        grown = 1.0 if self.deviation.before <= 0 else float(np.clip(after / self.deviation.before / 2 - 0.5, 0, 1))
        return grown * (UNKNOWN_LIMIT if self.meter.aspect == "utilisation" else WAITING)

    @property
    def weight(self) -> float:
        least = LEAST_CHANCE if self.deviation.count > 1 else LEAST_CHANCE_OF_ONE
        return self.severity * bayes_factor(max(self.deviation.p, least), CAUSED)


def investigate(
    inquiry: Inquiry, table: SeriesTable, topology: Sequence[tuple[str, str]] = (), owned: Sequence[str] = ()
) -> Report:
    """Ranks services by how short a resource of theirs became; nothing is blamed when none did.

    `owned` are services under the flow that its owner named beside those of `topology`; resources of services that are
    neither count as candidates only when nothing is known of either. Raises `NotInvestigated` when no metric of a
    resource is there.
    """
    found = readings(inquiry, table)
    if not found:
        raise NotInvestigated("No metric of CPU, memory, pools or queues is known for a service.")
    under = {inquiry.service, *owned, *(name for edge in topology for name in edge)}
    ours = [reading for reading in found if reading.service in under] if topology or owned else []
    worst = _worst(ours or found)
    count = len(worst)
    whole = count + sum(reading.weight for reading in worst)
    scores = {reading.service: reading.weight / whole for reading in worst}
    told = [_finding(reading, scores[reading.service]) for reading in worst if scores[reading.service] >= LEAST_TOLD]
    suspicions = [
        Suspicion(one.service, _kind(one), scores[one.service], instance=one.instance, resource=one.meter.resource)
        for one in worst[:MOST_NAMED]
    ]
    evident = bool(worst) and scores[worst[0].service] >= LEAST_TOLD
    return Report((*told, *_fine(ours or found)), tuple(suspicions) if evident else ())


def _kind(reading: Reading) -> Kind:
    return "queue" if reading.meter.resource == "queue" else "resource"


def _worst(found: Sequence[Reading]) -> list[Reading]:
    """Each service's most telling reading, the worst service first."""
    worst: dict[str, Reading] = {}
    for reading in sorted(found, key=lambda one: (-one.weight, one.deviation.p, one.service, one.metric)):
        worst.setdefault(reading.service, reading)
    return list(worst.values())


def readings(inquiry: Inquiry, table: SeriesTable) -> list[Reading]:
    """Every metric of a resource that was measured both in the incident and before it, by instance."""
    groups: dict[tuple[str, str, str], list[Series]] = defaultdict(list)
    meters: dict[str, Meter] = {}
    for series in table:
        meter = meter_of(series)
        if meter is not None and len(series) and not SHARED.search(series.name):
            meters[series.name] = meter
            groups[series.destination or series.service, series.instance, series.name].append(series)
    limits = _limits(table, meters)
    told = (_reading(inquiry, key, series, meters[key[2]], limits) for key, series in groups.items())
    return [reading for reading in told if reading is not None]


type Limits = Mapping[tuple[str, str], Mapping[str, Sequence[Series]]]


def _limits(table: SeriesTable, meters: Mapping[str, Meter]) -> Limits:
    """By metric and service, the series of its limit by instance."""
    found: dict[tuple[str, str], dict[str, list[Series]]] = defaultdict(lambda: defaultdict(list))
    for name, meter in meters.items():
        pattern = limit_of(meter, name)
        if pattern is None:
            continue
        for other in table.names:
            if other != name and pattern.search(other.replace(".", "_")):
                for series in table.named(other):
                    found[name, series.service][series.instance].append(series)
    return found


def _reading(
    inquiry: Inquiry, key: tuple[str, str, str], series: Sequence[Series], meter: Meter, limits: Limits
) -> Reading | None:
    service, instance, name = key
    times, values = added([one.as_rate() for one in series])
    share = meter.measure == "share"
    known = limits.get((name, service), {}).get(instance)
    if share:
        values = values / len(series)
        values = values / 100 if "percent" in name or "pct" in name or float(values.max(initial=0)) > 1.5 else values
    elif known:
        limit = at(times, *added(known))
        usable = limit > 0
        times, values, share = times[usable], values[usable] / limit[usable], True
    if not len(times):
        return None
    # What is before the incident is no worse a normal than the windows that were chosen for traces.
    history = (*inquiry.baseline, Interval(min(from_ns(int(times[0])), inquiry.incident.start), inquiry.incident.start))
    told = deviation(times, values, history, inquiry.incident, "linear" if share else "log", 0.02 if share else 0.1)
    return None if told is None else Reading(service, instance, meter, name, series[0].selector, told, share)


def _finding(reading: Reading, score: float) -> Finding:
    return Finding(
        question="saturation",
        statement=_statement(reading),
        score=score,
        confidence=score,
        subject=Subject(service=reading.service, instance=reading.instance, resource=reading.meter.resource),
        numbers={
            "before": reading.deviation.before,
            "after": reading.deviation.after,
            "aspect": reading.meter.aspect,
            "metric": reading.metric,
            "chance": reading.deviation.p,
        },
        references=(Reference("metric", reading.selector),),
    )


_RISES: Mapping[Aspect, str] = {
    "utilisation": "use of its {resource}",
    "saturation": "amount that waits for its {resource}",
    "errors": "errors of its {resource}",
}


def _statement(reading: Reading) -> str:
    who = f"{reading.service} ({reading.instance})" if reading.instance else reading.service
    told, resource = reading.deviation, _name(reading.meter.resource)
    if reading.share and reading.meter.aspect == "utilisation":
        before, after = quantities.percent(told.before), quantities.percent(told.after)
        return f"{who} uses {after} of its {resource} (before: {before})."
    what = _RISES[reading.meter.aspect].format(resource=resource)
    rose = "rose" if told.rise > 0 else "fell"
    return f"{who}: the {what} {rose} from {_number(told.before)} to {_number(told.after)} ({reading.metric})."


def _name(resource: str) -> str:
    return "CPU" if resource == "cpu" else resource


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2g}"


def _fine(found: Iterable[Reading]) -> Iterable[Finding]:
    """By resource, that it was looked at and is as always."""
    by_resource: dict[str, list[Reading]] = defaultdict(list)
    for reading in found:
        by_resource[reading.meter.resource].append(reading)
    for resource, of_it in sorted(by_resource.items()):
        strange = {one.service for one in of_it if one.deviation.p <= UNUSUAL and one.severity > UNKNOWN_LIMIT}
        usual = sorted({one.service for one in of_it} - strange)
        if usual:
            yield Finding(
                question="saturation",
                statement=f"{_capital(_name(resource))}: as usual in {quantities.some(usual, 6)}.",
                score=0.0,
                confidence=0.9,
                subject=Subject(resource=resource),
                numbers={"services": list(usual)},
                fine=True,
            )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
