"""A trace as a tree, made of whatever spans arrived."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.telemetry import Span, SpanKind, Status
from evidence.spans import by_service, deepest_cause, first_failure, tree

MS = 1_000_000


def make_span(
    span_id: str,
    parent_id: str = "",
    start: int = 0,
    end: int = 10,
    *,
    service: str = "shop",
    kind: SpanKind = "internal",
    status: Status = "unset",
) -> Span:
    """A span from `start` to `end` in milliseconds."""
    return Span(
        trace_id="a" * 32,
        span_id=span_id,
        parent_id=parent_id,
        service=service,
        name=span_id,
        kind=kind,
        start_ns=start * MS,
        duration_ns=(end - start) * MS,
        status=status,
    )


def names(nodes):
    return [node.span.name for node in nodes]


def self_times(spans):
    """By span id, in milliseconds."""
    return {node.span.span_id: node.self_ns / MS for node in tree(spans)}


def test_no_spans_make_an_empty_tree():
    assert len(tree([])) == 0
    assert tree([]).duration_ns == 0
    assert deepest_cause(tree([])) is None


def test_nodes_are_read_top_down_and_by_start():
    spans = [
        make_span("late", "root", 5, 9),
        make_span("leaf", "early", 2, 3),
        make_span("root", start=0, end=10),
        make_span("early", "root", 1, 4),
    ]
    assert [(node.span.name, node.depth) for node in tree(spans)] == [
        ("root", 0),
        ("early", 1),
        ("leaf", 2),
        ("late", 1),
    ]


def test_a_node_knows_its_parent_its_children_and_the_way_to_it():
    it = tree([make_span("root"), make_span("child", "root", 1, 9), make_span("leaf", "child", 2, 8)])
    leaf = it.find("leaf")
    assert leaf is not None
    assert names(it.path_to(leaf)) == ["root", "child", "leaf"]
    assert names(it.children_of(it.nodes[0])) == ["child"]
    assert it.find("nobody") is None


def test_a_span_whose_parent_is_missing_becomes_a_root_that_says_so():
    it = tree([make_span("root"), make_span("lost", "never-arrived", 2, 3)])
    assert names(it.roots) == ["root", "lost"]
    assert [node.orphan for node in it.roots] == [False, True]


def test_a_span_that_arrives_twice_counts_once():
    twice = make_span("child", "root", 2, 4)
    assert self_times([make_span("root"), twice, twice]) == {"root": 8, "child": 2}


def test_a_cycle_is_cut_at_its_earliest_span():
    spans = [make_span("b", "a", 1, 5), make_span("a", "c", 0, 9), make_span("c", "b", 2, 4), make_span("d", "c", 3, 4)]
    it = tree(spans)
    assert names(it) == ["a", "b", "c", "d"]
    assert names(it.roots) == ["a"]
    assert it.roots[0].orphan


def test_a_span_that_names_itself_as_its_parent_is_a_root():
    assert names(tree([make_span("self", "self")]).roots) == ["self"]


def test_ten_thousand_spans_in_one_line_are_no_problem():
    spans = [make_span(f"{n}", f"{n - 1}" if n else "", n, 20_000 - n) for n in range(10_000)]
    it = tree(spans)
    assert it.nodes[-1].depth == 9_999
    assert len(it.path_to(it.nodes[-1])) == 10_000
    assert sum(node.self_ns for node in it) == 20_000 * MS


def test_ten_thousand_siblings_are_no_problem():
    spans = [make_span("root", end=10_001), *(make_span(f"{n}", "root", n, n + 1) for n in range(10_000))]
    assert tree(spans).nodes[0].self_ns == 1 * MS


# -- Self time -------------------------------------------------------------------------------------------------------


def test_self_time_is_what_no_child_covers():
    assert self_times([make_span("root"), make_span("x", "root", 1, 3), make_span("y", "root", 5, 9)])["root"] == 4


def test_children_that_overlap_are_subtracted_once():
    spans = [
        make_span("root"),
        make_span("x", "root", 1, 6),
        make_span("y", "root", 2, 4),
        make_span("z", "root", 5, 8),
    ]
    assert self_times(spans)["root"] == 3


def test_a_child_that_outlives_its_parent_covers_no_more_than_the_parent():
    spans = [make_span("root"), make_span("task", "root", 4, 500)]
    assert self_times(spans) == {"root": 4, "task": 496}


def test_a_consumer_that_starts_after_its_producer_takes_nothing_from_it():
    spans = [make_span("send", end=2, kind="producer"), make_span("work", "send", 900, 1000, kind="consumer")]
    assert self_times(spans) == {"send": 2, "work": 100}


def test_a_child_of_no_duration_covers_nothing():
    assert self_times([make_span("root"), make_span("mark", "root", 5, 5)]) == {"root": 10, "mark": 0}


def test_self_time_is_summed_by_service_with_the_largest_first():
    spans = [make_span("root", end=10), make_span("call", "root", 1, 9, service="payment")]
    assert list(by_service(tree(spans)).items()) == [("payment", 8 * MS), ("shop", 2 * MS)]


@st.composite
def synchronous_traces(draw):
    """Traces in which each span's children follow each other within it."""
    spans = [make_span("0", start=0, end=draw(st.integers(0, 1000)))]
    for parent in spans:
        if len(spans) > 30:
            break
        start, end = parent.start_ns // MS, parent.end_ns // MS
        edges = sorted(draw(st.lists(st.integers(start, end), max_size=6)))
        spans += [
            make_span(f"{len(spans)}-{at}", parent.span_id, left, right)
            for at, (left, right) in enumerate(pairwise(edges))
            if at % 2 == 0
        ]
    return draw(st.permutations(spans)), spans[0].duration_ns


