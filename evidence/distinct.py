"""The distinct rows of several columns of numbers, far faster than by sorting the rows as such."""

import numpy as np
from numpy.typing import NDArray

type Column = NDArray[np.int64]


def distinct(*columns: NDArray[np.integer]) -> tuple[list[Column], Column]:
    """The distinct combinations, column by column and in order, and for each row the number of its own.

    Values are at least 0; two columns and the combinations of those before fit 63 bits.
    """
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    first = np.zeros(0, dtype=np.int64)
    for column in columns:
        width = int(column.max(initial=0)) + 1
        _, first, codes = np.unique(codes * width + column, return_index=True, return_inverse=True)
    return [column[first].astype(np.int64) for column in columns], codes
