"""The overview: what is worst comes first, what is unknown says so, what is open shows by itself."""

from collections.abc import Mapping, Sequence

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alerts.models import Alert, Incident
from dashboards import standing
from slo import maintenance
from slo.groups import Group
from slo.instants import floor
from slo.models import AlertRule, Flow, Objective
from tests.dashboards.everything import lately, make_change, make_incident
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
    make_source,
    make_tier,
)

pytestmark = pytest.mark.django_db

QUIET: Sequence[Counts] = [(0, 100)] * 5
NB = "\u00a0"
EU: Group = (("region", "eu"),)
US: Group = (("region", "us"),)


def make_measured(name: str, counts: Sequence[Counts] = QUIET, **fields: object) -> Objective:
    """An objective with a paging tier whose last slice ended just now."""
    objective = make_objective(name=f"{name} works", flow=make_flow(name), **fields)  # type: ignore[arg-type]
    make_tier(objective)
    make_slices(objective, lately(len(counts) * settings.SLICE), counts, settings.SLICE)
    return objective


def fire(objective: Objective, severity: str = "page") -> Incident:
    tier = objective.tiers.get()
    AlertRule.objects.filter(pk=tier.pk).update(severity=severity)
    incident = make_incident(objective.flow, severity=severity)
    Alert.objects.create(tier=tier, state=Alert.State.FIRING, since=lately(), incident=incident)
    return incident


def names(now_standing: list[standing.FlowStanding]) -> list[str]:
    return [one.flow.name for one in now_standing]


def test_flows_are_listed_worst_first() -> None:
    make_measured("Fine")
    make_flow("Undefined")
    make_objective(flow=make_flow("Unmeasured"))
    fire(make_measured("Slow"), "ticket")
    fire(make_measured("Broken"))
    assert names(standing.of_all(timezone.now())) == ["Broken", "Slow", "Unmeasured", "Fine", "Undefined"]


def test_among_flows_that_are_fine_the_least_budget_comes_first() -> None:
    make_measured("Half", [(5, 10_000)])
    make_measured("Full", [(0, 10_000)])
    make_measured("Little", [(9, 10_000)])
    assert names(standing.of_all(timezone.now())) == ["Little", "Half", "Full"]


def test_budget_and_burn_come_from_the_ledger() -> None:
    make_measured("Checkout", [(5, 10_000)], target="0.999")
    [flow] = standing.of_all(timezone.now())
    [one] = flow.objectives
    assert one.budget_left == pytest.approx(0.5)
    assert one.burn == pytest.approx(0.5)


def test_counts_before_the_window_do_not_spend_its_budget() -> None:
    objective = make_objective(window=DAY)
    start = lately(30 * HOUR)
    make_slices(objective, start, [(100, 100)] * 5 + [(0, 100)] * 25, HOUR)
    [flow] = standing.of_all(timezone.now())
    assert flow.objectives[0].budget_left == 1.0


def test_the_burn_looks_back_as_far_as_the_shown_tier() -> None:
    objective = make_objective()
    make_tier(objective, long=2 * HOUR, short=10 * MINUTE)
    make_slices(objective, lately(4 * HOUR), [(10, 100), (10, 100), (0, 100), (0, 100)], HOUR)
    assert standing.of_all(timezone.now())[0].objectives[0].burn == 0.0


def test_the_tier_that_fires_is_the_one_that_is_shown() -> None:
    objective = make_measured("Checkout")
    slow = make_tier(objective, severity="ticket", long=3 * DAY, short=6 * HOUR)
    Alert.objects.create(tier=slow, state=Alert.State.FIRING)
    [flow] = standing.of_all(timezone.now())
    assert (flow.status, flow.objectives[0].tier) == ("burning", slow)


def test_a_store_that_does_not_answer_is_no_data_with_its_reason(owner: Client) -> None:
    objective = make_measured("Checkout")
    Objective.objects.filter(pk=objective.pk).update(last_error="Prometheus refused the connection.")
    page = Page(owner.get("/"))
    assert "No data" in page.text
    assert "Prometheus refused the connection." in page.text
    assert "as of" in page.text


def test_a_ledger_that_stands_still_is_no_data() -> None:
    make_measured("Checkout")
    later = timezone.now() + standing.LATE * settings.SLICE + settings.SETTLE + MINUTE
    [flow] = standing.of_all(later)
    assert flow.status == "no-data"
    assert "Celery worker" in flow.objectives[0].stale


def test_an_unmeasured_last_slice_is_no_data_with_its_reason() -> None:
    make_measured("Checkout", [(0, 100), None])
    [one] = standing.of_all(timezone.now())[0].objectives
    assert (one.status, one.stale) == ("no-data", "No series matched.")


def test_what_fires_stays_paging_while_nothing_can_be_measured() -> None:
    objective = make_measured("Checkout", [(50, 100), None])
    fire(objective)
    [one] = standing.of_all(timezone.now())[0].objectives
    assert (one.status, bool(one.stale)) == ("paging", True)


