import random

import numpy as np
import pytest

from connectors.telemetry import Span, SpanKind
from evidence.interning import MOST_VALUES
from evidence.span_table import SpanBuilder, SpanTable, from_spans
from evidence.spans import tree

MS = 1_000_000


def make_span(
    span_id: str,
    parent_id: str = "",
    start: int = 0,
    duration: int = 100,
    service: str = "shop",
    kind: SpanKind = "server",
    trace_id: str = "a",
    **fields: object,
) -> Span:
    """Times in milliseconds."""
    return Span(
        trace_id,
        span_id,
        parent_id,
        service,
        span_id,
        kind,
        start * MS,
        duration * MS,
        **fields,  # type: ignore[arg-type]
    )


def self_ms(table: SpanTable) -> dict[str, float]:
    return {table.operation_name(row): float(table.self_ns[row]) / MS for row in range(len(table))}


def parent_names(table: SpanTable) -> dict[str, str]:
    above = {row: int(table.parent[row]) for row in range(len(table))}
    return {table.operation_name(row): table.operation_name(up) if up >= 0 else "" for row, up in above.items()}


def test_time_in_which_children_overlap_is_taken_off_once():
    table = from_spans([make_span("root"), make_span("x", "root", 10, 50), make_span("y", "root", 30, 50)])
    assert self_ms(table)["root"] == 30


def test_a_child_that_outlives_its_parent_only_covers_what_they_share():
    table = from_spans([make_span("root"), make_span("late", "root", 80, 500, kind="internal")])
    assert self_ms(table)["root"] == 80


def test_many_parents_do_not_share_the_time_that_is_covered():
    spans = [make_span("r"), make_span("a", "r", 0, 60), make_span("b", "r", 60, 40), make_span("c", "b", 60, 30)]
    assert self_ms(from_spans(spans)) == {"r": 0, "a": 60, "b": 10, "c": 30}


def test_a_span_whose_parent_is_missing_is_a_root_and_says_so():
    table = from_spans([make_span("stray", "nowhere")])
    assert table.parent.tolist() == [-1]
    assert table.orphan.tolist() == [True]


def test_a_repeated_span_counts_once():
    table = from_spans(
        [make_span("root"), make_span("root"), make_span("x", "root", 0, 40), make_span("x", "root", 0, 40)]
    )
    assert self_ms(table) == {"root": 60, "x": 40}


def test_the_same_span_id_in_two_traces_is_two_spans():
    table = from_spans([make_span("root"), make_span("x", "root", 0, 40), make_span("root", trace_id="b")])
    assert [table.trace_id(row) for row in range(len(table))] == ["a", "a", "b"]
    assert table.self_ns.tolist() == [60 * MS, 40 * MS, 100 * MS]


def test_a_cycle_is_cut_at_its_earliest_span():
    table = from_spans([make_span("x", "y", 10, 20), make_span("y", "x", 0, 50), make_span("z", "x", 12, 5)])
    assert parent_names(table) == {"y": "", "x": "y", "z": "x"}


def test_a_span_that_is_its_own_parent_is_a_root():
    assert parent_names(from_spans([make_span("x", "x")])) == {"x": ""}


def test_a_callee_whose_clock_is_behind_is_moved_into_its_callers_time():
    call = make_span("call", start=1000, duration=100, kind="client")
    table = from_spans([call, make_span("answer", "call", start=0, duration=60, service="stock")])
    assert self_ms(table) == {"call": 40, "answer": 60}
    assert int(table.shift_ns.max()) == 1020 * MS


def test_spans_come_sorted_by_trace_whatever_their_order():
    spans = [make_span("r", trace_id="a"), make_span("r", trace_id="b"), make_span("x", "r", 5, 1, trace_id="a")]
    table = from_spans(spans)
    assert table.trace.tolist() == [0, 0, 1]
    assert table.first_row.tolist() == [0, 2, 3]


