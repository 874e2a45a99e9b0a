"""Why alerts did or did not fire at a moment: the account of one objective."""

from datetime import datetime
from decimal import Decimal

import pytest
from django.test import Client

from alerts.models import Alert, Transition
from slo import maintenance
from slo.definition import BudgetAlert, NoDataAlert
from slo.models import Objective
from tests.dashboards.everything import HOSTILE
from tests.dashboards.pages import Page
from tests.make import HOUR, MINUTE, NOON, make_groups, make_objective, make_slices, tier

pytestmark = pytest.mark.django_db

# Half of the requests fail from 12:30 to 12:40.
BURST = [(0, 100)] * 30 + [(50, 100)] * 10 + [(0, 100)] * 80


def make_burst(**fields: object) -> Objective:
    objective = make_objective(tiers=[tier()], **fields)  # type: ignore[arg-type]
    make_slices(objective, NOON, BURST)
    return objective


def account(owner: Client, objective: Objective, at: datetime, **asked: str) -> Page:
    typed = f"{at:%Y-%m-%dT%H:%M}"
    return Page(owner.get(f"/objectives/{objective.pk}/why/account/", {"at": typed, **asked}))


def test_a_tier_that_fired_shows_the_numbers_and_the_sentence(owner: Client) -> None:
    page = account(owner, make_burst(), NOON + 40 * MINUTE)
    assert "125×500 of 4,000 bad67\u202f% measured" in page.text
    assert "500×250 of 500 bad100\u202f% measured" in page.text
    assert "14.4×" in page.text
    assert "Firing" in page.text


@pytest.mark.parametrize(
    ("minute", "says"),
    [
        (29, "0× over 1\u00a0h, not above 14.4×"),
        (31, "16.1× over 1\u00a0h, but only 12.6× with 95\u202f% confidence: not above 14.4×"),
        (32, "31.2× over 1\u00a0h and 200× over 5\u00a0min, above 14.4×: 100 of 3,200 events bad in 1\u00a0h"),
    ],
)
def test_the_example_of_the_documentation(owner: Client, minute: int, says: str) -> None:
    assert says in account(owner, make_burst(), NOON + minute * MINUTE).text


def test_one_that_did_not_fire_says_what_was_missing(owner: Client) -> None:
    text = account(owner, make_burst(), NOON + 29 * MINUTE).text
    assert "0× over 1\u00a0h, not above 14.4×" in text
    assert "Calm" in text


def test_the_lower_bound_is_shown_for_every_tier(owner: Client) -> None:
    objective = make_objective(tiers=[tier()])
    make_slices(objective, NOON, [(0, 100)] * 58 + [(1, 1), (1, 1)])
    text = account(owner, objective, NOON + HOUR).text
    # 2 of 5,802 are 0.34 times what is allowed. For 2 of so many the bound is 0.355 events (Poisson), so 0.06 times.
    assert "0.3×2 of 5,802 bad" in text
    assert "14.4× 0.1×" in text


def test_a_time_in_maintenance_says_so(owner: Client) -> None:
    objective = make_burst()
    maintenance.declare("Upgrade", NOON + 30 * MINUTE, 20 * MINUTE)
    text = account(owner, objective, NOON + 40 * MINUTE).text
    assert "It is taken out: nothing fires and nothing resolves." in text
    assert "Frozen: in maintenance" in text
    assert "10\u00a0min in maintenance" in text


def test_what_was_recorded_stands_beside_what_follows_today(owner: Client) -> None:
    objective = make_burst()
    alert = Alert.objects.create(tier=objective.tiers.get(), state="resolved")
    fired = NOON + 31 * MINUTE
    Transition.objects.create(alert=alert, at=fired, old="inactive", new="firing", reason="burns")
    assert "Recorded: firing since 2 Mar, 12:31 UTC" in account(owner, objective, NOON + 35 * MINUTE).text


def test_a_definition_that_was_changed_since_is_said_to_differ(owner: Client) -> None:
    objective = make_burst()
    text = account(owner, objective, NOON + 40 * MINUTE).text
    assert "The alerts were in another state then" in text
    assert "another state" not in account(owner, objective, NOON + 10 * MINUTE).text


def test_budget_and_no_data_alerts_are_accounted_for_too(owner: Client) -> None:
    rules = [BudgetAlert("ticket", Decimal("0.5")), NoDataAlert("ticket", 15 * MINUTE)]
    objective = make_objective("0.9", window=HOUR, tiers=rules)  # type: ignore[arg-type]
    make_slices(objective, NOON, [(1, 10)] * 40 + [None] * 20)
    text = account(owner, objective, NOON + HOUR).text
    assert "100\u202f% of the budget of the last 1\u00a0h is spent" in text
    assert "Nothing was measured for more than 15\u00a0min" in text


def test_a_group_has_an_account_of_its_own(owner: Client) -> None:
    objective = make_objective(tiers=[tier()], grouping=["region"])
    eu, us = (("region", "eu"),), (("region", "us"),)
    make_groups(objective, NOON, {eu: [(0, 100)] * 60, us: [(50, 100)] * 60})
    assert "500×" in account(owner, objective, NOON + HOUR, group='{region="us"}').text
    assert "500×" not in account(owner, objective, NOON + HOUR, group='{region="eu"}').text


def test_the_time_is_read_in_the_readers_zone(owner: Client) -> None:
    objective = make_burst()
    # 13:40 in Berlin, in winter.
    text = account(owner, objective, NOON + 100 * MINUTE, zone="Europe/Berlin").text
    assert "The slice that ended 2 Mar, 12:40 UTC" in text


def test_between_two_slices_the_earlier_one_answers(owner: Client) -> None:
    objective = make_burst()
    page = Page(owner.get(f"/objectives/{objective.pk}/why/account/?at=2026-03-02T12:40:59"))
    assert "The slice that ended 2 Mar, 12:40 UTC" in page.text


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"at": "yesterday"}, "is not a date and time"),
        ({"at": HOSTILE}, "is not a date and time"),
        ({"at": "2026-03-02T12:40", "zone": "Mars/Olympus"}, "is not a time zone"),
        ({"at": "2026-03-02T11:00"}, "Nothing was measured at that time. Choose a later one"),
        ({"at": "0001-01-01T00:00", "zone": "Asia/Tokyo"}, "lies too far away"),
    ],
)
def test_what_cannot_be_answered_is_said_and_kept_as_typed(owner: Client, asked: dict[str, str], says: str) -> None:
    response = owner.get(f"/objectives/{make_burst().pk}/why/", asked)
    page = Page(response)
    assert response.status_code == 422
    assert says in page.text
    assert list(page.offences()) == []


def test_before_the_first_measurement_there_is_nothing_to_ask(owner: Client) -> None:
    response = owner.get(f"/objectives/{make_objective().pk}/why/")
    assert response.status_code == 422
    assert "Nothing is measured yet." in Page(response).text


def test_without_a_time_it_is_the_newest_slice(owner: Client) -> None:
    assert "The slice that ended 2 Mar, 14:00 UTC" in Page(owner.get(f"/objectives/{make_burst().pk}/why/")).text
