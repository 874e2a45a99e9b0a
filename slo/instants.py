"""Instants on a common grid: multiples of a length since the Unix epoch."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What charts take: the coarse ones fall on the ends of coarse slices.
_STEPS = tuple(
    timedelta(seconds=seconds)
    for seconds in (1, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
)


def floor(at: datetime, step: timedelta) -> datetime:
    """The last multiple of `step` at or before `at`."""
    return at - (at - EPOCH) % step


def round_step(length: timedelta, points: int, shortest: timedelta = _STEPS[0]) -> timedelta:
    """The smallest round step that takes at most `points` steps for `length`; a day at most."""
    wanted = max(length / max(1, points), shortest)
    return next((step for step in _STEPS if step >= wanted), _STEPS[-1])


def grid(start: datetime, end: datetime, points: int) -> list[datetime]:
    """At most `points` + 1 round instants from `start` to `end`, both within a step of them."""
    step = round_step(end - start, points)
    first, last = floor(start, step), floor(end, step)
    return [first + step * count for count in range((last - first) // step + 1)]
