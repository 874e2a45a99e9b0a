"""Whether trouble is a service's, or only that of one of its instances."""

import numpy as np
from numpy.typing import NDArray

# One instance is named when it has at least this share of the trouble, and at most that share of the work.
TROUBLE = 0.8
WORK = 0.6
LEAST_PIECES = 5


def concentrated(instance: NDArray[np.int32], trouble: NDArray[np.float64]) -> int:
    """The instance code that has nearly all of the trouble though others do the same work, or -1.

    One entry for each piece of work, with how much trouble it was (added milliseconds; or 1 for a failure, else 0).
    """
    if len(instance) < LEAST_PIECES or trouble.sum() <= 0:
        return -1
    work = np.bincount(instance)
    share = np.bincount(instance, np.maximum(trouble, 0)) / np.maximum(trouble, 0).sum()
    worst = int(np.argmax(share))
    return worst if share[worst] >= TROUBLE and work[worst] <= WORK * work.sum() else -1
