import pytest

from evidence.chance import believable, fewer, fewer_in_strata, more


def test_three_of_three_against_none_of_three_is_one_chance_in_twenty():
    assert more(3, 3, 0, 3) == pytest.approx(1 / 20)
    assert fewer(0, 3, 3, 3) == pytest.approx(1 / 20)


def test_no_difference_is_no_surprise():
    assert fewer(5, 10, 5, 10) > 0.5


def test_large_counts_do_not_overflow():
    assert more(90_000, 100_000, 10_000, 100_000) < 1e-100


def test_one_stratum_is_the_plain_test():
    assert fewer_in_strata([(2, 7, 11, 11)]) == pytest.approx(fewer(2, 7, 11, 11))


def test_a_difference_that_is_only_between_kinds_of_requests_vanishes_when_each_is_compared_with_its_like():
    # One kind always goes on, the other never; more of the other kind came.
    assert fewer(10, 100, 90, 100) < 1e-20
    assert fewer_in_strata([(10, 10, 90, 90), (0, 90, 0, 10)]) == pytest.approx(1)


def test_many_tries_make_a_small_chance_ordinary():
    chances = [0.001, *[0.5] * 99]
    assert believable(chances)[0] == pytest.approx(0.1)


def test_adjusted_chances_keep_their_order():
    assert believable([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.04, 0.04])
    assert believable([]) == []