def test_no_traffic_is_measured_and_burns_nothing() -> None:
    make_measured("Checkout", [(0, 0), (0, 0)])
    [one] = standing.of_all(timezone.now())[0].objectives
    assert (one.status, one.burn, one.budget_left) == ("ok", 0.0, 1.0)


def test_an_objective_that_was_never_measured_has_neither_budget_nor_burn(owner: Client) -> None:
    make_objective(flow=make_flow("New"))
    [one] = standing.of_all(timezone.now())[0].objectives
    assert (one.budget_left, one.burn, one.coverage) == (None, None, None)
    assert "the first measurement is under way" in Page(owner.get("/")).text


def test_archived_flows_and_objectives_are_not_shown(owner: Client) -> None:
    gone = make_measured("Gone")
    Flow.objects.filter(pk=gone.flow_id).update(archived_at=timezone.now())
    kept = make_measured("Kept")
    Objective.objects.filter(pk=kept.pk).update(archived_at=timezone.now())
    text = Page(owner.get("/")).text
    assert "Gone" not in text
    assert "Kept works" not in text


def test_an_open_incident_shows_by_itself_in_the_polled_part(owner: Client) -> None:
    objective = make_measured("Checkout", [(60, 100)] * 5)
    assert "INC-" not in owner.get("/live/").content.decode()
    incident = fire(objective)
    page = Page(owner.get("/live/"))
    assert f"INC-{incident.pk}" in page.text
    assert f"/incidents/{incident.pk}/" in page.links


def test_the_polled_part_keeps_count_and_time_of_the_frame_fresh(owner: Client) -> None:
    fire(make_measured("Checkout"))
    swapped = {a["id"] for _, a in Page(owner.get("/live/")).tags if a.get("hx-swap-oob")}
    assert swapped == {"as-of", "overview-summary", "open-incidents"}


def test_an_acknowledged_incident_says_by_whom(owner: Client) -> None:
    incident = fire(make_measured("Checkout"))
    incident.acknowledged_at, incident.acknowledged_by = timezone.now(), User.objects.get()
    incident.save()
    assert "acknowledged by olga" in Page(owner.get("/")).text


def test_paging_incidents_come_before_tickets(owner: Client) -> None:
    ticket, page_ = fire(make_measured("Slow"), "ticket"), fire(make_measured("Broken"))
    links = [link for link in Page(owner.get("/")).links if link.startswith("/incidents/")]
    assert links[1:3] == [f"/incidents/{page_.pk}/", f"/incidents/{ticket.pk}/"]


def test_quiet_is_said_together_with_the_last_incident(owner: Client) -> None:
    objective = make_measured("Checkout")
    make_incident(objective.flow, state="resolved", opened_at=lately(9 * DAY), resolved_at=lately(9 * DAY))
    text = Page(owner.get("/")).text
    assert "All quiet for 9 days" in text
    assert "all measured. Nothing burns." in text


def test_an_empty_fireline_says_how_to_begin(owner: Client) -> None:
    page = Page(owner.get("/"))
    assert "Start with a flow" in page.text
    assert "/flows/new/" in page.links


def test_a_change_shortly_before_an_incident_is_linked_to_it(owner: Client) -> None:
    incident = fire(make_measured("Checkout"))
    make_change("checkout 2026.11.3", at=incident.opened_at - 2 * MINUTE)
    make_change("identity 4.18", at=incident.opened_at - 5 * HOUR)
    text = Page(owner.get("/")).text
    assert f"2{NB}min before INC-{incident.pk}" in text
    assert text.count("before INC-") == 1


def test_every_row_is_a_real_link(owner: Client) -> None:
    objective = make_measured("Checkout")
    links = Page(owner.get("/")).links
    assert f"/objectives/{objective.pk}/" in links
    assert "/flows/checkout/" in links


@pytest.mark.parametrize(("sort", "first"), [("flow", "Alpha"), ("budget", "Zulu"), ("nonsense", "Zulu")])
def test_the_table_can_be_sorted_by_a_link(owner: Client, sort: str, first: str) -> None:
    make_measured("Zulu", [(9, 10_000)])
    make_measured("Alpha", [(0, 10_000)])
    text = Page(owner.get(f"/?sort={sort}")).text
    assert min(("Alpha", "Zulu"), key=lambda name: text.index(f"{name} works")) == first


