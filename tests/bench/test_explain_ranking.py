"""Strict ranks and Wilson's interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.explain.ranking import Share, strict_rank, wilson


def test_the_best_score_is_the_first_place():
    assert strict_rank([("cart", 0.9), ("mail", 0.3)], {"cart"}) == 1


def test_a_tie_takes_the_worst_place():
    assert strict_rank([("cart", 0.9), ("mail", 0.9), ("login", 0.9)], {"cart"}) == 3


def test_the_order_of_a_list_does_not_break_a_tie():
    assert strict_rank([("cart", 0.5), ("mail", 0.5)], {"cart"}) == strict_rank(
        [("mail", 0.5), ("cart", 0.5)], {"cart"}
    )


def test_an_answer_counts_once_and_with_its_best_score():
    assert strict_rank([("mail", 0.8), ("mail", 0.7), ("cart", 0.1), ("cart", 0.75)], {"cart"}) == 2


def test_an_answer_that_is_not_listed_has_no_rank():
    assert strict_rank([("mail", 0.8)], {"cart"}) is None
    assert strict_rank([], {"cart"}) is None


def test_right_answers_are_not_in_each_others_way():
    assert strict_rank([("cart", 0.8), ("cart-db", 0.8), ("mail", 0.1)], {"cart", "cart-db"}) == 1


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1), min_size=1))
def test_a_rank_is_a_place_among_the_answers(scores):
    answer = next(iter(scores))
    rank = strict_rank(scores.items(), {answer})
    assert rank is not None
    assert 1 <= rank <= len(scores)


def test_wilsons_interval_is_that_of_the_textbook():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)


def test_even_ten_of_ten_leave_a_doubt():
    low, high = wilson(10, 10)
    assert low == pytest.approx(0.7225, abs=1e-4)
    assert high == 1


def test_without_answers_nothing_is_known():
    assert wilson(0, 0) == (0, 1)
    assert str(Share()) == "–"


def test_what_was_not_asked_does_not_count():
    assert Share.count([True, None, False, True]) == Share(2, 3)
