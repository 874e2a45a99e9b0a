"""Let `user.flow` and its companions travel with a request, so that every span and log line carries them.

The edge of a system knows which user flow a request belongs to; the services behind it do not. `enter` puts the
values into OpenTelemetry's baggage, the instrumentation carries baggage from service to service, and the span
processor and the log filter below copy it from there. Copy this file into your own services.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import baggage, context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor

KEYS = ("user.flow", "tenant", "region", "payment.method")


def carried(within: Context | None = None) -> dict[str, str]:
    """The values that the current (or the given) context carries."""
    known = baggage.get_all(within)
    return {key: str(known[key]) for key in KEYS if key in known}


@contextmanager
def enter(values: Mapping[str, str]) -> Iterator[None]:
    """Carry `values` from here on; the span that is already running gets them too."""
    trace.get_current_span().set_attributes(dict(values))
    carrying = context.get_current()
    for key, value in values.items():
        carrying = baggage.set_baggage(key, value, carrying)
    token = context.attach(carrying)
    try:
        yield
    finally:
        context.detach(token)


class CarriedSpans(SpanProcessor):
    """Copies what is carried to each span as it starts."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        span.set_attributes(carried(parent_context))


class CarriedLogs(logging.Filter):
    """Copies what is carried to each log record; belongs on a handler, not on a logger."""

    def filter(self, record: logging.LogRecord) -> bool:
        vars(record).update(carried())
        return True
