"""A few requests that stand for many."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.telemetry import Span
from evidence.examples import Candidate, Role, choose, part_of


def make_candidate(trace_id: str, role: Role = "bad", start: int = 0, exemplar: bool = False, **part: str) -> Candidate:
    return Candidate(trace_id=trace_id, role=role, start_ns=start, part=part, exemplar=exemplar)


def ids(candidates):
    return [candidate.trace_id for candidate in candidates]


def test_nothing_to_choose_from_gives_nothing():
    assert choose([]) == []


def test_failed_requests_come_before_slow_ones_and_both_before_normal_ones():
    candidates = [make_candidate("n", "normal"), make_candidate("s", "slow"), make_candidate("b", "bad")]
    assert ids(choose(candidates)) == ["b", "s", "n"]


def test_slow_requests_get_the_room_that_failed_ones_leave():
    candidates = [
        *(make_candidate(f"b{n}") for n in range(4)),
        *(make_candidate(f"s{n}", "slow") for n in range(9)),
        *(make_candidate(f"n{n}", "normal") for n in range(9)),
    ]
    assert [candidate.role for candidate in choose(candidates, bad=6, normal=2)] == [
        *["bad"] * 4,
        *["slow"] * 2,
        *["normal"] * 2,
    ]


def test_a_rare_part_is_shown_beside_a_frequent_one():
    candidates = [make_candidate(f"eu{n}", start=n, region="eu") for n in range(50)]
    candidates.append(make_candidate("us", start=0, region="us"))
    assert ids(choose(candidates, bad=2)) == ["eu49", "us"]


def test_examples_go_round_the_parts_when_there_is_room_for_more():
    candidates = [make_candidate(f"{region}{n}", start=n, region=region) for region in ("eu", "us") for n in range(5)]
    assert [trace[:2] for trace in ids(choose(candidates, bad=4))] == ["eu", "us", "eu", "us"]


def test_an_exemplar_is_preferred_to_a_newer_request_of_the_same_part():
    candidates = [make_candidate("newer", start=9), make_candidate("exemplar", start=1, exemplar=True)]
    assert ids(choose(candidates, bad=1)) == ["exemplar"]


def test_a_trace_found_in_two_ways_is_shown_once_and_as_what_is_worse():
    candidates = [make_candidate("t", "slow"), make_candidate("t", "bad"), make_candidate("t", "normal")]
    assert [(candidate.trace_id, candidate.role) for candidate in choose(candidates)] == [("t", "bad")]


def test_a_failed_request_that_finds_no_room_is_not_shown_as_a_normal_one():
    assert choose([make_candidate("t", "bad"), make_candidate("t", "normal")], bad=0) == []


roles: st.SearchStrategy[Role] = st.sampled_from(["bad", "slow", "normal"])
candidate_lists = st.lists(
    st.builds(
        Candidate,
        trace_id=st.sampled_from("abcdefghijkl"),
        role=roles,
        start_ns=st.integers(0, 9),
        part=st.dictionaries(st.sampled_from(["region", "tenant"]), st.sampled_from("xyz")),
    ),
    max_size=30,
)


@given(candidate_lists, st.integers(0, 8), st.integers(0, 4))
def test_no_more_are_chosen_than_there_is_room_for_and_none_twice(candidates, bad, normal):
    chosen = choose(candidates, bad=bad, normal=normal)
    assert sum(candidate.role != "normal" for candidate in chosen) <= bad
    assert sum(candidate.role == "normal" for candidate in chosen) <= normal
    assert len(set(ids(chosen))) == len(chosen)


@given(candidate_lists, st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_in_which_stores_answer(candidates, random):
    unique = list({candidate.trace_id: candidate for candidate in candidates}.values())
    shuffled = random.sample(unique, len(unique))
    assert choose(unique) == choose(shuffled)


def make_span(parent_id: str = "", start: int = 0, resource=None, **attributes) -> Span:
    return Span(
        trace_id="a" * 32,
        span_id=f"{start:016x}",
        parent_id=parent_id,
        service="shop",
        name="GET",
        kind="server",
        start_ns=start,
        duration_ns=1,
        attributes=attributes,
        resource=resource or {},
    )


def test_the_part_is_what_the_outermost_span_says():
    spans = [make_span("p", 1, region="inner"), make_span("", 5, region="outer", tenant=7)]
    assert part_of(spans, ("region", "tenant", "absent")) == {"region": "outer", "tenant": "7"}


def test_the_part_may_come_from_the_resource():
    assert part_of([make_span(resource={"service.version": "2.4.1"})]) == {"service.version": "2.4.1"}


def test_values_that_are_no_words_tell_no_parts_apart():
    assert part_of([make_span(region=["a"], tenant="")], ("region", "tenant")) == {}
