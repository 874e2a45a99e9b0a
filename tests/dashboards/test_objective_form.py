"""The objective's form in the browser: defining and editing one, with and without JavaScript."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alerts import tasks
from slo import ledger
from slo.counting import Matcher, Sli
from slo.definition import BudgetAlert, Budgeting, Definition, NoDataAlert
from slo.definitions import definition_of, tiers_of
from slo.models import Objective
from slo.periods import Window
from slo.states import Policy
from slo.tiers import WORKBOOK_TIERS
from tests.dashboards.everything import HOSTILE, lately
from tests.dashboards.objective_forms import Shown, filled, only
from tests.dashboards.pages import Page
from tests.make import DAY, HOUR, MINUTE, book_of, make_flow, make_objective, make_slices, make_source, tier
from tests.servers import free_port

pytestmark = pytest.mark.django_db


def of_every_kind() -> list[Objective]:
    """Objectives that use every field of the form between them."""
    code = [{"label": "code", "op": "!~", "value": "2..|3.."}]
    queries: dict[str, Any] = {"total_expression": "a[{{window}}]", "bad_expression": "b[{{window}}]"}
    slices: dict[str, Any] = {"method": "timeslices", "time_slice": 5 * MINUTE, "time_slice_target": Decimal("0.95")}
    none: dict[str, Any] = {"metric": "", "bad_matchers": []}
    return [
        make_objective(matchers=code, marks="good", bad_metric="good_total", description="Two\nlines", grouping=["a"]),
        make_objective(kind="latency", metric="seconds", bad_matchers=[], threshold=Decimal("0.25"), **slices),
        make_objective(marks="good", **none, **queries),
        make_objective(kind="gauge", expression='max(x{a="<b>"})', threshold=Decimal("-1.5"), comparison="gt", **none),
        make_objective(kind="freshness", expression="last", threshold=Decimal(90), confidence=None, min_bad=1, **none),
        make_objective(
            kind="bool", expression="up", calendar="quarter", window=90 * DAY, time_zone="Asia/Tokyo", **none
        ),
        make_objective(tiers=[tier(), BudgetAlert("page", Decimal("0.125")), NoDataAlert("page", 45 * MINUTE)]),
    ]


@pytest.fixture(autouse=True)
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What was handed to the workers: the broker is the socket here, and there is none."""
    found: list[int] = []
    monkeypatch.setattr(tasks.measure, "apply_async", lambda args, **_: found.extend(args[0]))
    return found


def values_of(page: Page, name: str) -> list[str]:
    return [attributes.get("value", "") for _, attributes in page.tags if attributes.get("name") == name]


def chosen_in(page: Page, name: str) -> str:
    inside = False
    for tag, attributes in page.tags:
        inside = attributes.get("name") == name if tag == "select" else inside
        if inside and tag == "option" and "selected" in attributes:
            return attributes["value"]
    return ""


