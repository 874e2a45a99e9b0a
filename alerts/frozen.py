"""Requests as they are frozen with an incident: spans and log lines as JSON, and back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from connectors.telemetry import LogLine, Span, SpanEvent
from evidence.spans import Node, Tree, deepest_cause, first_failure
from slo.wording import NBSP, plain

# Spans kept of one request, in reading order; more would not be read.
MOST_SPANS = 1000
LONGEST = 200


def spans_of(tree: Tree) -> list[dict[str, Any]]:
    """`asdict` of each span, callers before callees. The span that explains the request is always among them."""
    kept = tree.nodes[:MOST_SPANS]
    explains = cause(tree, failed=True)
    if explains is not None and explains not in kept:
        kept = (*kept, *(node for node in tree.path_to(explains) if node not in kept))
    return [asdict(node.span) for node in kept]


def lines_of(lines: Iterable[LogLine]) -> list[dict[str, Any]]:
    return [asdict(line) for line in lines]


def thaw_spans(frozen: Sequence[Mapping[str, Any]]) -> list[Span]:
    """The spans of an `Example` as they were."""
    return [Span(**{**row, "events": tuple(SpanEvent(**event) for event in row.get("events", ()))}) for row in frozen]


def thaw_lines(frozen: Sequence[Mapping[str, Any]]) -> list[LogLine]:
    """The log lines of an `Example` as they were."""
    return [LogLine(**row) for row in frozen]


def cause(tree: Tree, *, failed: bool) -> Node | None:
    """The span that explains a request: where its error began, or what took longest."""
    if failed and (began := first_failure(tree)):
        # What the root's failure leads to is surer than a failure somewhere, which may have been retried.
        return deepest_cause(tree) if any(root.failed for root in tree.roots) else began
    return deepest_cause(tree)


def in_words(node: Node, *, failed: bool) -> str:
    """`payment POST /authorize: 503 from provider-b`, or `orders-db SELECT: 3,962 ms of its own`."""
    name = f"{node.span.service} {node.span.name}".strip()
    said = (_error_of(node.span) or "failed") if failed and node.failed else f"{_ms(node.self_ns)} of its own"
    return f"{name}: {said}"[:LONGEST]


def _error_of(span: Span) -> str:
    """What the span says about its failure: its status, else the exception it recorded."""
    if span.status_message:
        return span.status_message
    for event in reversed(span.events):
        if message := event.attributes.get("exception.message") or event.attributes.get("exception.type"):
            return str(message)
    kind = span.attributes.get("error.type") or span.attributes.get("http.response.status_code")
    return f"failed with {kind}" if kind else ""


def _ms(ns: int) -> str:
    return f"{plain(timedelta(microseconds=ns / 1000) / timedelta(milliseconds=1))}{NBSP}ms"
