"""Every picture ends with the newest measured instant: its last point is the figure that stands beside it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from dashboards import objective_standing, running, traffic
from slo import ledger
from slo.instants import floor
from slo.models import Objective
from slo.windows import Totals
from tests.dashboards.requests import make_incident
from tests.make import (
    DAY,
    HOUR,
    MINUTE,
    NOON,
    book_of,
    make_flow,
    make_objective,
    make_slices,
    make_source,
    make_tier,
    make_tiers,
)
from tests.servers import PrometheusServer, prometheus_server

pytestmark = pytest.mark.django_db

ODD = NOON + 7 * MINUTE


def burning_until(end: datetime, **fields: object) -> Objective:
    """A day of calm, and then ten minutes in which 1 % fails, the last of which ends at `end`."""
    objective = make_objective("0.99", window=7 * DAY, **fields)  # type: ignore[arg-type]
    make_slices(objective, end - DAY - 10 * MINUTE, [(0, 100)] * 1440 + [(10, 100)] * 10)
    return objective


# -- From the ledger
@pytest.mark.parametrize("series", [ledger.burn_series, ledger.budget_series])
def test_a_line_from_the_ledger_ends_where_it_was_asked_to(series: object) -> None:
    objective = burning_until(ODD)
    length = {"window": 5 * MINUTE} if series is ledger.burn_series else {}
    found = series(book_of(objective), start=ODD - DAY, end=ODD, points=48, **length)  # type: ignore[operator]
    assert found[-1][0] == ODD
    assert [at for at, _ in found] == sorted({at for at, _ in found})


def test_the_burn_chart_ends_with_what_the_tiers_say(owner: Client) -> None:
    end = floor(timezone.now(), HOUR) - 7 * MINUTE
    objective = burning_until(end)
    make_tiers(objective)
    drawn = owner.get(f"/objectives/{objective.pk}/chart/burn/").json()
    standing = objective_standing.standing(objective, timezone.now())
    said = [tier.burn_long for tier in sorted(standing.tiers, key=lambda one: one.long)]
    assert drawn["columns"][0][-1] == end.timestamp()
    assert [column[-1] for column in drawn["columns"][1:]] == pytest.approx(said)
    assert said[0] == pytest.approx(10 * 10 / 60)


def test_the_budget_chart_ends_with_what_is_left(owner: Client) -> None:
    end = floor(timezone.now(), HOUR) - 7 * MINUTE
    objective = burning_until(end)
    drawn = owner.get(f"/objectives/{objective.pk}/chart/budget/").json()
    assert drawn["columns"][0][-1] == end.timestamp()
    assert drawn["columns"][1][-1] == objective_standing.standing(objective, timezone.now()).budget.left


def test_the_incidents_chart_ends_with_the_last_slice(owner: Client) -> None:
    objective = burning_until(NOON + 17 * HOUR + 10 * MINUTE + 50 * timedelta(seconds=1), flow=make_flow("Checkout"))
    incident = make_incident(objective, onset_at=NOON, opened_at=NOON)
    times = owner.get(f"/incidents/{incident.pk}/chart/").json()["columns"][0]
    assert objective.measured_until is not None
    assert times[-1] == objective.measured_until.timestamp()


# -- The lines of the overview
def last_of_day(end: datetime, now: datetime) -> Totals | None:
    objective = make_objective()
    make_tier(objective)
    make_slices(objective, end - HOUR, [(0, 100)] * 50 + [(5, 100)] * 10)
    book = book_of(objective)
    return running.courses([book], {book.pk: HOUR}, now)[book.pk].day[-1]


@pytest.mark.parametrize("behind", [MINUTE, 10 * MINUTE, 29 * MINUTE])
def test_just_after_a_half_hour_the_line_still_ends_with_the_newest_slice(behind: timedelta) -> None:
    found = last_of_day(NOON - behind, NOON + timedelta(seconds=5))
    assert found is not None
    assert (found.bad, found.total) == (50, 6000)


def test_a_ledger_that_stands_still_ends_in_a_gap() -> None:
    assert last_of_day(NOON - HOUR, NOON + timedelta(seconds=5)) is None


# -- From Prometheus
@pytest.mark.parametrize("span", traffic.RANGES.values())
def test_a_chart_of_the_store_ends_within_the_last_seconds(span: timedelta) -> None:
    now = NOON + 59 * MINUTE + timedelta(seconds=52)
    times = traffic.frame(now, span).times
    assert now - times[-1] < timedelta(seconds=15)
    assert times == sorted(set(times))


@pytest.fixture(scope="module")
def counted() -> Iterator[PrometheusServer]:
    """Two requests a second for three hours, up to some minutes from now."""
    now = floor(timezone.now(), MINUTE)
    lines = [f"requests_total {120 * n} {(now + (n - 180) * MINUTE).timestamp()}" for n in range(200)]
    with prometheus_server(openmetrics="\n".join(["# TYPE requests counter", *lines])) as server:
        yield server


@pytest.mark.real
@pytest.mark.parametrize("range_", traffic.RANGES)
def test_the_flows_chart_has_a_value_for_now(owner: Client, counted: PrometheusServer, range_: str) -> None:
    make_objective(flow=make_flow("Checkout"), source=make_source(counted.url))
    times, values = owner.get(f"/flows/checkout/chart/requests/?range={range_}").json()["columns"]
    assert timezone.now().timestamp() - times[-1] < 60
    assert values[-1] == pytest.approx(2, rel=0.02)