@given(synchronous_traces())
def test_self_times_of_a_synchronous_trace_add_up_to_its_duration(trace):
    spans, duration = trace
    assert sum(node.self_ns for node in tree(spans)) == duration


ids = st.sampled_from([*"abcdefgh", ""])
kinds: st.SearchStrategy[SpanKind] = st.sampled_from(["internal", "server", "client", "producer", "consumer"])
times = st.integers(0, 50)


@st.composite
def any_spans(draw):
    start = draw(times)
    return make_span(
        draw(st.sampled_from("abcdefgh")),
        draw(ids),
        start,
        start + draw(times),
        service=draw(st.sampled_from(["one", "two"])),
        kind=draw(kinds),
        status=draw(st.sampled_from(["unset", "error"])),
    )


@given(st.lists(any_spans(), max_size=20))
def test_whatever_arrives_each_span_has_one_place_below_its_parent_and_a_possible_self_time(spans):
    it = tree(spans)
    assert sorted(names(it)) == sorted({span.span_id for span in spans})
    for place, node in enumerate(it):
        assert 0 <= node.self_ns <= node.span.duration_ns
        assert node.parent is None or node.parent < place
        assert node.depth == (0 if node.parent is None else it.nodes[node.parent].depth + 1)
        assert all(it.nodes[child].parent == place for child in node.children)
    assert (deepest_cause(it) is None) == (not spans)


# -- Clocks ----------------------------------------------------------------------------------------------------------


def server(start, end, **more):
    return make_span("server", "client", start, end, service="payment", kind="server", **more)


def client(**more):
    return make_span("client", start=100, end=200, kind="client", **more)


def test_a_server_that_seems_to_answer_before_it_was_asked_is_moved_into_its_call():
    it = tree([client(), server(20, 80), make_span("query", "server", 30, 70, service="payment")])
    assert [node.start_ns // MS for node in it] == [100, 120, 130]
    assert [node.self_ns // MS for node in it] == [40, 20, 40]
    assert it.nodes[1].shift_ns == 100 * MS


def test_a_server_that_seems_to_run_past_the_answer_its_caller_got_is_moved_into_its_call():
    assert tree([client(), server(180, 240)]).nodes[1].start_ns == 120 * MS


def test_a_server_may_run_on_after_its_caller_gave_up():
    assert tree([client(status="error"), server(180, 240)]).nodes[1].shift_ns == 0


def test_a_server_that_took_longer_than_its_call_cannot_have_started_before_it():
    assert tree([client(), server(50, 400)]).nodes[1].start_ns == 100 * MS


def test_a_server_within_its_call_stays_where_it_is():
    assert tree([client(), server(101, 102)]).nodes[1].shift_ns == 0


def test_a_consumer_is_not_moved_before_its_message_was_sent_and_may_end_late():
    spans = [make_span("send", start=100, end=110, kind="producer")]
    early = make_span("work", "send", 40, 90, service="worker", kind="consumer")
    late = make_span("work", "send", 400, 900, service="worker", kind="consumer")
    assert tree([*spans, early]).nodes[1].start_ns == 100 * MS
    assert tree([*spans, late]).nodes[1].shift_ns == 0


def test_spans_of_one_service_share_a_clock_and_are_never_moved():
    assert tree([client(), make_span("server", "client", 20, 80, kind="server")]).nodes[1].shift_ns == 0


# -- Causes ----------------------------------------------------------------------------------------------------------


def cause(spans):
    node = deepest_cause(tree(spans))
    return node and node.span.span_id


def test_the_cause_of_a_failure_is_where_the_error_began():
    spans = [
        make_span("root", status="error"),
        make_span("call", "root", 1, 9, status="error"),
        make_span("server", "call", 2, 8, status="error"),
        make_span("fine", "server", 3, 7),
    ]
    assert cause(spans) == "server"


def test_of_several_failed_calls_the_last_one_decided():
    spans = [
        make_span("root", status="error"),
        make_span("first", "root", 1, 3, status="error"),
        make_span("retry", "root", 4, 8, status="error"),
    ]
    assert cause(spans) == "retry"


def test_a_failure_that_was_retried_with_success_is_not_why_a_request_was_slow():
    spans = [
        make_span("root", end=100),
        make_span("failed", "root", 1, 3, status="error"),
        make_span("slow", "root", 4, 90),
    ]
    assert cause(spans) == "slow"


def test_the_cause_of_slowness_is_the_span_that_worked_not_its_callers():
    spans = [make_span("root", end=100), make_span("call", "root", 1, 99), make_span("query", "call", 2, 98)]
    assert cause(spans) == "query"


def test_a_failure_below_the_failed_root_is_found_before_one_in_a_stray_part():
    spans = [
        make_span("stray", "missing", 0, 5, status="error"),
        make_span("root", start=1, end=9, status="error"),
        make_span("call", "root", 2, 8, status="error"),
    ]
    assert cause(spans) == "call"


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([make_span("root")], None),
        ([make_span("root"), make_span("call", "root", status="error")], "call"),
        (
            [
                make_span("root"),
                make_span("call", "root", 1, 9, status="error"),
                make_span("deep", "call", 2, 8, status="error"),
            ],
            "deep",
        ),
    ],
)
def test_the_first_failure_is_found_although_the_root_was_not_marked(spans, expected):
    node = first_failure(tree(spans))
    assert (node and node.span.span_id) == expected