def test_the_root_that_says_how_a_request_went_is_no_stray_part():
    spans = [make_span("stray", "gone", 0, 900), make_span("root", "", 1, 100), make_span("other", "", 2, 50)]
    table = from_spans(spans)
    assert [table.operation_name(row) for row in table.root] == ["root"]


def test_a_very_deep_chain_is_no_trouble():
    spans = [make_span(str(n), str(n - 1) if n else "", n, 20_000 - n, kind="internal") for n in range(5_000)]
    table = from_spans(spans)
    assert int(table.depth.max()) == 4_999
    assert set(table.self_ns[:-1].tolist()) == {MS}


def test_names_that_are_urls_are_one_operation():
    builder = SpanBuilder()
    origin = builder.origin("shop", {})
    for number in range(3):
        builder.add(origin, "a", f"{number:016x}", "", f"GET /orders/{8000 + number}?full=1", 0, 1)
    assert set(builder.table().operations) == {"GET /orders/<*>"}


def test_an_attribute_is_looked_up_on_the_span_then_on_its_resource():
    table = from_spans(
        [
            make_span("x", start=0, attributes={"region": "west"}, resource={"region": "east"}),
            make_span("y", start=1, resource={"region": "east"}),
            make_span("z", start=2),
        ]
    )
    found = table.values("region")
    assert [table.combos.pairs[pair][1] if pair >= 0 else None for pair in found] == ["west", "east", None]


def test_an_identifier_as_attribute_does_not_fill_the_memory():
    builder = SpanBuilder()
    origin = builder.origin("shop", {})
    for number in range(MOST_VALUES + 10):
        builder.add(origin, "a", f"{number + 1:016x}", "", "x", 0, 1, attributes={"request.id": number, "way": "in"})
    table = builder.table()
    assert len(table.combos.pairs) == MOST_VALUES + 1
    assert table.combos.crowded == {"request.id"}


def test_links_lead_from_row_to_row_across_traces():
    builder = SpanBuilder()
    origin = builder.origin("shop", {})
    builder.add(origin, "a", "a" * 16, "", "publish", 0, 1)
    builder.add(origin, "b", "b" * 16, "", "process", 5, 1, links=[("a", "a" * 16), ("gone", "c" * 16)])
    assert builder.table().links.tolist() == [[0, 1]]


def test_no_spans_make_an_empty_table():
    table = SpanBuilder().table()
    assert (len(table), table.root.tolist(), table.first_row.tolist()) == (0, [], [0])


@pytest.mark.parametrize("seed", range(30))
def test_many_traces_at_once_come_out_as_each_does_alone(seed: int):
    drawn = random.Random(seed)
    kinds: tuple[SpanKind, ...] = ("server", "client", "internal", "producer", "consumer")
    traces = [
        [
            make_span(
                f"s{number}",
                drawn.choice(["", "gone", *(f"s{other}" for other in range(12))]),
                drawn.randrange(200),
                drawn.randrange(1, 150),
                drawn.choice(["shop", "stock", "pay"]),
                drawn.choice(kinds),
                trace_id,
                status=drawn.choice(["unset", "error"]),
            )
            for number in range(12)
        ]
        for trace_id in "abc"
    ]
    table = from_spans([span for spans in traces for span in spans])
    for trace_id, spans in zip("abc", traces, strict=True):
        alone = {node.span.span_id: (node.self_ns, node.shift_ns, node.depth) for node in tree(spans)}
        rows = [row for row in range(len(table)) if table.trace_id(row) == trace_id]
        assert alone == {
            table.operation_name(row): (int(table.self_ns[row]), int(table.shift_ns[row]), int(table.depth[row]))
            for row in rows
        }


def test_self_time_is_never_negative_nor_longer_than_the_span():
    drawn = random.Random(4)
    spans = [make_span(f"s{n}", f"s{drawn.randrange(50)}", drawn.randrange(99), drawn.randrange(99)) for n in range(50)]
    table = from_spans(spans)
    assert np.all((table.self_ns >= 0) & (table.self_ns <= table.duration_ns))
