"""Recording and alerting rules for Prometheus, with the metric and label names that Sloth's users know.

What differs from Fireline's own measuring is listed with them: rules extrapolate, and know no confidence.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils.text import slugify

from slo import wording
from slo.counting import Matcher, selector
from slo.definition import Definition
from slo.documents import durations, error_ratios, yaml_text
from slo.tiers import Severity, Tier

CURRENT = timedelta(minutes=5)
ERROR = "slo:sli_error:ratio_rate"
# Counts of the last 5 minutes, so that long windows can add events up instead of averaging ratios.
BAD = "fireline:sli_bad:increase5m"
EVENTS = "fireline:sli_events:increase5m"
ROLLING = "{title}: Prometheus has no calendar; the rules take a rolling window of {window} instead."
DIFFERENCES = (
    "These rules fire on burn rates alone. Fireline itself also asks for confidence and a number of bad events, counts "
    "each increment instead of extrapolating, leaves maintenance out, and lets a page silence its tickets."
)
CLASSIC = (
    "{title}: the rules read {metric}_bucket and {metric}_count. Where {metric} is a native histogram there are none "
    "of these, and the rules find nothing: write them with --native-histograms."
)
INTERPOLATED = "{title}: the rules read {metric} as a native histogram, which needs Prometheus 2.40 or later."
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_PLAIN = re.compile(r"[a-zA-Z0-9_-]+")


@dataclass(slots=True)
class Rules:
    text: str
    # A sentence for everything that rules cannot do as Fireline does.
    losses: list[str] = field(default_factory=list)


def write(definitions: Sequence[Definition], native: bool = False) -> Rules:
    """A rule file for Prometheus. With `native`, latencies are counted by native histograms.

    Raises `ValueError` for an SLI that lacks a part, and for two of one name.
    """
    losses = [DIFFERENCES] if definitions else []
    groups, known = list[dict[str, Any]](), set[str]()
    for definition in definitions:
        ids = _ids(definition)
        if ids["sloth_id"] in known:
            raise ValueError(f"Two objectives have the id {ids['sloth_id']}. Give them names that tell them apart.")
        known.add(ids["sloth_id"])
        losses += _losses(definition, native)
        if native:
            definition = replace(definition, sli=error_ratios.native(definition.sli))
        groups += _groups(definition, ids)
    return Rules(yaml_text.dump([{"groups": groups}]), losses)


def _losses(definition: Definition, native: bool) -> Iterable[str]:
    if definition.sli.kind == "latency" and not definition.sli.by_expression:
        yield (INTERPOLATED if native else CLASSIC).format(title=definition.name, metric=definition.sli.metric)
    if definition.window.calendar:
        yield ROLLING.format(title=definition.name, window=wording.duration(definition.window.length))
    for name in definition.labels:
        if not _is_label(name):
            yield f"{definition.name}: Prometheus cannot carry the label {name!r}, so it was left out."


def _groups(definition: Definition, ids: dict[str, str]) -> list[dict[str, Any]]:
    labels = {name: text for name, text in definition.labels.items() if _is_label(name)}
    parts = {
        "sli-recordings": _sli_rules(definition, ids, labels),
        "meta-recordings": _meta_rules(definition, ids, labels),
        "alerts": _alert_rules(definition, ids, labels),
    }
    return [{"name": f"sloth-slo-{name}-{ids['sloth_id']}", "rules": rules} for name, rules in parts.items() if rules]


# -- Error ratios
def _sli_rules(definition: Definition, ids: dict[str, str], labels: dict[str, str]) -> list[dict[str, Any]]:
    counts = error_ratios.counts(definition, CURRENT)
    rules = [
        _record(name, expression, labels | ids) for name, expression in zip((BAD, EVENTS), counts or (), strict=False)
    ]
    for window in _windows(definition):
        name = durations.text(window)
        expression = (
            _summed(definition, ids, window)
            if window > error_ratios.LONGEST
            else error_ratios.ratio(definition, window)
        )
        rules.append(_record(f"{ERROR}{name}", expression, labels | ids | {"sloth_window": name}))
    return rules


def _windows(definition: Definition) -> list[timedelta]:
    """Every window that a rule needs, the shortest first: 5 minutes for the present, and the objective's own."""
    of_tiers = (length for tier in definition.tiers for length in (tier.long, tier.short))
    return sorted({CURRENT, *of_tiers, definition.window.length})


def _summed(definition: Definition, ids: dict[str, str], window: timedelta) -> str:
    """The ratio of a long window, from what was recorded of short ones."""
    length = durations.text(window)
    if error_ratios.counts(definition, CURRENT) is None:
        # Of time slices each weighs the same: here the average is right.
        return f"avg_over_time({_of(ids, f'{ERROR}{durations.text(CURRENT)}')}[{length}])"
    bad, events = (f"sum_over_time({_of(ids, name)}[{length}])" for name in (BAD, EVENTS))
    return f"{bad} / ({events} > 0)"


