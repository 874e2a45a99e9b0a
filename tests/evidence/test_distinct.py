import numpy as np

from evidence.distinct import distinct


def test_equal_rows_get_one_number():
    (first, second), number = distinct(np.array([3, 1, 3, 3]), np.array([0, 7, 0, 2]))
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == [(1, 7), (3, 0), (3, 2)]
    assert number.tolist() == [1, 0, 1, 2]


def test_no_rows_have_no_numbers():
    columns, number = distinct(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert [column.tolist() for column in columns] == [[], []]
    assert number.tolist() == []
