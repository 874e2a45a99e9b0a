"""Requests as the embedded store receives them: a checkout that calls payment, which calls a provider."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import count

from connectors.telemetry import LogLine, Span, Status, to_ns
from telemetry.store import record_logs, record_spans

_number = count(1)
MS = 1_000_000


def request(
    at: datetime,
    *,
    failed: bool = False,
    ms: int = 200,
    flow: str = "checkout",
    region: str = "eu-west",
    trace_id: str = "",
    lines: Sequence[str] = (),
) -> str:
    """Store one request of three spans; a failed one fails at the provider. Answers its trace id."""
    trace_id = trace_id or f"{next(_number):032x}"
    record_spans(spans_of(trace_id, at, failed=failed, ms=ms, flow=flow, region=region), at)
    record_logs(
        [
            LogLine(to_ns(at) + n, 17, text, service="payment", trace_id=trace_id, span_id=f"{2:016x}")
            for n, text in enumerate(lines)
        ]
    )
    return trace_id


def spans_of(
    trace_id: str, at: datetime, *, failed: bool = False, ms: int = 200, flow: str = "checkout", region: str = "eu-west"
) -> list[Span]:
    status: Status = "error" if failed else "unset"
    start = to_ns(at)

    def span(number: int, service: str, name: str, kind: str, message: str = "") -> Span:
        return Span(
            trace_id=trace_id,
            span_id=f"{number:016x}",
            parent_id=f"{number - 1:016x}" if number > 1 else "",
            service=service,
            name=name,
            kind="server" if kind == "server" else "client",
            start_ns=start + number * MS,
            duration_ns=(ms - 2 * number) * MS,
            status=status,
            status_message=message if failed else "",
            attributes={"user.flow": flow, "region": region},
            resource={"service.name": service},
        )

    return [
        span(1, "checkout", "POST /checkout", "server"),
        span(2, "payment", "POST /payments", "client"),
        span(3, "provider-b", "POST /authorize", "server", "provider-b timed out after 4,000 ms"),
    ]


def requests(at: datetime, how_many: int, apart: timedelta = timedelta(seconds=1), **fields: object) -> list[str]:
    return [request(at + n * apart, **fields) for n in range(how_many)]  # type: ignore[arg-type]
