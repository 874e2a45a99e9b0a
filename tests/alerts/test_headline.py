"""What an incident goes by: what fails, for whom, how much of it, and since when."""

from datetime import timedelta
from typing import Any

import pytest

from alerts import headline
from slo.models import Flow, Objective
from tests.make import NOON


def objective(kind: str = "events", flow: str = "Checkout", **fields: Any) -> Objective:
    return Objective(kind=kind, flow=Flow(name=flow), name="Orders succeed", **fields)


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("events", "Checkout is failing: 31\u202f% of requests since 12:00\u00a0UTC"),
        ("gauge", "Checkout is out of bounds: 31\u202f% of the time since 12:00\u00a0UTC"),
        ("freshness", "Checkout is out of date: 31\u202f% of the time since 12:00\u00a0UTC"),
        ("bool", "Checkout is down: 31\u202f% of the time since 12:00\u00a0UTC"),
    ],
)
def test_each_kind_of_objective_has_its_own_words(kind: str, title: str) -> None:
    assert headline.title(objective(kind), 0.31, NOON) == title


def test_time_slices_of_requests_are_time_too() -> None:
    sliced = objective(method="timeslices", time_slice=timedelta(minutes=1))
    assert headline.title(sliced, 0.5, NOON) == "Checkout is failing: 50\u202f% of the time since 12:00\u00a0UTC"


def test_a_group_is_named_by_its_labels_in_order() -> None:
    title = headline.title(objective(), 0.5, NOON, {"tenant": "a", "region": "eu"})
    assert title.startswith("Checkout is failing for region eu, tenant a: 50\u202f%")


def test_a_label_without_a_value_is_said_to_have_none() -> None:
    assert headline.group_words({"region": ""}) == "region (none)"


def test_nothing_known_of_the_share_is_nothing_said() -> None:
    assert headline.title(objective(), None, NOON) == "Checkout is failing since 12:00\u00a0UTC"


def test_long_names_do_not_cost_the_numbers() -> None:
    title = headline.title(objective(), 0.31, NOON, {"tenant": "t" * 500})
    assert len(title) == headline.LONGEST
    assert title.endswith(": 31\u202f% of requests since 12:00\u00a0UTC")
