"""Maintenance in the browser: declaring it with a look at its effect, the list, ending and cancelling it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from dashboards import maintenance_facts, standing
from dashboards.maintenance_form import length_of, rule_for
from slo import maintenance
from slo.models import Maintenance
from tests.dashboards.everything import HOSTILE, lately
from tests.dashboards.pages import Page
from tests.make import DAY, HOUR, MINUTE, make_flow, make_groups, make_objective, make_slices

pytestmark = pytest.mark.django_db


def typed(start: datetime | None = None, **changes: str) -> dict[str, str]:
    """What the form sends for an hour of maintenance of everything."""
    at = start or lately(-DAY)
    return {
        "reason": "Database upgrade",
        "scope": "",
        "start": f"{at:%Y-%m-%dT%H:%M}",
        "lasts": "1 h",
        "time_zone": "UTC",
        "repeats": "",
        "rule": "",
        "until": "",
    } | changes


class TestDeclaring:
    def test_it_is_stored_with_whoever_declared_it(self, owner: Client) -> None:
        response = owner.post("/maintenance/new/", typed())
        row = Maintenance.objects.get()
        assert response.headers["Location"] == f"/maintenance/{row.pk}/"
        assert (row.reason, row.start, row.length, row.created_by) == (
            "Database upgrade",
            lately(-DAY),
            HOUR,
            User.objects.get(),
        )

    def test_from_an_objective_it_concerns_that_objective(self, owner: Client) -> None:
        objective = make_objective()
        html = owner.get(f"/maintenance/new/?objective={objective.pk}").content.decode()
        assert f'value="objective:{objective.pk}" selected' in html
        owner.post("/maintenance/new/", typed(scope=f"objective:{objective.pk}"))
        assert Maintenance.objects.get().objective == objective

    def test_a_time_of_day_is_read_in_the_chosen_zone(self, owner: Client) -> None:
        owner.post("/maintenance/new/", typed(time_zone="Europe/Berlin") | {"start": "2026-07-01T02:00"})
        assert f"{Maintenance.objects.get().start:%F %T}" == "2026-07-01 00:00:00"

    def test_every_sunday_is_chosen_and_not_written(self, owner: Client) -> None:
        owner.post("/maintenance/new/", typed(repeats="weekly") | {"start": "2026-03-01T02:00"})
        assert Maintenance.objects.get().rule == "FREQ=WEEKLY;BYDAY=SU"

    def test_a_rule_of_its_own_is_taken_as_calendars_write_it(self, owner: Client) -> None:
        rule = "RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=SU"
        sunday = {"start": "2026-03-01T02:00"}
        owner.post("/maintenance/new/", typed() | sunday | {"repeats": "custom", "rule": rule})
        assert Maintenance.objects.get().rule == "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU"

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"reason": ""}, "Say what is being done"),
            ({"start": ""}, "Say when it begins"),
            ({"start": "soon"}, "is not a date and time"),
            ({"lasts": "a while"}, "Write how long it takes with a unit"),
            ({"lasts": "90 d"}, "at most 31 days each time"),
            ({"time_zone": HOSTILE}, "is not a time zone"),
            ({"repeats": "custom"}, "Write the rule, or choose one of the others."),
            ({"repeats": "custom", "rule": "FREQ=SOMETIMES"}, ""),
            ({"repeats": "weekly", "until": "2001-01-01T00:00"}, ""),
            ({"scope": "flow:4711"}, "Select a valid choice"),
        ],
    )
    def test_what_makes_no_sense_is_said_and_nothing_typed_is_lost(
        self, owner: Client, changes: dict[str, str], says: str
    ) -> None:
        response = owner.post("/maintenance/new/", typed() | {"lasts": "1 h 30 min"} | changes)
        page = Page(response)
        assert response.status_code == 422
        assert says in page.text
        values = [attributes.get("value") for tag, attributes in page.tags if tag == "input"]
        assert all(
            text in values for name, text in changes.items() if text and name in ("reason", "start", "lasts", "rule")
        )
        assert not Maintenance.objects.exists()
        assert list(page.offences()) == []


class TestTheLook:
    """What it would take out, before anybody declares it."""

    def make_outage(self) -> Any:
        """Ten bad minutes, half an hour ago, that spend all of the budget."""
        objective = make_objective("0.99", window=DAY, name="Checkout works", flow=make_flow("Checkout"))
        make_slices(objective, lately(HOUR), [(0, 100)] * 30 + [(60, 100)] * 10 + [(0, 100)] * 20)
        return objective

    def test_it_shows_the_budget_before_and_after(self, owner: Client) -> None:
        self.make_outage()
        page = Page(owner.post("/maintenance/preview/", typed(lately(30 * MINUTE), lasts="10 min")))
        assert "Checkout worksCheckout" in page.text
        assert "10\u00a0min600 bad of 1,000" in page.text
        assert "−900.0\u202f% → 100.0\u202f%" in page.text

    def test_what_it_shows_is_what_declaring_it_does(self, owner: Client) -> None:
        self.make_outage()
        chosen = typed(lately(35 * MINUTE), lasts="10 min")
        [effect] = maintenance_facts.effects(maintenance.drafted("Upgrade", lately(35 * MINUTE), 10 * MINUTE))
        owner.post("/maintenance/new/", chosen)
        [flow] = standing.of_all(timezone.now())
        assert flow.objectives[0].budget_left == pytest.approx(effect.after.left)

    def test_time_that_is_taken_out_already_is_not_taken_twice(self) -> None:
        self.make_outage()
        maintenance.declare("First", lately(30 * MINUTE), 5 * MINUTE)
        [effect] = maintenance_facts.effects(maintenance.drafted("Second", lately(30 * MINUTE), 10 * MINUTE))
        assert (effect.taken.span, effect.taken.bad) == (5 * MINUTE, 300)

    def test_what_lies_ahead_changes_nothing_yet(self, owner: Client) -> None:
        self.make_outage()
        assert "Nothing of what was measured so far" in Page(owner.post("/maintenance/preview/", typed())).text

    def test_another_flows_maintenance_takes_nothing(self) -> None:
        self.make_outage()
        assert not maintenance_facts.effects(maintenance.drafted("Other", lately(HOUR), HOUR, flow=make_flow()))

    def test_every_group_is_an_effect_of_its_own_the_largest_first(self) -> None:
        objective = make_objective("0.99", window=DAY, grouping=["region"])
        eu, us = (("region", "eu"),), (("region", "us"),)
        make_groups(objective, lately(HOUR), {eu: [(1, 100)] * 60, us: [(0, 100)] * 50 + [(20, 100)] * 10})
        found = maintenance_facts.effects(maintenance.drafted("Upgrade", lately(10 * MINUTE), 10 * MINUTE))
        assert [(one.book.group, one.taken.bad) for one in found] == [('{region="us"}', 200), ('{region="eu"}', 10)]

    def test_what_repeats_lists_its_next_times(self, owner: Client) -> None:
        page = Page(owner.post("/maintenance/preview/", typed(repeats="daily")))
        assert "FREQ=DAILY" in page.text
        assert sum(tag == "li" for tag, _ in page.tags) == 5

    def test_while_something_is_missing_it_says_what(self, owner: Client) -> None:
        response = owner.post("/maintenance/preview/", typed(reason="", lasts="?"))
        assert response.status_code == 200
        assert "Say what is being done" in Page(response).text

    def test_without_javascript_a_button_shows_it(self, owner: Client) -> None:
        self.make_outage()
        page = Page(owner.post("/maintenance/new/", typed(lately(30 * MINUTE)) | {"look": "1"}))
        assert "→" in page.text
        assert not Maintenance.objects.exists()


class TestTheList:
    def test_what_runs_comes_before_what_is_planned(self, owner: Client) -> None:
        maintenance.declare("Tomorrow", lately(-DAY), HOUR)
        maintenance.declare("Now", lately(10 * MINUTE), HOUR, flow=make_flow("Checkout"))
        maintenance.declare("Last week", lately(7 * DAY), HOUR)
        page = Page(owner.get("/maintenance/"))
        rows = page.text.split("Now and next")[1]
        assert rows.index("Now") < rows.index("Tomorrow") < rows.index("Over") < rows.index("Last week")
        assert "Running" in page.text
        assert "/flows/checkout/" in page.links

    def test_a_rule_shows_its_next_times_and_one_that_ended_is_over(self, owner: Client) -> None:
        begin = lately(3 * DAY)
        going = maintenance.declare("Every night", begin, HOUR, rule="FREQ=DAILY")
        ended = maintenance.declare("Twice", begin, HOUR, rule="FREQ=DAILY;COUNT=2")
        found = maintenance_facts.open_ones(timezone.now())
        assert [one.row for one in found] == [going]
        assert [one[0] for one in found[0].coming][-1] > timezone.now() + DAY
        assert list(maintenance_facts.over(timezone.now())) == [ended]

    def test_what_was_cancelled_stays_in_the_list(self, owner: Client) -> None:
        maintenance.cancel(maintenance.declare("Never mind", lately(-DAY), HOUR))
        assert "Cancelled" in Page(owner.get("/maintenance/")).text

    def test_an_empty_list_says_what_it_is_for(self, owner: Client) -> None:
        assert "Nothing planned" in Page(owner.get("/maintenance/")).text

    def test_the_overview_says_what_is_in_maintenance(self, owner: Client) -> None:
        objective = make_objective(flow=make_flow("Checkout"))
        make_slices(objective, lately(HOUR), [(0, 100)] * 60)
        maintenance.declare("Upgrade", lately(30 * MINUTE), HOUR)
        page = Page(owner.get("/"))
        assert "1 in maintenance" in page.text
        assert standing.of_all(timezone.now())[0].status == "maintenance"


class TestEndingIt:
    def test_now_is_the_end_of_what_runs(self, owner: Client) -> None:
        row = maintenance.declare("Upgrade", lately(10 * MINUTE), HOUR)
        owner.post(f"/maintenance/{row.pk}/shorten/")
        row.refresh_from_db()
        assert row.length < 12 * MINUTE
        assert row.cancelled_at is None

    def test_it_may_have_ended_before(self, owner: Client) -> None:
        row = maintenance.declare("Upgrade", lately(30 * MINUTE), HOUR)
        at = lately(20 * MINUTE)
        owner.post(f"/maintenance/{row.pk}/shorten/", {"at": f"{at:%Y-%m-%dT%H:%M}", "zone": "UTC"})
        row.refresh_from_db()
        assert row.length == 10 * MINUTE

    def test_a_time_that_is_none_is_said(self, owner: Client) -> None:
        row = maintenance.declare("Upgrade", lately(30 * MINUTE), HOUR)
        response = owner.post(f"/maintenance/{row.pk}/shorten/", {"at": "later"})
        assert response.status_code == 422
        assert "is not a date and time" in Page(response).text
        row.refresh_from_db()
        assert row.length == HOUR

    def test_what_was_cancelled_meanwhile_cannot_be_ended(self, owner: Client) -> None:
        row = maintenance.declare("Upgrade", lately(30 * MINUTE), HOUR)
        maintenance.cancel(row)
        response = owner.post(f"/maintenance/{row.pk}/shorten/")
        assert response.status_code == 422
        assert "cancelled meanwhile" in Page(response).text

    def test_cancelled_its_time_counts_again(self, owner: Client) -> None:
        objective = make_objective("0.99", window=DAY)
        make_slices(objective, lately(HOUR), [(60, 100)] * 60)
        row = maintenance.declare("Upgrade", lately(HOUR), HOUR)
        owner.post(f"/maintenance/{row.pk}/cancel/")
        [flow] = standing.of_all(timezone.now())
        assert flow.objectives[0].budget_left == pytest.approx(-59)

    def test_looking_changes_nothing(self, owner: Client) -> None:
        row = maintenance.declare("Upgrade", lately(HOUR), 2 * HOUR)
        for action in ("shorten", "cancel"):
            assert owner.get(f"/maintenance/{row.pk}/{action}/").status_code == 405
        assert owner.get(f"/maintenance/{row.pk}/").status_code == 200
        row.refresh_from_db()
        assert (row.length, row.cancelled_at) == (2 * HOUR, None)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90 min", 90 * MINUTE),
        ("2h", 2 * HOUR),
        ("1 h 30 min", 90 * MINUTE),
        ("1.5 hours", 90 * MINUTE),
        ("1\u00a0d", DAY),
    ],
)
def test_lengths_are_read_as_people_write_them(text: str, length: timedelta) -> None:
    assert length_of(text) == length


@pytest.mark.parametrize("text", ["", "90", "h", "-1 h", "1 h foo 2", "0 min", "999999999999 d"])
def test_what_is_no_length_says_how_to_write_one(text: str) -> None:
    with pytest.raises(ValueError, match="90 min, 2 h or 1 h 30 min"):
        length_of(text)


@pytest.mark.parametrize(
    ("repeats", "day", "rule"),
    [
        ("", 1, ""),
        ("daily", 1, "FREQ=DAILY"),
        ("weekdays", 2, "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"),
        ("weekly", 1, "FREQ=WEEKLY;BYDAY=SU"),
        ("monthly", 15, "FREQ=MONTHLY;BYMONTHDAY=15"),
        ("nth", 1, "FREQ=MONTHLY;BYDAY=1SU"),
        ("nth", 22, "FREQ=MONTHLY;BYDAY=4SU"),
        ("nth", 29, "FREQ=MONTHLY;BYDAY=-1SU"),
    ],
)
def test_a_choice_becomes_a_rule(repeats: str, day: int, rule: str) -> None:
    # March 2026 begins on a Sunday.
    assert rule_for(repeats, datetime(2026, 3, day, 2, tzinfo=UTC)) == rule
