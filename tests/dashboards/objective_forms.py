"""The objective's form as a browser sends it."""

from typing import Any

from slo.models import Objective
from telemetry.models import Source

TIERS = {
    "tier_severity": ["page", "ticket"],
    "tier_long": ["3600", "86400"],
    "tier_short": ["300", "7200"],
    "tier_share": ["2", "10"],
}


def filled(source: Source, **changed: Any) -> dict[str, Any]:
    """A complete form: failed requests of the checkout, 99.9 % over 7 days."""
    return {
        "name": "Availability",
        "source": source.pk,
        "counting": "events",
        "metric": "requests_total",
        "match_label": ["service"],
        "match_op": ["="],
        "match_value": ["checkout"],
        "bad_label": ["code"],
        "bad_op": ["=~"],
        "bad_value": ["5.."],
        "threshold": "",
        "total_expression": "",
        "bad_expression": "",
        "target": "99.9",
        "window": str(7 * 86_400),
        **TIERS,
        **changed,
    }


def only() -> Objective:
    return Objective.objects.get()
