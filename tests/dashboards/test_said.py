"""What the examples said: what tells most is read first, the rest is a click away and stays open."""

import pytest
from django.test import Client

from alerts import frozen
from alerts.models import Incident
from connectors.telemetry import LogLine
from dashboards import incident_evidence
from dashboards.incident_evidence import Lines, Reading
from tests.dashboards.pages import Page
from tests.dashboards.requests import line, make_example, make_incident
from tests.make import NOON

SEVERITY = {"error": 17, "warn": 13, "info": 9, "debug": 5}


def spoken(level: str, body: str, service: str = "payment") -> LogLine:
    return line(body, "1", severity=SEVERITY[level], service=service, base=NOON)


def reading(*lines: LogLine, trace: str = "a" * 32, bad: bool = True) -> Reading:
    return Reading(trace, bad, "", "", False, "", 0, frozenset(), lines)


def bodies(found: Lines) -> tuple[list[str], list[str]]:
    return [one.body for one in found.shown], [one.body for one in found.folded]


def test_errors_come_first_then_warnings_each_by_how_many_said_it() -> None:
    found = incident_evidence.said(
        [
            reading(spoken("warn", "often"), spoken("error", "once"), spoken("warn", "rare")),
            reading(spoken("warn", "often"), spoken("error", "twice"), trace="b" * 32),
            reading(spoken("error", "twice"), trace="c" * 32),
        ]
    )
    assert bodies(found) == (["twice", "once", "often", "rare"], [])


@pytest.mark.parametrize("level", ["error", "warn"])
def test_beside_errors_or_warnings_the_rest_is_folded(level: str) -> None:
    found = incident_evidence.said([reading(spoken("info", "order placed"), spoken(level, "refused"))])
    assert bodies(found) == (["refused"], ["order placed"])


def test_without_errors_and_warnings_what_was_said_is_shown() -> None:
    found = incident_evidence.said([reading(spoken("debug", "got it"), spoken("info", "order placed"))])
    assert bodies(found) == (["order placed", "got it"], [])


def test_no_more_than_eight_are_shown_at_once() -> None:
    found = incident_evidence.said([reading(*(spoken("error", f"reason {chr(97 + n)}") for n in range(12)))])
    assert [len(part) for part in bodies(found)] == [8, 4]


def test_the_same_failure_told_by_two_services_is_two_rows() -> None:
    found = incident_evidence.said([reading(spoken("error", "refused"), spoken("error", "refused", "checkout"))])
    assert [one.service for one in found.shown] == ["payment", "checkout"]


def test_requests_that_went_well_say_nothing_here() -> None:
    assert incident_evidence.said([reading(spoken("error", "refused"), bad=False)]) == Lines()


def burning(*lines: LogLine) -> Incident:
    incident = make_incident()
    make_example(incident, lines=frozen.lines_of(lines))
    return incident


@pytest.mark.django_db(databases="__all__")
def test_the_fold_says_how_many_more_there_are(owner: Client) -> None:
    incident = burning(spoken("error", "refused"), spoken("info", "order placed"), spoken("info", "cart read"))
    page = Page(owner.get(f"/incidents/{incident.pk}/"))
    said = page.text.split("What was said")[1]
    assert said.index("refused") < said.index("2 more") < said.index("order placed")
    # The page's script keeps open what has an id, whatever the poll brings.
    assert ("details", "said-more") in {(tag, given.get("id")) for tag, given in page.tags}


@pytest.mark.django_db(databases="__all__")
def test_without_more_there_is_no_fold(owner: Client) -> None:
    incident = burning(spoken("error", "refused"))
    assert "said-more" not in Page(owner.get(f"/incidents/{incident.pk}/")).ids()
