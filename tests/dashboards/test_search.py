"""The search box."""

import pytest
from django.test import Client

from tests.dashboards.everything import TRACE_ID, make_change, make_incident
from tests.dashboards.pages import Page
from tests.make import make_flow, make_objective

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("query", [TRACE_ID, TRACE_ID.upper(), f"  {TRACE_ID} ", f"00-{TRACE_ID}-00f067aa0ba902b7-01"])
def test_a_trace_id_leads_to_the_trace(owner: Client, query: str) -> None:
    assert owner.get("/search", {"q": query}).headers["Location"] == f"/traces/{TRACE_ID}/"


@pytest.mark.parametrize("form", ["INC-{}", "inc {}", "inc{}"])
def test_an_incident_number_leads_to_the_incident(owner: Client, form: str) -> None:
    incident = make_incident(make_flow())
    assert owner.get("/search", {"q": form.format(incident.pk)}).headers["Location"] == f"/incidents/{incident.pk}/"


def test_a_number_of_no_incident_is_said_to_be_nothing(owner: Client) -> None:
    assert "Nothing found" in Page(owner.get("/search", {"q": "INC-999999999999"})).text


def test_the_only_flow_of_that_name_is_opened(owner: Client) -> None:
    make_flow("Checkout")
    make_flow("Login")
    assert owner.get("/search", {"q": "check"}).headers["Location"] == "/flows/checkout/"


def test_the_only_objective_of_that_name_is_opened(owner: Client) -> None:
    objective = make_objective(name="Fast payment", flow=make_flow("Login"))
    assert owner.get("/search", {"q": "fast pay"}).headers["Location"] == f"/objectives/{objective.pk}/"


def test_several_hits_are_listed_by_kind(owner: Client) -> None:
    flow = make_flow("Checkout")
    objective = make_objective(name="Checkout succeeds", flow=flow)
    incident = make_incident(flow, title="Checkout fails")
    make_change("checkout 2026.11.3")
    page = Page(owner.get("/search", {"q": "checkout"}))
    assert {"/flows/checkout/", f"/objectives/{objective.pk}/", f"/incidents/{incident.pk}/"} <= set(page.links)
    assert "checkout 2026.11.3" in page.text


@pytest.mark.parametrize("query", ["", "   ", "zzz", "%", "_", "' OR 1=1 --", "\x00", "<b>", "ab" * 500])
def test_odd_queries_get_an_ordinary_answer(owner: Client, query: str) -> None:
    make_flow("Checkout")
    make_flow("Login")
    response = owner.get("/search", {"q": query})
    assert response.status_code == 200
    assert "<b>”" not in response.content.decode()


def test_the_box_keeps_what_was_searched_for(owner: Client) -> None:
    assert any(a.get("name") == "q" and a.get("value") == "zzz" for _, a in Page(owner.get("/search?q=zzz")).tags)
