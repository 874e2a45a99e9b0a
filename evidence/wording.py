"""How findings speak of requests and shares."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from evidence.case import Bad
from evidence.findings import Reference
from evidence.span_table import SpanTable


@dataclass(frozen=True, slots=True)
class Words:
    """What a bad request is called ("failed requests") and what it does ("31 % of those fail")."""

    bad: str
    fail: str

    @classmethod
    def of(cls, bad: Bad) -> Self:
        if bad.error == (bad.slower_than is not None):
            return cls("bad", "are bad")
        return cls("failed", "fail") if bad.error else cls("slow", "are slow")


def percent(share: float) -> str:
    """With two significant digits ("92 %", "0.2 %"); never rounded to all or nothing."""
    if share in (0, 1):
        return f"{share * 100:.0f} %"
    if share < 0.0001:
        return "less than 0.01 %"
    if share > 0.99:
        return "more than 99 %"
    digits = 0 if share >= 0.0995 else 1 - math.floor(math.log10(share * 100))
    text = f"{share * 100:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def spoken(attributes: Mapping[str, str]) -> str:
    """A conjunction, as in "payment.method=card and region=eu-west"."""
    return " and ".join(f"{name}={value}" for name, value in attributes.items())


def milliseconds(time: float) -> str:
    """`0.4 ms`, `35 ms`, `3.8 s`."""
    if abs(time) >= 1000:
        return f"{time / 1000:.1f} s"
    return f"{time:.0f} ms" if abs(time) >= 10 else f"{time:.1f} ms"


def share(part: float) -> str:
    """`97 %`, `0.2 %`, `less than 0.1 %`."""
    if 0 < part < 0.001:
        return "less than 0.1 %"
    return f"{100 * part:.1f} %" if 0 < part < 0.1 else f"{100 * part:.0f} %"


def span_reference(spans: SpanTable, row: int) -> Reference:
    text = f"{spans.service_name(row)} {spans.operation_name(row)}"
    return Reference("trace", spans.trace_id(row), spans.span_name(row), text)
