"""Rules as Sloth generates them for one objective: eight windows, seven about the objective, two alerts. A helper."""

from collections.abc import Iterator
from typing import Any

import yaml

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
PERIOD = "30d"
# How many there are for one objective.
RULES = 17
RATIO = "slo:sli_error:ratio_rate"
# Factor, long and short window of each severity, for 30 days.
TIERS = {"page": ((14.4, "1h", "5m"), (6, "6h", "30m")), "ticket": ((3, "1d", "2h"), (1, "3d", "6h"))}


def rule_file(objectives: dict[str, tuple[str, str]], allowed: float) -> str:
    """For each objective, by name, its bad and all events: expressions with `{{window}}` in them."""
    groups = [group for name, (bad, total) in objectives.items() for group in _groups(name, bad, total, allowed)]
    return yaml.safe_dump({"groups": groups}, width=10_000)


def _groups(name: str, bad: str, total: str, allowed: float) -> Iterator[dict[str, Any]]:
    labels = {"sloth_id": name, "sloth_service": name, "sloth_slo": "availability"}
    ratios = [_record(f"{RATIO}{window}", _ratio(bad, total, window), labels, window) for window in WINDOWS]
    recorded = f"{RATIO}5m{_ids(name)}[{PERIOD}]"
    period = f"sum_over_time({recorded}) / ignoring(sloth_window) count_over_time({recorded})"
    yield {
        "name": f"sloth-slo-sli-recordings-{name}",
        "rules": [*ratios, _record(f"{RATIO}{PERIOD}", period, labels, PERIOD)],
    }
    about = _about(name, allowed)
    yield {
        "name": f"sloth-slo-meta-recordings-{name}",
        "rules": [_record(metric, expression, labels) for metric, expression in about.items()],
    }
    yield {"name": f"sloth-slo-alerts-{name}", "rules": [_alert(name, severity, allowed) for severity in TIERS]}


def _about(name: str, allowed: float) -> dict[str, str]:
    ids = _ids(name)
    budget = f"on(sloth_id, sloth_slo, sloth_service) group_left() slo:error_budget:ratio{ids}"
    return {
        "slo:objective:ratio": f"vector({1 - allowed})",
        "slo:error_budget:ratio": f"vector({allowed})",
        "slo:time_period:days": "vector(30)",
        "slo:current_burn_rate:ratio": f"{RATIO}5m{ids} / {budget}",
        "slo:period_burn_rate:ratio": f"{RATIO}{PERIOD}{ids} / {budget}",
        "slo:period_error_budget_remaining:ratio": f"1 - slo:period_burn_rate:ratio{ids}",
        "sloth_slo_info": "vector(1)",
    }


def _alert(name: str, severity: str, allowed: float) -> dict[str, Any]:
    burning = (
        " and ".join(
            f"max without(sloth_window) ({RATIO}{window}{_ids(name)} > ({factor} * {allowed}))"
            for window in (short, long)
        )
        for factor, long, short in TIERS[severity]
    )
    return {
        "alert": f"{name}-{severity}",
        "expr": " or ".join(f"({tier})" for tier in burning),
        "labels": {"sloth_severity": severity},
    }


def _ratio(bad: str, total: str, window: str) -> str:
    return f"({bad})\n/\n({total})".replace("{{window}}", window)


def _record(metric: str, expression: str, labels: dict[str, str], window: str = "") -> dict[str, Any]:
    return {"record": metric, "expr": expression, "labels": labels | ({"sloth_window": window} if window else {})}


def _ids(name: str) -> str:
    return f'{{sloth_id="{name}", sloth_service="{name}", sloth_slo="availability"}}'
