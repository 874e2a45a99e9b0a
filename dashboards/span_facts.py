"""What the drawer says about one span: what went wrong, its place in the request, and its attributes in order."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors.telemetry import LogLine, SpanEvent
from evidence.spans import Node, Tree

# OpenTelemetry's attributes that say most about a call come first, whatever order they were recorded in.
_FIRST = (
    "error.type",
    "exception.type",
    "http.response.status_code",
    "http.status_code",
    "rpc.grpc.status_code",
    "http.request.method",
    "http.method",
    "http.route",
    "url.full",
    "http.url",
    "url.path",
    "server.address",
    "server.port",
    "peer.service",
    "db.system.name",
    "db.system",
    "db.query.text",
    "db.statement",
    "messaging.system",
    "messaging.destination.name",
    "user.flow",
)
_RESOURCE_FIRST = (
    "service.name",
    "service.version",
    "service.instance.id",
    "deployment.environment.name",
    "deployment.environment",
)
_HOT = ("error.type", "exception.type")
_STATUS_CODES = ("http.response.status_code", "http.status_code")


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    value: str
    # Says that something went wrong.
    hot: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened within the span; an exception brings its stack trace."""

    name: str
    after: timedelta
    title: str
    attributes: tuple[Attribute, ...]
    stack_trace: str = ""


@dataclass(frozen=True, slots=True)
class SpanFacts:
    node: Node
    party: str
    # What went wrong, as the span says it; empty when nothing did.
    failure: str
    caller: str
    share: float
    attributes: tuple[Attribute, ...]
    resource: tuple[Attribute, ...]
    events: tuple[Event, ...]
    lines: tuple[LogLine, ...]
    starts_after_ns: int


def facts(tree: Tree, node: Node, party: str, lines: tuple[LogLine, ...]) -> SpanFacts:
    """Everything there is to say about a span of the tree; `lines` are those of the whole request."""
    caller = tree.parent_of(node)
    return SpanFacts(
        node=node,
        party=party,
        failure=failure(node),
        caller=caller.span.service if caller else "",
        share=node.self_ns / (sum(one.self_ns for one in tree) or 1),
        attributes=ordered(node.span.attributes, _FIRST),
        resource=ordered(node.span.resource, _RESOURCE_FIRST),
        events=tuple(_event(node, event) for event in node.span.events),
        lines=tuple(line for line in lines if line.span_id == node.span.span_id),
        starts_after_ns=node.start_ns - tree.start_ns,
    )


def failure(node: Node) -> str:
    """What a failed span says about itself: its status, else its exception, else its error type or status code."""
    if not node.failed:
        return ""
    span = node.span
    if span.status_message:
        return span.status_message
    for event in reversed(span.events):
        if message := event.attributes.get("exception.message") or event.attributes.get("exception.type"):
            return str(message)
    kind = next((span.attributes[key] for key in (*_HOT, *_STATUS_CODES) if span.attributes.get(key)), "")
    return f"Failed with {kind}" if kind else "Failed, and does not say why"


def ordered(attributes: Mapping[str, Any], first: tuple[str, ...] = ()) -> tuple[Attribute, ...]:
    """The best known ones first, then the others by name."""
    rank = {name: place for place, name in enumerate(first)}
    names = sorted(attributes, key=lambda name: (rank.get(name, len(rank)), name))
    return tuple(Attribute(name, printed(attributes[name]), _hot(name, attributes[name])) for name in names)


def printed(value: object) -> str:
    """An attribute's value as text; lists and maps as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _hot(name: str, value: object) -> bool:
    if name in _STATUS_CODES:
        return str(value)[:1] == "5"
    return name in _HOT


def _event(node: Node, event: SpanEvent) -> Event:
    attributes = dict(event.attributes)
    stack_trace = str(attributes.pop("exception.stacktrace", ""))
    title = " ".join(_exception(attributes)) if event.name == "exception" else event.name
    after = timedelta(microseconds=(event.at_ns - node.span.start_ns) / 1000)
    return Event(event.name, after, title, ordered(attributes), stack_trace)


def _exception(attributes: dict[str, Any]) -> Iterator[str]:
    """Type and message, which then need no rows of their own."""
    kind, message = attributes.pop("exception.type", ""), attributes.pop("exception.message", "")
    if kind:
        yield f"{kind}:" if message else str(kind)
    if message:
        yield str(message)
    if not kind and not message:
        yield "exception"