class TestDefining:
    def test_without_a_prometheus_the_form_says_where_to_begin(self, owner: Client) -> None:
        make_flow("Checkout")
        page = Page(owner.get("/flows/checkout/objectives/new/"))
        assert "No Prometheus yet" in page.text
        assert "/settings/sources/new/" in page.links

    def test_a_new_form_begins_with_the_workbooks_tiers(self, owner: Client) -> None:
        make_flow("Checkout")
        make_source()
        page = Page(owner.get("/flows/checkout/objectives/new/"))
        assert "14.4×" in page.text
        assert values_of(page, "tier_share") == ["2", "5", "10", "10", "100"]
        assert values_of(page, "budget_spent") == ["50", "75", "100"]
        assert values_of(page, "target") == ["99.9"]

    def test_opening_the_form_asks_no_store(self, owner: Client) -> None:
        make_flow("Checkout")
        make_source(f"http://127.0.0.1:{free_port()}")
        assert "cannot be reached" not in Page(owner.get("/flows/checkout/objectives/new/")).text

    def test_saving_leads_to_its_page_and_starts_measuring(
        self, owner: Client, queued: list[int], django_capture_on_commit_callbacks: Any
    ) -> None:
        make_flow("Checkout")
        source = make_source()
        with django_capture_on_commit_callbacks(execute=True):
            response = owner.post("/flows/checkout/objectives/new/", filled(source, target="99.999999999"))
        objective = only()
        assert response.url == f"/objectives/{objective.pk}/"  # type: ignore[attr-defined]
        assert objective.target == Decimal("0.99999999999")
        assert objective.window == timedelta(days=7)
        assert objective.matchers == [{"label": "service", "op": "=", "value": "checkout"}]
        assert objective.bad_matchers == [{"label": "code", "op": "=~", "value": "5.."}]
        assert [(tier.severity, tier.long) for tier in tiers_of(objective)] == [("page", HOUR), ("ticket", DAY)]
        assert queued == [objective.pk]

    def test_a_store_that_does_not_answer_does_not_keep_it_from_being_saved(self, owner: Client) -> None:
        make_flow("Checkout")
        source = make_source(f"http://127.0.0.1:{free_port()}")
        page = Page(owner.post("/flows/checkout/objectives/new/", filled(source), follow=True))
        assert "Availability is saved." in page.text
        assert "Saved, but not tried: 127.0.0.1" in page.text

    @pytest.mark.parametrize(
        ("changed", "says"),
        [
            ({"name": " "}, "Give the objective a name."),
            ({"target": "100"}, "leaves no budget"),
            ({"target": "99.9999999999"}, "at most 9 decimals"),
            ({"target": ""}, "Enter the target"),
            ({"window": "59 min"}, "from an hour up to 366 days"),
            ({"window": "367 d"}, "from an hour up to 366 days"),
            ({"window": "90.5 min"}, "whole minutes"),
            ({"window": "soon"}, "Write a length with its unit"),
            ({"calendar": "fortnight"}, "Select a valid choice"),
            ({"calendar": "month", "time_zone": "Mars/Base"}, "There is no time zone Mars/Base"),
            ({"metric": ""}, "Name the metric"),
            ({"counting": "guess"}, "Select a valid choice"),
            ({"source": "999"}, "Choose one of these."),
            ({"bad_label": "", "bad_value": ""}, "Say by which label a bad event is known"),
            ({"match_label": ""}, "Name the label that this value belongs to."),
            ({"counting": "latency"}, "Enter the limit in seconds"),
            ({"counting": "gauge"}, "Write the query whose answer is judged"),
            ({"counting": "gauge", "expression": "x", "level": "high"}, "Enter the number that the value is compared"),
            ({"counting": "freshness", "expression": "x", "age": ""}, "Write a length with its unit"),
            ({"grouping": "region, 1st"}, "“1st” is no name of a label"),
            ({"method": "timeslices", "time_slice": "7 min"}, "Time slices fill an hour without a rest"),
            ({"method": "timeslices", "time_slice": "30 s"}, "multiples of 1 min"),
            ({"method": "timeslices", "time_slice_target": "100"}, "least share of good events of 100 %"),
            ({"confidence": "100"}, "at least 50 % and below 100 %"),
            ({"min_bad": "0"}, "a whole number of bad events"),
            ({"budget_spent": ["50", "200"]}, "The share of the budget is above 0 %"),
            ({"no_data_after": "1 min"}, "It waits at least 2 min"),
            ({"marks": "good", "bad_label": "", "bad_value": ""}, "by which label a good event is known"),
            ({"counting": "expression"}, "Write the query"),
            ({"counting": "expression", "total_expression": "sum(x)", "bad_expression": "y"}, "Use {{window}}"),
            ({"tier_long": ["300", "86400"], "tier_short": ["60", "7200"], "tier_share": ["100", "10"]}, "never fire"),
            ({"window": "1 h"}, "longer than the objective"),
        ],
    )
    def test_what_cannot_be_saved_gets_a_sentence_and_keeps_what_was_typed(
        self, owner: Client, changed: dict[str, Any], says: str
    ) -> None:
        make_flow("Checkout")
        typed = filled(make_source(), metric=HOSTILE) | changed
        response = owner.post("/flows/checkout/objectives/new/", typed)
        page = Page(response)
        assert response.status_code == 422
        assert says in page.text
        assert not Objective.objects.exists()
        assert values_of(page, "metric") == [typed["metric"]]
        assert values_of(page, "target") == [typed["target"]]
        assert values_of(page, "tier_share") == typed["tier_share"]
        assert values_of(page, "match_value") == ["checkout"]
        assert list(page.offences()) == []

    def test_a_name_is_taken_once_a_flow(self, owner: Client) -> None:
        flow = make_flow("Checkout")
        make_objective(flow=flow, name="AVAILABILITY")
        page = Page(owner.post("/flows/checkout/objectives/new/", filled(make_source())))
        assert "Another objective of this flow has this name." in page.text

    def test_a_histogram_is_taken_by_its_common_name(self, owner: Client) -> None:
        make_flow("Checkout")
        typed = filled(make_source(), counting="latency", metric="duration_seconds_bucket", threshold="0.25")
        owner.post("/flows/checkout/objectives/new/", typed)
        objective = only()
        assert (objective.kind, objective.metric, objective.threshold) == (
            "latency",
            "duration_seconds",
            Decimal("0.25"),
        )
        assert objective.bad_matchers == []

    def test_an_expression_leaves_the_metric_out(self, owner: Client) -> None:
        make_flow("Checkout")
        queries = {"total_expression": "increase(a[{{window}}])", "bad_expression": "increase(b[{{window}}])"}
        owner.post("/flows/checkout/objectives/new/", filled(make_source(), counting="expression", **queries))
        objective = only()
        assert (objective.metric, objective.matchers, objective.bad_matchers) == ("", [], [])
        assert objective.total_expression == queries["total_expression"]

    def test_an_archived_flow_gets_no_new_objective(self, owner: Client) -> None:
        make_flow("Checkout", archived_at=timezone.now())
        assert owner.get("/flows/checkout/objectives/new/").status_code == 404


