"""Flows in the browser: create, edit, archive and bring back, and nothing is ever lost."""

import pytest
from django.test import Client
from django.utils import timezone

from dashboards import flows
from slo.models import Flow, Slice
from telemetry import store
from tests.dashboards.everything import TRACE_ID, lately, make_incident, make_span
from tests.dashboards.pages import Page
from tests.make import make_flow, make_objective, make_slices

pytestmark = pytest.mark.django_db(databases="__all__")

FORM = {"name": "Checkout", "team": "payments", "importance": 1, "selector": "", "runbook_url": "", "description": ""}


def test_a_flow_is_made_from_its_name_alone(owner: Client) -> None:
    response = owner.post("/flows/new/", FORM)
    flow = Flow.objects.get()
    assert response.headers["Location"] == "/flows/checkout/"
    assert (flow.slug, flow.selector, flow.importance) == ("checkout", "checkout", 1)


def test_a_flow_without_a_name_is_refused_and_keeps_what_was_typed(owner: Client) -> None:
    response = owner.post("/flows/new/", FORM | {"name": "", "team": "payments & co"})
    assert response.status_code == 422
    page = Page(response)
    assert "Give the flow a name." in page.text
    assert any(a.get("value") == "payments & co" for _, a in page.tags)
    assert any(a.get("name") == "name" and a.get("aria-invalid") == "true" for _, a in page.tags)


def test_two_active_flows_cannot_share_a_name_whatever_its_capitals(owner: Client) -> None:
    make_flow("Checkout")
    response = owner.post("/flows/new/", FORM | {"name": "CHECKOUT"})
    assert response.status_code == 422
    assert "Another flow has this name." in Page(response).text


def test_the_name_of_an_archived_flow_is_free_but_its_address_is_not(owner: Client) -> None:
    make_flow("Checkout", archived_at=timezone.now())
    owner.post("/flows/new/", FORM)
    assert Flow.objects.active().get().slug == "checkout-2"


@pytest.mark.parametrize(
    ("name", "slug"), [("New", "new-2"), ("支払い", "flow"), ("Sign up!", "sign-up"), ("x" * 80, "x" * 70)]
)
def test_every_name_becomes_an_address(name: str, slug: str) -> None:
    assert flows.free_slug(name) == slug


def test_a_runbook_must_be_an_address(owner: Client) -> None:
    assert owner.post("/flows/new/", FORM | {"runbook_url": "javascript:alert(1)"}).status_code == 422


def test_editing_a_flow_keeps_its_address(owner: Client) -> None:
    make_flow("Checkout")
    response = owner.post("/flows/checkout/edit/", FORM | {"name": "Pay"})
    assert response.headers["Location"] == "/flows/checkout/"
    assert Flow.objects.get().name == "Pay"


def test_a_refused_edit_shows_the_stored_name_in_the_frame(owner: Client) -> None:
    make_flow("Checkout")
    page = Page(owner.post("/flows/checkout/edit/", FORM | {"name": ""}))
    assert "Edit Checkout" in page.text


def test_archiving_asks_first(owner: Client) -> None:
    make_flow("Checkout")
    assert "Archive Checkout?" in Page(owner.get("/flows/checkout/archive/")).text
    assert Flow.objects.active().exists()


def test_archiving_keeps_all_history(owner: Client) -> None:
    objective = make_objective(flow=make_flow("Checkout"))
    make_slices(objective, lately(), [(1, 10)])
    owner.post("/flows/checkout/archive/")
    assert not Flow.objects.active().exists()
    assert Slice.objects.filter(ledger__objective=objective).exists()
    assert "Archived" in Page(owner.get("/flows/checkout/")).text
    assert "/flows/checkout/" in Page(owner.get("/flows/")).links


def test_a_flow_that_burns_is_not_archived(owner: Client) -> None:
    make_incident(make_flow("Checkout"))
    response = owner.post("/flows/checkout/archive/")
    assert response.status_code == 422
    assert "still open" in Page(response).text
    assert Flow.objects.active().exists()


def test_an_archived_flow_can_be_brought_back(owner: Client) -> None:
    make_flow("Checkout", archived_at=timezone.now())
    assert "Bring Checkout back?" in Page(owner.get("/flows/checkout/archive/")).text
    owner.post("/flows/checkout/archive/")
    assert Flow.objects.active().exists()


def test_a_flow_whose_name_is_taken_meanwhile_is_not_brought_back(owner: Client) -> None:
    make_flow("Checkout", archived_at=timezone.now())
    make_flow("checkout", slug="checkout-2")
    response = owner.post("/flows/checkout/archive/")
    assert response.status_code == 422
    assert "Another flow has this name." in Page(response).text


def test_the_page_of_a_flow_without_objectives_says_what_to_do(owner: Client) -> None:
    make_flow("Checkout")
    page = Page(owner.get("/flows/checkout/"))
    assert "No objective yet" in page.text
    assert not [tag for tag, _ in page.tags if tag == "fl-chart"]


def test_the_page_shows_objectives_incidents_and_failed_requests(owner: Client) -> None:
    objective = make_objective(name="Checkout succeeds", flow=make_flow("Checkout"))
    incident = make_incident(objective.flow)
    store.record_spans([make_span()], timezone.now())
    page = Page(owner.get("/flows/checkout/"))
    assert "Checkout succeeds" in page.text
    assert {f"/incidents/{incident.pk}/", f"/traces/{TRACE_ID}/"} <= set(page.links)


def test_requests_of_other_flows_or_without_failure_are_not_listed(owner: Client) -> None:
    make_objective(flow=make_flow("Checkout"))
    store.record_spans([make_span("a" * 32, flow="login"), make_span("b" * 32, error=False)], timezone.now())
    links = Page(owner.get("/flows/checkout/")).links
    assert not [link for link in links if "a" * 32 in link or "b" * 32 in link]


def test_the_polled_part_shows_an_incident_that_has_just_opened(owner: Client) -> None:
    objective = make_objective(flow=make_flow("Checkout"))
    assert "INC-" not in owner.get("/flows/checkout/live/").content.decode()
    incident = make_incident(objective.flow)
    assert f"INC-{incident.pk}" in Page(owner.get("/flows/checkout/live/")).text


def test_an_unknown_flow_is_not_found(owner: Client) -> None:
    for path in ("/flows/nope/", "/flows/nope/live/", "/flows/nope/edit/", "/flows/nope/archive/"):
        assert owner.get(path).status_code == 404
