"""The page of an objective: its numbers, its groups, its charts; and archiving it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alerts.models import Alert, Transition
from slo import maintenance
from slo.definition import BudgetAlert, NoDataAlert
from slo.groups import Group
from slo.models import AlertRule, Objective, Slice
from tests.dashboards.everything import HOSTILE, lately
from tests.dashboards.pages import Page
from tests.make import (
    DAY,
    HOUR,
    MINUTE,
    Counts,
    make_flow,
    make_groups,
    make_objective,
    make_slices,
    make_tier,
    make_tiers,
)

pytestmark = pytest.mark.django_db

EU, US = (("region", "eu"),), (("region", "us"),)


class TestArchiving:
    def test_it_asks_first(self, owner: Client) -> None:
        objective = make_objective()
        page = Page(owner.get(f"/objectives/{objective.pk}/archive/"))
        objective.refresh_from_db()
        assert "cannot alert" in page.text
        assert objective.archived_at is None

    def test_history_stays_and_it_can_be_brought_back(self, owner: Client) -> None:
        objective = make_objective()
        make_slices(objective, lately(HOUR), [(0, 10)] * 3)
        owner.post(f"/objectives/{objective.pk}/archive/")
        objective.refresh_from_db()
        assert objective.archived_at is not None
        assert Slice.objects.filter(ledger__objective=objective).count() == 3
        page = Page(owner.get(f"/objectives/{objective.pk}/"))
        assert "Archived" in page.text
        owner.post(f"/objectives/{objective.pk}/archive/")
        objective.refresh_from_db()
        assert objective.archived_at is None

    def test_it_is_not_brought_back_over_a_name_that_is_taken_by_now(self, owner: Client) -> None:
        flow = make_flow()
        objective = make_objective(flow=flow, name="Availability", archived_at=timezone.now())
        make_objective(flow=flow, name="Availability")
        response = owner.post(f"/objectives/{objective.pk}/archive/")
        assert response.status_code == 422
        assert "has this name" in Page(response).text


class TestThePage:
    def test_it_shows_the_numbers_with_what_they_are_out_of(self, owner: Client) -> None:
        objective = make_objective("0.99", window=HOUR)
        make_slices(objective, lately(HOUR), [(0, 100)] * 50 + [(3, 100)] * 10)
        text = Page(owner.get(f"/objectives/{objective.pk}/")).text
        assert "99.5000\u202f%target 99\u202f%" in text
        assert "50.0\u202f%of 60 bad events" in text
        assert "30of 6,000" in text
        assert "100.0\u202f%all of it measured" in text

    def test_a_slice_that_was_not_measured_says_why(self, owner: Client) -> None:
        objective = make_objective(window=HOUR)
        make_slices(objective, lately(3 * MINUTE), [(0, 10), None, (0, 0)], reason=f"gone {HOSTILE}")
        page = Page(owner.get(f"/objectives/{objective.pk}/?only=unmeasured"))
        assert f"Not measured: gone {HOSTILE}" in page.text
        assert "no traffic" not in page.text
        assert list(page.offences()) == []

    def test_slices_come_newest_first_and_by_the_page(self, owner: Client) -> None:
        objective = make_objective(window=HOUR)
        make_slices(objective, lately(30 * MINUTE), [(0, n) for n in range(1000, 1030)])
        first = Page(owner.get(f"/objectives/{objective.pk}/")).text
        second = Page(owner.get(f"/objectives/{objective.pk}/?page=2")).text
        assert first.index("1,029") < first.index("1,011")
        assert "1,009" not in first
        assert "1,009" in second

    def test_a_tier_shows_its_state_and_the_sentence_behind_it(self, owner: Client) -> None:
        objective = make_objective()
        make_slices(objective, lately(HOUR), [(50, 100)] * 60)
        Alert.objects.create(tier=make_tier(objective), state="firing", since=lately())
        text = Page(owner.get(f"/objectives/{objective.pk}/")).text
        assert "500× over 1\u00a0h and 500× over 5\u00a0min, above 14.4×" in text
        assert "Firing since" in text
        assert "Paging" in text

    def test_a_ticket_that_a_page_silences_stays_visible(self, owner: Client) -> None:
        objective = make_objective()
        make_slices(objective, lately(HOUR), [(50, 100)] * 60)
        Alert.objects.create(tier=make_tier(objective), state="firing", since=lately())
        ticket = make_tier(objective, severity="ticket", long=DAY, short=2 * HOUR, budget_share="0.1")
        Alert.objects.create(tier=ticket, state="firing", since=lately(), silenced_since=lately())
        text = Page(owner.get(f"/objectives/{objective.pk}/")).text
        assert "Silenced Ticket" in text
        assert "its tickets are silenced by the page" in text

    def test_budget_and_no_data_alerts_stand_apart_with_their_reasons(self, owner: Client) -> None:
        rules = [BudgetAlert("ticket", Decimal("0.5")), NoDataAlert("ticket", 15 * MINUTE)]
        objective = make_objective("0.99", window=HOUR, tiers=rules)  # type: ignore[arg-type]
        make_slices(objective, lately(HOUR), [(0, 100)] * 50 + [(5, 100)] * 10)
        budget = AlertRule.objects.get(kind="budget")
        Alert.objects.create(tier=budget, state="firing", since=lately())
        text = Page(owner.get(f"/objectives/{objective.pk}/")).text
        assert "50\u202f% of the budget spent" in text
        assert "83.3\u202f% of the budget of the last 1\u00a0h is spent" in text
        assert "No data for 15\u00a0m" in text
        assert "Measured within the last 15\u00a0min" in text

    def test_how_long_the_budget_lasts_is_a_range(self, owner: Client) -> None:
        objective = make_objective("0.99", window=DAY)
        make_slices(objective, lately(DAY), [(0, 1000)] * 23 + [(50, 1000)], length=HOUR)
        text = Page(owner.get(f"/objectives/{objective.pk}/")).text
        # 240 are allowed, 50 spent: 19 h at a burn of 1, so 3 h 48 min at 5.
        assert "Budget lasts3\u00a0h 48\u00a0min" in text.replace("\u00a0h\u00a048", "\u00a0h 48")
        assert "at the last hour’s 5×" in text

    def test_what_alerts_did_leads_to_the_numbers_of_that_moment(self, owner: Client) -> None:
        objective = make_objective()
        make_slices(objective, lately(HOUR), [(50, 100)] * 60)
        alert = Alert.objects.create(tier=make_tier(objective), state="firing", since=lately())
        at = lately(5 * MINUTE)
        Transition.objects.create(alert=alert, at=at, old="inactive", new="firing", reason="It burned")
        page = Page(owner.get(f"/objectives/{objective.pk}/"))
        assert "It burned" in page.text
        assert f"/objectives/{objective.pk}/why/?at={at:%Y-%m-%dT%H:%M:%S}" in page.links

    def test_stale_numbers_are_shown_as_stale_with_the_stores_error(self, owner: Client) -> None:
        objective = make_objective(window=HOUR)
        make_slices(objective, lately(HOUR), [(0, 100)] * 30)
        Objective.objects.filter(pk=objective.pk).update(
            last_error="prom:9090 cannot be reached: nothing listens there."
        )
        response = owner.get(f"/objectives/{objective.pk}/live/")
        page = Page(response)
        assert "Shown as of" in page.text
        assert "prom:9090 cannot be reached: nothing listens there." in page.text
        assert any("data-stale" in attributes for _, attributes in page.tags)

    def test_a_new_one_shows_how_far_its_past_is_measured(self, owner: Client) -> None:
        objective = make_objective(window=10 * DAY)
        assert "Measuring the past: 0\u202f%" in Page(owner.get(f"/objectives/{objective.pk}/")).text
        make_slices(objective, lately(5 * DAY), [(0, 1)] * 5, length=DAY)
        Objective.objects.update(history_goal=lately(10 * DAY))
        assert "Measuring the past: 50\u202f%" in Page(owner.get(f"/objectives/{objective.pk}/live/")).text

    def test_one_whose_past_is_complete_shows_no_bar(self, owner: Client) -> None:
        objective = make_objective(window=DAY)
        make_slices(objective, lately(DAY), [(0, 1)] * 24, length=HOUR)
        Objective.objects.update(history_goal=lately(DAY))
        assert "Measuring the past" not in Page(owner.get(f"/objectives/{objective.pk}/")).text

    def test_it_says_since_when_it_counts_as_it_does(self, owner: Client) -> None:
        objective = make_objective(generation=2)
        make_slices(objective, lately(HOUR), [(0, 1)])
        assert "Counts so since" in Page(owner.get(f"/objectives/{objective.pk}/")).text

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({}, "99\u202f% of Shop’s events are good, over a rolling 30\u00a0d."),
            ({"calendar": "month", "time_zone": "Europe/Berlin"}, "over each calendar month in Europe/Berlin."),
            ({"kind": "latency", "threshold": Decimal("0.3"), "metric": "x"}, "events take at most 300\u00a0ms"),
            ({"kind": "bool", "expression": "up", "metric": ""}, "99\u202f% of Shop’s time is up"),
            (
                {"kind": "gauge", "expression": "queue", "metric": "", "threshold": Decimal("5.5")},
                "Shop’s time has a value at most 5.5",
            ),
            (
                {"method": "timeslices", "time_slice": 5 * MINUTE, "time_slice_target": Decimal("0.95")},
                "Shop’s 5\u00a0m slices have at least 95\u202f% good events",
            ),
        ],
    )
    def test_it_says_what_it_promises(self, owner: Client, fields: dict[str, Any], says: str) -> None:
        objective = make_objective("0.99", flow=make_flow("Shop"), **fields)
        assert says in Page(owner.get(f"/objectives/{objective.pk}/")).text

    @pytest.mark.parametrize(
        ("fields", "says"),
        [
            ({}, "exactly, each event once"),
            ({"total_expression": "sum(x[{{window}}])", "bad_expression": "y"}, "by its own expression"),
        ],
    )
    def test_it_says_how_it_is_counted_and_shows_the_query(
        self, owner: Client, fields: dict[str, Any], says: str
    ) -> None:
        objective = make_objective(**fields)
        text = Page(owner.get(f"/objectives/{objective.pk}/")).text
        assert says in text
        assert "label_replace(" in text

    def test_more_tiers_and_slices_take_no_more_queries(
        self, owner: Client, django_assert_max_num_queries: Any
    ) -> None:
        objective = make_objective(window=DAY)
        make_tiers(objective)
        make_slices(objective, lately(20 * HOUR), [(1, 100)] * 1200)
        with django_assert_max_num_queries(22):
            owner.get(f"/objectives/{objective.pk}/")
        with django_assert_max_num_queries(16):
            owner.get(f"/objectives/{objective.pk}/live/")


class TestGroups:
    def make(self) -> Objective:
        objective = make_objective("0.99", window=HOUR, grouping=["region"])
        make_groups(objective, lately(HOUR), {EU: [(0, 100)] * 60, US: [(0, 100)] * 59 + [(30, 100)]})
        return objective

    def test_each_group_is_a_row_and_the_worst_comes_first(self, owner: Client) -> None:
        objective = self.make()
        page = Page(owner.get(f"/objectives/{objective.pk}/"))
        assert page.text.index('{region="us"}') < page.text.index('{region="eu"}')
        assert "30 of 6,000" in page.text
        assert "?group=%7Bregion%3D%22eu%22%7D" in page.links

    def test_the_worst_is_shown_unless_another_is_asked_for(self, owner: Client) -> None:
        objective = self.make()
        assert "99.5000\u202f%" in Page(owner.get(f"/objectives/{objective.pk}/")).text
        asked = Page(owner.get(f"/objectives/{objective.pk}/", {"group": '{region="eu"}'}))
        assert "100.0000\u202f%target" in asked.text
        [live] = [a["hx-get"] for _, a in asked.tags if "/live/" in a.get("hx-get", "")]
        assert live.endswith("/live/?group=%7Bregion%3D%22eu%22%7D")

    def test_a_group_that_is_not_there_shows_the_worst(self, owner: Client) -> None:
        objective = self.make()
        response = owner.get(f"/objectives/{objective.pk}/", {"group": '{region="mars"}\0'})
        assert "99.5000\u202f%" in Page(response).text

    def test_a_group_whose_alert_fires_is_worse_than_one_with_less_budget(self, owner: Client) -> None:
        objective = self.make()
        Alert.objects.create(tier=make_tier(objective), group='{region="eu"}', state="firing", since=lately())
        page = Page(owner.get(f"/objectives/{objective.pk}/"))
        assert page.text.index('{region="eu"}') < page.text.index('{region="us"}')

    def test_charts_are_of_one_group(self, owner: Client) -> None:
        objective = self.make()
        drawn = owner.get(f"/objectives/{objective.pk}/chart/budget/", {"group": '{region="us"}'}).json()
        assert drawn["columns"][1][-1] == pytest.approx(0.5)

    def test_more_groups_cost_no_more_queries(self, owner: Client, django_assert_max_num_queries: Any) -> None:
        objective = make_objective(window=HOUR, grouping=["n"])
        many: dict[Group, list[Counts]] = {(("n", str(n)),): [(1, 100)] * 3 for n in range(60)}
        make_groups(objective, lately(3 * MINUTE), many)
        with django_assert_max_num_queries(26):
            page = Page(owner.get(f"/objectives/{objective.pk}/"))
        assert "All 60" in page.text
        assert page.text.count("{n=") < 60
        assert Page(owner.get(f"/objectives/{objective.pk}/?groups=all")).text.count('{n="') >= 60

    def test_more_groups_than_are_kept_is_said(self, owner: Client) -> None:
        objective = self.make()
        Objective.objects.update(overflow="It has 700 groups; 500 are kept.")
        assert "It has 700 groups; 500 are kept." in Page(owner.get(f"/objectives/{objective.pk}/")).text


class TestInMaintenance:
    def test_it_says_until_when_and_why(self, owner: Client) -> None:
        objective = make_objective(window=HOUR)
        make_slices(objective, lately(10 * MINUTE), [(50, 100)] * 10)
        maintenance.declare("Database upgrade", lately(30 * MINUTE), HOUR, objective=objective)
        page = Page(owner.get(f"/objectives/{objective.pk}/"))
        assert "Database upgrade. Nothing of it counts, and alerts are frozen." in page.text
        assert "10\u00a0min in maintenance" in page.text or "30\u00a0min in maintenance" in page.text

    def test_what_is_planned_within_a_day_is_announced(self, owner: Client) -> None:
        objective = make_objective()
        maintenance.declare("Tomorrow", lately(-HOUR), HOUR, flow=objective.flow)
        maintenance.declare("Another flow", lately(-HOUR), HOUR, flow=make_flow())
        text = Page(owner.get(f"/objectives/{objective.pk}/")).text
        assert "Maintenance from" in text
        assert "Tomorrow" in text
        assert "Another flow" not in text

    def test_slices_that_do_not_count_are_marked(self, owner: Client) -> None:
        objective = make_objective(window=HOUR)
        make_slices(objective, lately(10 * MINUTE), [(50, 100)] * 10)
        maintenance.declare("Upgrade", lately(5 * MINUTE), 90 * timedelta(seconds=1), objective=objective)
        # One whole, and the one that it only touches.
        assert Page(owner.get(f"/objectives/{objective.pk}/")).text.count("In maintenance: does not count") == 2

    def test_charts_are_shaded_where_nothing_counts(self, owner: Client) -> None:
        objective = make_objective("0.99", window=HOUR)
        make_slices(objective, lately(HOUR), [(0, 100)] * 60)
        maintenance.declare("Upgrade", lately(30 * MINUTE), 10 * MINUTE)
        for kind in ("budget", "burn"):
            [ground] = owner.get(f"/objectives/{objective.pk}/chart/{kind}/").json()["grounds"]
            assert (ground["from"], ground["label"]) == (lately(30 * MINUTE).timestamp(), "maintenance")
            assert ground["to"] - ground["from"] == 600


class TestCharts:
    def test_the_budget_falls_to_the_number_on_the_page(self, owner: Client) -> None:
        objective = make_objective("0.99", window=HOUR)
        make_slices(objective, lately(HOUR), [(0, 100)] * 30 + [(1, 100)] * 30)
        drawn = owner.get(f"/objectives/{objective.pk}/chart/budget/").json()
        left = drawn["columns"][1]
        assert left[0] == 1
        assert left[-1] == pytest.approx(0.5)
        assert left == sorted(left, reverse=True)

    def test_time_that_was_not_measured_is_a_gap(self, owner: Client) -> None:
        objective = make_objective("0.99", window=HOUR)
        make_slices(objective, lately(HOUR), [(0, 100)] * 20 + [None] * 20 + [(0, 100)] * 20)
        assert None in owner.get(f"/objectives/{objective.pk}/chart/budget/").json()["columns"][1]

    def test_the_burn_has_a_line_for_each_window(self, owner: Client) -> None:
        objective = make_objective("0.99", window=7 * DAY)
        make_tiers(objective)
        make_slices(objective, lately(HOUR), [(2, 100)] * 60)
        drawn = owner.get(f"/objectives/{objective.pk}/chart/burn/").json()
        assert [line["label"] for line in drawn["series"]] == ["1\u00a0h", "6\u00a0h", "1\u00a0d", "3\u00a0d"]
        assert drawn["columns"][1][-1] == pytest.approx(2)

    def test_before_the_first_measurement_it_is_empty(self, owner: Client) -> None:
        objective = make_objective()
        assert owner.get(f"/objectives/{objective.pk}/chart/budget/").json()["columns"] == [[], []]

    def test_an_unknown_chart_is_not_found(self, owner: Client) -> None:
        objective = make_objective()
        assert owner.get(f"/objectives/{objective.pk}/chart/pie/").status_code == 404
