"""Counts against histories of known truth on a real Prometheus: every scenario, from a trickle to a flood."""

from datetime import timedelta

import pytest

from bench import accuracy
from bench.histories import SCENARIOS, openmetrics
from tests.servers import prometheus_server

RATES = (0.02, 2, 1000)
REPLICAS = ("two replicas", "two replicas, restarts at random")
HOURS = 5.0
# PromQL cannot see two servers' copies as one, nor a restart that hides behind a higher value.
BEYOND_PROMQL = {*REPLICAS, "reborn with more, at once", "reborn with more, after an absence"}


@pytest.mark.real
@pytest.mark.parametrize("name", SCENARIOS)
def test_counts_are_within_half_a_percent_or_one_event_and_never_more_than_happened(name: str) -> None:
    stories, lines = accuracy.stories([name], RATES, HOURS)
    ways = ["Fireline, samples", *(() if name in BEYOND_PROMQL else ("Fireline, PromQL",))]
    with prometheus_server(openmetrics=openmetrics(lines)) as server, accuracy.serving(server) as store:
        found = [row for story in stories for row in accuracy.rows(store, story, ways)]
    assert all(story.total > 0 for story in stories)
    assert [row for row in found if row.way == "Fireline, samples" and not accuracy.exact(row)] == []
    # The way for long histories may miss more, but never counts what did not happen.
    assert [row for row in found if row.off > 0 or row.off < -0.03] == []


@pytest.mark.real
@pytest.mark.parametrize(("slice", "at_once"), [(timedelta(minutes=1), 1), (timedelta(minutes=5), 36)], ids=str)
def test_objectives_that_are_read_together_count_as_exactly(slice: timedelta, at_once: int) -> None:
    stories, lines = accuracy.stories(list(SCENARIOS), [2], 3)
    with prometheus_server(openmetrics=openmetrics(lines)) as server, accuracy.serving(server) as store:
        rows = accuracy.live(store, stories, slice, at_once)
    assert [row for row in rows if not accuracy.exact(row)] == []


@pytest.mark.real
def test_replicas_and_twins_are_told_apart_slice_by_slice_wherever_restarts_fall() -> None:
    names = [*REPLICAS, "two regions with the same names"]
    stories, lines = accuracy.stories(names, RATES, 2, seeds=range(6))
    with prometheus_server(openmetrics=openmetrics(lines)) as server, accuracy.serving(server) as store:
        rows = accuracy.live(store, stories)
    assert [row for row in rows if not accuracy.exact(row)] == []