def test_the_page_costs_as_many_queries_for_many_flows_as_for_few(
    owner: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    source = make_source()
    for n in range(2):
        fire(make_measured(f"Flow {n}", [(1, 100)] * 5, source=source))
        make_change(f"deploy {n}")
    with django_assert_max_num_queries(26) as few:
        owner.get("/live/")
    for n in range(2, 9):
        make_measured(f"Flow {n}", [(1, 100)] * 5, source=source)
        make_change(f"deploy {n}")
    with django_assert_max_num_queries(len(few.captured_queries)):
        owner.get("/live/")


class TestGroups:
    """An objective with groups is one row: that of the group that is worst off."""

    def make(self, counts: Mapping[Group, Sequence[Counts]]) -> Objective:
        objective = make_objective(flow=make_flow("Checkout"), grouping=["region"])
        make_tier(objective)
        make_groups(objective, lately(len(next(iter(counts.values()))) * MINUTE), counts)
        return objective

    def shown(self) -> standing.ObjectiveStanding:
        [flow] = standing.of_all(timezone.now())
        [one] = flow.objectives
        return one

    def test_the_group_with_the_least_budget_is_shown(self, owner: Client) -> None:
        objective = self.make({EU: [(0, 10_000)], US: [(5, 10_000)]})
        one = self.shown()
        assert (one.group, one.groups) == ('{region="us"}', 2)
        assert one.budget_left == pytest.approx(0.5)
        page = Page(owner.get("/"))
        assert '{region="us"}, worst of 2' in page.text
        assert f"/objectives/{objective.pk}/?group=%7Bregion%3D%22us%22%7D" in page.links

    def test_one_that_fires_is_worse_than_one_with_less_budget(self) -> None:
        objective = self.make({EU: [(0, 10_000)], US: [(5, 10_000)]})
        Alert.objects.create(tier=objective.tiers.get(), group='{region="eu"}', state="firing", since=lately())
        one = self.shown()
        assert (one.status, one.group) == ("paging", '{region="eu"}')

    def test_a_group_that_is_gone_does_not_make_it_no_data(self) -> None:
        self.make({EU: [(0, 100), (0, 100)], US: [(50, 100), None]})
        one = self.shown()
        assert (one.status, one.group, one.stale) == ("ok", '{region="eu"}', "")

    def test_it_is_no_data_when_all_groups_are_gone(self) -> None:
        self.make({EU: [(0, 100), None], US: [(0, 100), None]})
        assert self.shown().status == "no-data"

    def test_before_any_group_was_seen_it_says_so(self, owner: Client) -> None:
        make_objective(flow=make_flow("Checkout"), grouping=["region"])
        assert self.shown().budget_left is None

    def test_more_groups_cost_no_more_queries(self, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
        self.make({EU: [(0, 100)] * 3, US: [(0, 100)] * 3})
        with django_assert_max_num_queries(26) as few:
            standing.of_all(timezone.now())
        Flow.objects.update(archived_at=timezone.now(), slug="gone")
        self.make({(("region", str(n)),): [(n, 100)] * 3 for n in range(90)})
        with django_assert_max_num_queries(len(few.captured_queries)):
            standing.of_all(timezone.now())

    def test_what_an_earlier_generation_counted_is_not_shown(self) -> None:
        objective = self.make({EU: [(50, 100)], US: [(50, 100)]})
        Objective.objects.filter(pk=objective.pk).update(generation=2)
        one = self.shown()
        assert (one.budget_left, one.groups) == (None, 0)


class TestMaintenance:
    def test_what_burns_within_it_spends_nothing_and_the_line_has_a_gap(self) -> None:
        objective = make_measured("Checkout", [(50, 100)] * 60)
        maintenance.declare("Upgrade", lately(2 * HOUR), 3 * HOUR, flow=objective.flow)
        [one] = standing.of_all(timezone.now())[0].objectives
        assert (one.status, one.budget_left, one.burn, one.spark) == ("maintenance", None, None, None)

    def test_what_fires_within_it_is_still_paging(self, owner: Client) -> None:
        objective = make_measured("Checkout", [(50, 100)] * 60)
        fire(objective)
        maintenance.declare("Upgrade", lately(5 * MINUTE), HOUR, objective=objective)
        [one] = standing.of_all(timezone.now())[0].objectives
        assert (one.status, one.maintenance) == ("paging", True)
        assert "in maintenance" in Page(owner.get("/")).text


class TestTheLineOfADay:
    """The spark: the burn of the last 24 hours from the ledger."""

    def day(self, counts: Sequence[Counts]) -> standing.ObjectiveStanding:
        objective = make_objective()
        make_tier(objective)
        start = floor(timezone.now(), 30 * MINUTE) - len(counts) * 30 * MINUTE
        make_slices(objective, start, counts, 30 * MINUTE)
        [flow] = standing.of_all(timezone.now())
        return flow.objectives[0]

    def test_a_quiet_day_is_one_calm_line(self) -> None:
        found = self.day([(0, 100)] * 60).spark
        assert found is not None
        assert (len(found.lines), found.bad) == (1, False)

    def test_a_burst_above_the_tier_makes_it_bad_and_is_said_in_words(self) -> None:
        found = self.day([(0, 100)] * 58 + [(50, 100)] * 2).spark
        assert found is not None
        assert found.bad
        assert "at most 500.0 times" in found.label

    def test_unmeasured_hours_are_a_gap(self) -> None:
        found = self.day([(0, 100)] * 40 + [None] * 10 + [(0, 100)] * 10).spark
        assert found is not None
        assert len(found.lines) == 2
