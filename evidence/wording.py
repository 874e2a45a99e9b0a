"""How numbers and places are said in findings."""

from evidence.findings import Reference
from evidence.span_table import SpanTable


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
