"""Waiting as a remote system makes one wait: mostly about the median, now and then much longer."""

import math
import random
import time


def wait(median: float, spread: float = 0.35, limit: float = 1.0) -> None:
    """Sleep for a log-normally distributed time around `median` seconds, never longer than `limit`."""
    time.sleep(min(limit, random.lognormvariate(math.log(median), spread)))