# -- What the objective is, and how it stands
def _meta_rules(definition: Definition, ids: dict[str, str], labels: dict[str, str]) -> list[dict[str, Any]]:
    period = durations.text(definition.window.length)
    now, whole = _of(ids, f"{ERROR}{durations.text(CURRENT)}"), _of(ids, f"{ERROR}{period}")
    budget = f"on(sloth_id, sloth_slo, sloth_service) group_left() {_of(ids, 'slo:error_budget:ratio')}"
    days = Decimal(str(definition.window.length / timedelta(days=1)))
    recorded = {
        "slo:objective:ratio": f"vector({definition.target:f})",
        "slo:error_budget:ratio": f"vector({1 - definition.target:f})",
        "slo:time_period:days": f"vector({days.normalize():f})",
        "slo:current_burn_rate:ratio": f"max without(sloth_window) ({now}) / {budget}",
        "slo:period_burn_rate:ratio": f"max without(sloth_window) ({whole}) / {budget}",
        "slo:period_error_budget_remaining:ratio": f"1 - {_of(ids, 'slo:period_burn_rate:ratio')}",
    }
    rules = [_record(name, expression, labels | ids) for name, expression in recorded.items()]
    about = {
        "sloth_mode": "fireline",
        "sloth_objective": f"{(definition.target * 100).normalize():f}",
        "sloth_spec": "openslo/v1",
        "sloth_version": "fireline",
    }
    return [*rules, _record("sloth_slo_info", "vector(1)", labels | ids | about)]


# -- Alerts
def _alert_rules(definition: Definition, ids: dict[str, str], labels: dict[str, str]) -> list[dict[str, Any]]:
    severities: tuple[Severity, ...] = ("page", "ticket")
    burning = [_burning(definition, ids, severity) for severity in severities]
    return [
        {
            "alert": f"{_camel(ids['sloth_id'])}{name}",
            "expr": expression,
            "labels": {**labels, "sloth_severity": severity},
            "annotations": {"title": _literal(title), "summary": _literal(summary)},
        }
        for name, expression, severity, title, summary in [
            *burning,
            *_budget(definition, ids),
            *_silent(definition, ids),
        ]
        if expression
    ]


type _Alert = tuple[str, str, Severity, str, str]


def _burning(definition: Definition, ids: dict[str, str], severity: Severity) -> _Alert:
    tiers = [tier for tier in definition.tiers if tier.severity == severity]
    expression = "\nor\n".join(_tier(definition, ids, tier) for tier in tiers)
    title = f"({severity}) {_title(definition)} burns its budget"
    summary = f"Both windows of a tier burn faster than {definition.target:f} over {_period(definition)} can bear."
    return "BurnsBudget", expression, severity, title, summary


def _tier(definition: Definition, ids: dict[str, str], tier: Tier) -> str:
    limit = f"({tier.factor(definition.window.length).normalize():f} * {1 - definition.target:f})"
    short, long = (
        f"max without(sloth_window) ({_of(ids, f'{ERROR}{durations.text(length)}')} > {limit})"
        for length in (tier.short, tier.long)
    )
    return f"(\n  {short}\n  and\n  {long}\n)"


def _budget(definition: Definition, ids: dict[str, str]) -> Iterable[_Alert]:
    remaining = _of(ids, "slo:period_error_budget_remaining:ratio")
    for alert in definition.budget_alerts:
        spent = f"{(alert.spent * 100).normalize():f}"
        yield (
            f"Spent{spent.replace('.', '_')}Percent",
            f"{remaining} <= {(1 - alert.spent).normalize():f}",
            alert.severity,
            f"({alert.severity}) {_title(definition)} has spent {spent} % of its budget",
            f"At least {spent} % of the budget of {_period(definition)} is spent.",
        )


def _silent(definition: Definition, ids: dict[str, str]) -> Iterable[_Alert]:
    if definition.no_data is None:
        return
    counted = error_ratios.counts(definition, CURRENT) is not None
    recorded = _of(ids, EVENTS if counted else f"{ERROR}{durations.text(CURRENT)}")
    after = durations.text(definition.no_data.after)
    yield (
        "NoData",
        f"absent_over_time({recorded}[{after}])",
        definition.no_data.severity,
        f"({definition.no_data.severity}) {_title(definition)} is not measured",
        f"Nothing was measured for {after}, so that nobody knows whether it is well.",
    )


# -- Words and names
def _record(name: str, expression: str, labels: dict[str, str]) -> dict[str, Any]:
    return {"record": name, "expr": expression, "labels": dict(labels)}


def _of(ids: dict[str, str], metric: str) -> str:
    return selector(metric, [Matcher(label, "=", value) for label, value in ids.items()])


def _ids(definition: Definition) -> dict[str, str]:
    service, slo = _name(definition.flow) or "fireline", _name(definition.name) or "objective"
    return {"sloth_id": f"{service}-{slo}", "sloth_service": service, "sloth_slo": slo}


def _name(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else slugify(text)


def _is_label(name: str) -> bool:
    return bool(_LABEL.fullmatch(name)) and not name.startswith(("__", "sloth_"))


def _camel(text: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in re.split(r"[^a-zA-Z0-9]+", text))


def _title(definition: Definition) -> str:
    return f"{definition.flow}: {definition.name}" if definition.flow else definition.name


def _period(definition: Definition) -> str:
    return durations.text(definition.window.length)


def _literal(text: str) -> str:
    """Annotations are templates; names are not."""
    return text.replace("{{", '{{ "{{" }}')
