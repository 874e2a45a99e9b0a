"""Documents for tests: a whole one, of which a test changes what it is about."""

from typing import Any

import yaml

ERRORS = 'http_requests_total{service="shop",code=~"5.."}'
REQUESTS = 'http_requests_total{service="shop"}'


def query(text: str) -> dict[str, Any]:
    return {"metricSource": {"type": "Prometheus", "spec": {"query": text}}}


def ratio(marked: str = ERRORS, total: str = REQUESTS, marks: str = "bad", counter: bool = True) -> dict[str, Any]:
    return {"spec": {"ratioMetric": {"counter": counter, marks: query(marked), "total": query(total)}}}


def gauge(text: str) -> dict[str, Any]:
    return {"spec": {"thresholdMetric": query(text)}}


def slo(*, annotations: dict[str, str] | None = None, name: str = "availability", **spec: Any) -> dict[str, Any]:
    """An SLO of 99.9 % over 30 days; fields of its spec as named."""
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {
            "name": name,
            "annotations": {f"fireline.dev/{key}": text for key, text in (annotations or {}).items()},
        },
        "spec": {
            "service": "shop",
            "indicator": ratio(),
            "timeWindow": [{"duration": "30d", "isRolling": True}],
            "budgetingMethod": "Occurrences",
            "objectives": [{"target": 0.999}],
        }
        | spec,
    }


def document(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "openslo/v1", "kind": kind, "metadata": {"name": name}} | fields


def text(*documents: dict[str, Any]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)
