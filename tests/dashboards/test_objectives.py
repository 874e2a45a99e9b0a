"""Objectives in the browser: defining, editing and archiving one, and its page."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from alerts import tasks
from slo.models import AlertRule, Objective, Slice
from slo.tiers import WORKBOOK_TIERS
from tests.dashboards.everything import HOSTILE, lately
from tests.dashboards.objective_forms import filled, only
from tests.dashboards.pages import Page
from tests.make import DAY, HOUR, make_flow, make_objective, make_slices, make_source
from tests.servers import free_port

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def queued(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What was handed to the workers: the broker is the socket here, and there is none."""
    found: list[int] = []
    monkeypatch.setattr(tasks.measure, "apply_async", lambda args, **_: found.append(args[0]))
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
        assert values_of(page, "tier_share") == ["2", "5", "10", "10"]
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
        assert [(tier.severity, tier.long) for tier in objective.tiers.all()] == [("page", HOUR), ("ticket", DAY)]
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
            ({"window": "60"}, "at least an hour"),
            ({"window": "soon"}, "from the list"),
            ({"metric": ""}, "Name the metric"),
            ({"counting": "guess"}, "Select a valid choice"),
            ({"source": "999"}, "Choose one of these."),
            ({"bad_label": "", "bad_value": ""}, "Say by which label a bad event is known"),
            ({"match_label": ""}, "Name the label that this value belongs to."),
            ({"counting": "latency"}, "Choose the bucket"),
            ({"counting": "expression"}, "Write the query"),
            ({"counting": "expression", "total_expression": "sum(x)", "bad_expression": "y"}, "Use {{window}}"),
            ({"tier_long": ["300", "86400"], "tier_short": ["60", "7200"], "tier_share": ["100", "10"]}, "never fire"),
            ({"window": "3600"}, "longer than the objective"),
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


class TestRowsWithoutJavaScript:
    @pytest.mark.parametrize(
        ("button", "name", "count"),
        [
            ({"add_match": "1"}, "match_label", 2),
            ({"remove_match": "0"}, "match_label", 0),
            ({"add_bad": "1"}, "bad_label", 2),
            ({"add_tier": "1"}, "tier_share", 3),
            ({"remove_tier": "1"}, "tier_share", 1),
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
        assert chosen_in(page, "window") == str(7 * 86_400)
        assert not Objective.objects.exists()

    def test_the_workbooks_tiers_are_scaled_to_the_window(self, owner: Client) -> None:
        make_flow("Checkout")
        page = Page(owner.post("/flows/checkout/objectives/new/", filled(make_source()) | {"workbook": "1"}))
        assert "3.36×" in page.text

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

    def test_another_target_keeps_what_was_measured(self, owner: Client) -> None:
        objective = make_objective(window=7 * DAY, name="Availability", matchers=[])
        make_slices(objective, lately(HOUR), [(0, 10)] * 3)
        typed = filled(objective.source, target="99", match_label=[], match_op=[], match_value=[])
        owner.post(f"/objectives/{objective.pk}/edit/", typed)
        objective.refresh_from_db()
        assert objective.target == Decimal("0.99")
        assert Slice.objects.filter(objective=objective).count() == 3

    def test_when_other_events_count_the_past_is_measured_anew_and_the_page_says_so(self, owner: Client) -> None:
        objective = make_objective(window=7 * DAY, name="Availability")
        make_slices(objective, lately(HOUR), [(0, 10)] * 3)
        typed = filled(objective.source, bad_value=["4.."])
        page = Page(owner.post(f"/objectives/{objective.pk}/edit/", typed, follow=True))
        assert "its past is being measured anew" in page.text
        assert not Slice.objects.exists()

    def test_its_own_name_is_not_taken(self, owner: Client) -> None:
        objective = make_objective(name="Availability")
        response = owner.post(f"/objectives/{objective.pk}/edit/", filled(objective.source))
        assert response.status_code == 302

    def test_a_tier_that_was_removed_keeps_its_history(self, owner: Client) -> None:
        objective = make_objective(name="Availability", tiers=WORKBOOK_TIERS)
        owner.post(f"/objectives/{objective.pk}/edit/", filled(objective.source))
        assert AlertRule.objects.filter(objective=objective).count() == 4
        assert objective.tiers.filter(archived_at=None).count() == 2

    def test_an_archived_objective_is_not_edited(self, owner: Client) -> None:
        objective = make_objective(archived_at=timezone.now())
        assert owner.get(f"/objectives/{objective.pk}/edit/").status_code == 404