class TestKinds:
    """What each kind, window and method is stored as."""

    def saved(self, owner: Client, **changed: Any) -> Definition:
        make_flow("Checkout")
        response = owner.post("/flows/checkout/objectives/new/", filled(make_source(), **changed))
        assert response.status_code == 302, Page(response).text
        return definition_of(only())

    def test_events_by_their_good_ones(self, owner: Client) -> None:
        sli = self.saved(owner, marks="good", bad_value=["2.."]).sli
        assert (sli.marks, sli.bad_matchers) == ("good", (Matcher("code", "=~", "2.."),))

    def test_events_whose_bad_ones_are_counted_by_another_metric(self, owner: Client) -> None:
        sli = self.saved(owner, bad_metric="errors_total", bad_label=[""], bad_op=["="], bad_value=[""]).sli
        assert (sli.metric, sli.bad_metric, sli.bad_matchers) == ("requests_total", "errors_total", ())

    def test_a_gauge_within_a_limit(self, owner: Client) -> None:
        sli = self.saved(owner, counting="gauge", expression="queue_depth", level="-2,5", comparison="gt").sli
        assert sli == Sli("gauge", expression="queue_depth", threshold=Decimal("-2.5"), comparison="gt")

    def test_a_backup_that_has_to_be_fresh(self, owner: Client) -> None:
        sli = self.saved(owner, counting="freshness", expression="last_success_seconds", age="1 h 30 min").sli
        assert sli == Sli("freshness", expression="last_success_seconds", threshold=Decimal(5400))

    def test_a_probe(self, owner: Client) -> None:
        assert self.saved(owner, counting="bool", expression="probe_success").sli == Sli(
            "bool", expression="probe_success"
        )

    def test_groups(self, owner: Client) -> None:
        assert self.saved(owner, grouping="tenant, region").sli.group_by == ("tenant", "region")

    def test_a_calendar_window_in_a_time_zone_whatever_stands_in_the_other_field(self, owner: Client) -> None:
        window = self.saved(owner, calendar="month", time_zone="Europe/Berlin", window="garbage").window
        assert window == Window(30 * DAY, "month", "Europe/Berlin")

    @pytest.mark.parametrize(("text", "length"), [("2 h", 2 * HOUR), ("45d", 45 * DAY), ("1 y", 365 * DAY)])
    def test_a_rolling_window_of_any_length(self, owner: Client, text: str, length: timedelta) -> None:
        short = {"tier_severity": ["page"], "tier_long": ["3600"], "tier_short": ["300"], "tier_share": ["0.5"]}
        assert self.saved(owner, window=text, target="99", **short).window == Window(length)

    def test_time_slices(self, owner: Client) -> None:
        found = self.saved(owner, method="timeslices", time_slice="10 min", time_slice_target="97.5")
        assert found.budgeting == Budgeting("timeslices", 10 * MINUTE, Decimal("0.975"))

    def test_a_kind_that_is_made_of_time_slices_needs_no_method(self, owner: Client) -> None:
        found = self.saved(owner, counting="bool", expression="up", method="timeslices", time_slice="garbage")
        assert found.budgeting == Budgeting()

    def test_the_textbook_without_confidence(self, owner: Client) -> None:
        policy = self.saved(owner, certainty="plain", confidence="", min_bad="1").policy
        assert (policy.confidence, policy.min_bad) == (None, 1)

    def test_another_confidence(self, owner: Client) -> None:
        assert self.saved(owner, confidence="99.5", min_bad="5").policy == Policy(min_bad=5, confidence=0.995)

    def test_budget_alerts_and_the_one_for_no_data(self, owner: Client) -> None:
        found = self.saved(owner, budget_severity=["page"], budget_spent=["80"], no_data="page", no_data_after="1 h")
        assert found.budget_alerts == (BudgetAlert("page", Decimal("0.8")),)
        assert found.no_data == NoDataAlert("page", HOUR)

    def test_nobody_is_told_of_no_data_or_spent_budgets(self, owner: Client) -> None:
        found = self.saved(owner, budget_severity=[], budget_spent=[], no_data="")
        assert (found.budget_alerts, found.no_data) == ((), None)


