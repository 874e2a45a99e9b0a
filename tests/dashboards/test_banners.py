"""An open incident in a sentence: a banner says what the incident's own page and its messages say, at one moment."""

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from alerts import headline, incidents
from alerts.models import Incident
from dashboards import incident_facts, standing
from dashboards.templatetags.fireline import duration
from slo.models import Objective
from tests.dashboards.everything import lately
from tests.dashboards.pages import Page
from tests.dashboards.requests import make_example, make_incident
from tests.make import DAY, HOUR, MINUTE, make_flow, make_objective, make_slices, make_source

pytestmark = pytest.mark.django_db(databases="__all__")

LISTS = ["/incidents/", "/flows/checkout/", "/search?q=checkout"]


def burning_lately(name: str = "Checkout") -> Incident:
    """Fine for a day but for the last six minutes, so that the long and the short window disagree."""
    objective = make_objective(flow=make_flow(name), source=make_source(), window=7 * DAY)
    make_slices(objective, lately(6 * HOUR), [(0, 1000)] * 354 + [(30, 1000)] * 6)
    since = lately(6 * MINUTE)
    share = f"{headline.title(objective, 0.5, since)}"
    return make_incident(objective, onset_at=since, opened_at=since + MINUTE, title=share)


def banner(incident: Incident) -> incident_facts.Gist:
    now = timezone.now()
    found = standing.banner_of(standing.of_flow(incident.flow, now), now)
    assert found is not None
    return found


def test_the_budget_is_gone_at_the_same_moment_wherever_it_is_said() -> None:
    incident = burning_lately()
    shown = banner(incident)
    page = incident_facts.facts(incident, shown.as_of)
    impact = incidents.impact(incident, shown.as_of)
    assert impact is not None
    assert shown.gone_in == page.gone_in == impact.gone_in(shown.as_of)


def test_the_budget_is_gone_as_soon_as_the_short_window_says() -> None:
    incident = burning_lately()
    impact = incidents.impact(incident)
    assert impact is not None
    assert impact.burn_now == pytest.approx(30)
    left = impact.budget.left
    assert left is not None
    assert impact.gone_in(impact.until) == pytest.approx(7 * DAY * left / 30, abs=timedelta(seconds=1))


@pytest.mark.parametrize("address", ["/", "/live/", "/flows/checkout/", "/flows/checkout/live/"])
def test_the_banner_says_how_long_the_budget_lasts(owner: Client, address: str) -> None:
    incident = burning_lately()
    before = banner(incident).gone_in
    text = Page(owner.get(address)).text
    after = banner(incident).gone_in
    assert any(f"{duration(gone)}until the budget is gone" in text for gone in (before, after))


def test_the_banner_of_a_spent_budget_says_so(owner: Client) -> None:
    objective = make_objective(flow=make_flow("Checkout"), window=HOUR)
    make_slices(objective, lately(HOUR), [(500, 1000)] * 60)
    make_incident(objective, onset_at=lately(HOUR), opened_at=lately(HOUR))
    text = Page(owner.get("/")).text
    assert "of the budget left" in text
    assert "until the budget is gone" not in text


def test_the_banner_is_the_live_headline_and_not_the_title_of_the_opening(owner: Client) -> None:
    incident = burning_lately()
    make_example(incident)
    html = owner.get("/").content.decode()
    [said] = re.findall(r'<p class="say">(.*?)</p>', html, re.DOTALL)
    assert "Checkout is failing: 3.0\u202f% of requests since <time" in said
    assert "provider-b call provider fails in the one example kept." in said
    assert "50\u202f%" not in said


def test_the_banner_counts_what_the_incidents_page_counts(owner: Client) -> None:
    incident = burning_lately()
    assert "180 of 6,000 bad" in Page(owner.get("/")).text
    assert "Bad requests180of 6,000 since" in Page(owner.get(f"/incidents/{incident.pk}/")).text


@pytest.mark.parametrize("address", LISTS)
def test_lists_print_since_when_in_the_readers_zone(owner: Client, address: str) -> None:
    incident = burning_lately()
    html = owner.get(address).content.decode()
    assert headline.clock(incident.since) in incident.title
    assert f"since {headline.clock(incident.since)}" not in re.sub(r"<[^>]*>", "", html.replace("<time", "local <time"))
    assert re.search(r'50\u202f% of requests<span class="sub">when it opened · since <time [^>]*data-local', html)


def test_the_objectives_page_lists_its_incidents_the_same_way(owner: Client) -> None:
    incident = burning_lately()
    html = owner.get(f"/objectives/{Objective.objects.get().pk}/").content.decode()
    assert incident.title not in html
    assert "when it opened · since <time" in html


def test_a_resolved_incident_says_from_when_to_when(owner: Client) -> None:
    incident = burning_lately()
    Incident.objects.update(state="resolved", resolved_at=lately())
    assert "from <time" in owner.get("/incidents/").content.decode()
    incident.refresh_from_db()
    assert incident.title.endswith("UTC"), "messages say it in UTC"


def test_a_title_without_a_time_stays_as_it_is() -> None:
    assert Incident(title="Odd since noon", opened_at=lately()).what == "Odd since noon"


def test_an_open_incident_costs_a_few_queries_and_its_rows_cost_none(
    owner: Client,
    django_assert_num_queries: DjangoAssertNumQueries,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    first = burning_lately("Checkout")
    with django_assert_max_num_queries(40) as one:
        owner.get("/live/")
    few = len(one)
    for n in range(5):
        make_example(first, f"{n:032x}")
    owner.get("/live/")
    with django_assert_num_queries(few):
        owner.get("/live/")
    burning_lately("Login")
    with django_assert_max_num_queries(few + 9):
        owner.get("/live/")
