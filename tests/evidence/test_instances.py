import numpy as np

from evidence.instances import concentrated


def instance(codes: list[int], trouble: list[float]) -> int:
    return concentrated(np.array(codes, dtype=np.int32), np.array(trouble, dtype=np.float64))


def test_one_of_three_instances_with_all_the_trouble_is_named():
    assert instance([0, 1, 2, 0, 1, 2], [0, 90, 0, 1, 80, 2]) == 1


def test_trouble_that_all_instances_have_is_the_services():
    assert instance([0, 1, 2, 0, 1, 2], [90, 80, 70, 85, 90, 95]) == -1


def test_the_only_instance_is_not_worth_naming():
    assert instance([4] * 6, [90] * 6) == -1


def test_a_few_pieces_of_work_say_nothing():
    assert instance([0, 1], [90, 0]) == -1