class TestRowsWithoutJavaScript:
    @pytest.mark.parametrize(
        ("button", "name", "count"),
        [
            ({"add_match": "1"}, "match_label", 2),
            ({"remove_match": "0"}, "match_label", 0),
            ({"add_bad": "1"}, "bad_label", 2),
            ({"add_tier": "1"}, "tier_share", 3),
            ({"remove_tier": "1"}, "tier_share", 1),
            ({"add_budget": "1"}, "budget_spent", 3),
            ({"remove_budget": "0"}, "budget_spent", 1),
            ({"preset": "Pages only"}, "tier_share", 2),
        ],
    )
    def test_a_row_is_added_or_removed_and_nothing_else_changes(
        self, owner: Client, button: dict[str, str], name: str, count: int
    ) -> None:
        make_flow("Checkout")
        response = owner.post("/flows/checkout/objectives/new/", filled(make_source(), target="garbage") | button)
        page = Page(response)
        assert response.status_code == 200
        assert len(values_of(page, name)) == count
        assert values_of(page, "target") == ["garbage"]
        assert values_of(page, "name") == ["Availability"]
        assert values_of(page, "window") == ["7 d"]
        assert chosen_in(page, "no_data") == "ticket"
        assert not Objective.objects.exists()

    def test_the_workbooks_tiers_are_scaled_to_the_window(self, owner: Client) -> None:
        make_flow("Checkout")
        page = Page(owner.post("/flows/checkout/objectives/new/", filled(make_source()) | {"preset": "Workbook"}))
        assert "3.36×" in page.text

    def test_tiers_that_followed_a_window_belong_to_it(self, owner: Client) -> None:
        make_flow("Checkout")
        typed = filled(make_source(), window="14 d") | {"rescale": "1", "tiers_for": str(7 * 86_400)}
        page = Page(owner.post("/flows/checkout/objectives/new/", typed))
        assert values_of(page, "tiers_for") == [str(14 * 86_400)]
        assert "The budget is 20\u00a0min\u00a010\u00a0s with everything failing." in page.text

    def test_a_look_shows_the_preview_within_the_page(self, owner: Client) -> None:
        make_flow("Checkout")
        typed = filled(make_source(f"http://127.0.0.1:{free_port()}")) | {"look": "1"}
        response = owner.post("/flows/checkout/objectives/new/", typed)
        assert response.status_code == 200
        assert "nothing listens there" in Page(response).text


