"""Three requests and four log lines of a small shop, as every store of the contract tests holds them."""

from datetime import UTC, datetime, timedelta

from connectors.telemetry import LogLine, Span, SpanEvent, to_ns

SINCE = datetime(2026, 3, 1, 14, 0, tzinfo=UTC)
UNTIL = datetime(2026, 3, 1, 14, 10, tzinfo=UTC)
FAILED = "07c1d2e3f4a5b6978897a6b5c4d3e2f1"
HEALTHY = "1b2a39485766758493a2b1c0dfeefd0c"
# Its callee failed once and was asked again: slow, but no failure for its caller.
RETRIED = "52e63f7a8b9c0d1e2f3a4b5c6d7e8f90"
UNKNOWN = "ffffffffffffffffffffffffffffff99"

GATEWAY = {"service.name": "gateway", "service.version": "1.4.0"}
PAYMENT = {"service.name": "payment", "service.version": "2026.11.3"}
LOGIN = {"service.name": "auth"}


def at(clock: str) -> int:
    """`14:03:00.805` on the day of these requests, as Unix nanoseconds."""
    moment = datetime.fromisoformat(f"2026-03-01T{clock}").replace(tzinfo=UTC)
    return to_ns(moment)


def ms(number: int) -> int:
    return number * 1_000_000


SPANS = (
    Span(
        FAILED,
        "00f067aa0ba902b7",
        "",
        "gateway",
        "POST /checkout",
        "server",
        at("14:03:00"),
        ms(820),
        "error",
        "503",
        {"user.flow": "checkout", "http.route": "/checkout", "payment.method": "card"},
        GATEWAY,
    ),
    Span(
        FAILED,
        "a1b2c3d4e5f60718",
        "00f067aa0ba902b7",
        "payment",
        "POST /authorize",
        "server",
        at("14:03:00.010"),
        ms(800),
        "error",
        "",
        {"user.flow": "checkout", "payment.method": "card"},
        PAYMENT,
        (SpanEvent(at("14:03:00.805"), "exception", {"exception.type": "Timeout", "exception.message": "no answer"}),),
    ),
    Span(
        FAILED,
        "b2c3d4e5f6071829",
        "a1b2c3d4e5f60718",
        "payment",
        "provider-b authorize",
        "client",
        at("14:03:00.020"),
        ms(780),
        "error",
        "timed out",
        {"peer.service": "provider-b"},
        PAYMENT,
    ),
    Span(
        HEALTHY,
        "0a0b0c0d0e0f1011",
        "",
        "gateway",
        "POST /checkout",
        "server",
        at("14:02:30"),
        ms(90),
        attributes={"user.flow": "checkout", "http.route": "/checkout", "payment.method": "invoice"},
        resource=GATEWAY,
    ),
    Span(
        HEALTHY,
        "1213141516171819",
        "0a0b0c0d0e0f1011",
        "payment",
        "POST /authorize",
        "server",
        at("14:02:30.020"),
        ms(40),
        attributes={"user.flow": "checkout", "payment.method": "invoice"},
        resource=PAYMENT,
    ),
    Span(
        RETRIED,
        "2223242526272829",
        "",
        "gateway",
        "POST /login",
        "server",
        at("14:02:00"),
        ms(1500),
        attributes={"user.flow": "login", "http.route": "/login"},
        resource=GATEWAY,
    ),
    Span(
        RETRIED,
        "3233343536373839",
        "2223242526272829",
        "auth",
        "check password",
        "internal",
        at("14:02:00.100"),
        ms(700),
        "error",
        "database is locked",
        {"user.flow": "login"},
        LOGIN,
    ),
)

LINES = (
    LogLine(at("14:01:10"), 9, "configuration read", "gateway", resource=GATEWAY),
    LogLine(at("14:02:30.050"), 9, "authorised by invoice", "payment", HEALTHY, "1213141516171819", resource=PAYMENT),
    LogLine(
        at("14:03:00.805"),
        17,
        "authorize timed out after 780 ms provider=provider-b",
        "payment",
        FAILED,
        "b2c3d4e5f6071829",
        {"user.flow": "checkout", "provider": "provider-b"},
        PAYMENT,
    ),
    LogLine(
        at("14:03:00.815"), 13, "answering 503 [checkout]", "gateway", FAILED, "00f067aa0ba902b7", resource=GATEWAY
    ),
)


def spans_of(trace_id: str) -> list[Span]:
    return [span for span in SPANS if span.trace_id == trace_id]


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)