class TestEditing:
    def test_the_form_shows_what_is_stored(self, owner: Client) -> None:
        objective = make_objective("0.9995", tiers=WORKBOOK_TIERS)
        page = Page(owner.get(f"/objectives/{objective.pk}/edit/"))
        assert values_of(page, "target") == ["99.95"]
        assert values_of(page, "metric") == ["requests_total"]
        assert values_of(page, "bad_value") == ["5.."]
        assert len(values_of(page, "tier_share")) == 4
        assert values_of(page, "budget_spent") == []

    def test_another_target_keeps_what_was_measured(self, owner: Client) -> None:
        objective = make_objective(window=7 * DAY, name="Availability", matchers=[])
        make_slices(objective, lately(HOUR), [(0, 10)] * 3)
        typed = filled(objective.source, target="99", match_label=[], match_op=[], match_value=[])
        owner.post(f"/objectives/{objective.pk}/edit/", typed)
        objective.refresh_from_db()
        assert objective.target == Decimal("0.99")
        assert len(ledger.history(book_of(objective), lately(HOUR), lately(HOUR) + 3 * MINUTE).marks) == 4

    def test_when_other_events_count_the_past_is_measured_anew_and_the_page_says_so(self, owner: Client) -> None:
        objective = make_objective(window=7 * DAY, name="Availability")
        make_slices(objective, lately(HOUR), [(0, 10)] * 3)
        typed = filled(objective.source, bad_value=["4.."])
        page = Page(owner.post(f"/objectives/{objective.pk}/edit/", typed, follow=True))
        assert "its past is being measured anew" in page.text
        objective.refresh_from_db()
        assert (objective.generation, ledger.books(objective)) == (2, [])

    def test_its_own_name_is_not_taken(self, owner: Client) -> None:
        objective = make_objective(name="Availability")
        response = owner.post(f"/objectives/{objective.pk}/edit/", filled(objective.source))
        assert response.status_code == 302

    def test_a_tier_that_was_removed_keeps_its_history(self, owner: Client) -> None:
        objective = make_objective(name="Availability", tiers=WORKBOOK_TIERS)
        owner.post(f"/objectives/{objective.pk}/edit/", filled(objective.source))
        assert objective.tiers.count() == 4
        assert objective.tiers.active().count() == 2

    def test_saving_what_is_shown_changes_nothing(self, owner: Client) -> None:
        for objective in (make_objective(tiers=WORKBOOK_TIERS), *of_every_kind()):
            before = definition_of(objective)
            shown = Shown(owner.get(f"/objectives/{objective.pk}/edit/")).fields
            response = owner.post(f"/objectives/{objective.pk}/edit/", shown)
            assert response.status_code == 302, Page(response).text
            after = Objective.objects.get(pk=objective.pk)
            assert definition_of(after) == replace(before, flow="")
            assert after.generation == 1

    def test_what_the_form_does_not_show_is_kept(self, owner: Client) -> None:
        objective = make_objective(name="Availability", labels={"team": "payments"})
        owner.post(f"/objectives/{objective.pk}/edit/", filled(objective.source))
        objective.refresh_from_db()
        assert objective.labels == {"team": "payments"}

    def test_a_suggested_target_is_filled_in_and_not_saved(self, owner: Client) -> None:
        objective = make_objective("0.999")
        page = Page(owner.post(f"/objectives/{objective.pk}/edit/", filled(objective.source) | {"use_target": "99.5"}))
        assert values_of(page, "target") == ["99.5"]
        objective.refresh_from_db()
        assert objective.target == Decimal("0.999")

    def test_an_archived_objective_is_not_edited(self, owner: Client) -> None:
        objective = make_objective(archived_at=timezone.now())
        assert owner.get(f"/objectives/{objective.pk}/edit/").status_code == 404
