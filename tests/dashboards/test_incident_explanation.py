"""The incident's page answers the five questions, shows what each answer stands on, and takes people's verdicts."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from alerts.models import Explanation, Incident, Verdict
from tests.dashboards.requests import make_incident
from tests.make import NOON

pytestmark = pytest.mark.django_db(databases="__all__")


SECOND = timedelta(seconds=1)


def address(incident: Incident) -> str:
    return reverse("incident", args=[incident.pk])


def finding(question: str, statement: str, **fields: Any) -> dict[str, Any]:
    subject = {"service": "", "operation": "", "instance": "", "resource": "", "attributes": {}}
    usual = {
        "key": f"key-{statement}"[:64],
        "question": question,
        "statement": statement,
        "score": 0.9,
        "confidence": 0.9,
        "subject": subject | fields.pop("subject", {}),
        "numbers": {},
        "references": [],
        "fine": False,
    }
    return usual | fields


def explain(incident: Incident, *findings: dict[str, Any], took: Any = SECOND, **content: Any) -> Explanation:
    told = [{"text": "Checkout is failing since 12:00 UTC.", "key": ""}]
    told += [{"text": one["statement"], "key": one["key"]} for one in findings if not one["fine"]]
    known = {"clauses": told, "findings": list(findings), "culprits": [], "skipped": [], "missing": []} | content
    return Explanation.objects.create(incident=incident, version=1, made_at=NOON, took=took, content=known)


def page(owner: Client, incident: Incident) -> str:
    return owner.get(address(incident)).content.decode()


def test_before_anything_was_looked_into_the_page_says_so(owner: Client) -> None:
    incident = make_incident(explain_due_at=NOON)
    assert "Looking into it" in page(owner, incident)


def test_each_question_has_its_answer(owner: Client) -> None:
    incident = make_incident()
    card = {"subject": {"attributes": {"payment.method": "card"}}, "numbers": {"share_of_bad": 0.92}}
    explain(
        incident,
        finding("changes", "checkout 2 came before it."),
        finding("segments", "92 % pay by card.", **card),
        finding("segments", "38 of 41 tenants are hit."),
        finding("spans", "provider-b takes 3.8 s longer."),
    )
    html = page(owner, incident)
    for anchor, answer in (
        ("q-changes", "checkout 2 came before it."),
        ("q-segments", "92\u202f% pay by card."),
        ("q-breadth", "38 of 41 tenants are hit."),
        ("q-spans", "provider-b takes 3.8\u00a0s longer."),
    ):
        section = html.split(f'id="{anchor}"')[1].split("</section>")[0]
        assert answer in section
    assert "No dependency fails more often than it did before." in html


def test_the_headline_leads_to_what_it_stands_on(owner: Client) -> None:
    incident = make_incident()
    explain(incident, finding("spans", "provider-b takes 3.8 s longer."))
    assert '<a href="#q-spans">provider-b takes 3.8\u00a0s longer.</a>' in page(owner, incident)


def test_a_guess_is_folded_away_and_is_no_answer(owner: Client) -> None:
    incident = make_incident()
    explain(incident, finding("spans", "perhaps the database", confidence=0.3))
    section = page(owner, incident).split('id="q-spans"')[1].split("</section>")[0]
    assert "No span takes much longer" in section
    assert "1 less sure" in section


def test_what_is_fine_and_what_could_not_be_asked_are_listed(owner: Client) -> None:
    incident = make_incident()
    skipped = [{"investigator": "saturation", "reason": "No metrics were recorded."}]
    explain(incident, finding("saturation", "CPU as usual.", fine=True), skipped=skipped, missing=["tempo is away."])
    html = page(owner, incident)
    assert "CPU as usual." in html
    assert "tempo is away." in html
    assert "No metrics were recorded." in html


def test_markup_in_a_log_line_stays_text(owner: Client) -> None:
    incident = make_incident()
    explain(incident, finding("logs", "<script>alert(1)</script> is new."))
    html = page(owner, incident)
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html


def test_a_finding_leads_to_the_span_that_shows_it(owner: Client) -> None:
    incident = make_incident()
    shown = [{"kind": "trace", "target": "ab" * 16, "span_id": "1" * 16, "text": "provider-b POST /authorize"}]
    explain(incident, finding("spans", "provider-b takes 3.8 s longer.", references=shown))
    link = f"{reverse('trace', args=['ab' * 16])}?incident={incident.pk}&amp;span={'1' * 16}"
    assert link in page(owner, incident)


def test_a_reader_marks_a_finding_and_takes_the_mark_back(owner: Client) -> None:
    incident = make_incident()
    row = explain(incident, finding("spans", "provider-b takes 3.8 s longer."))
    said = {"finding": row.content["findings"][0]["key"]}
    verdict = reverse("incident-verdict", args=[incident.pk])
    assert owner.post(verdict, said | {"right": "yes"}).status_code == 302
    assert Verdict.objects.get().right
    assert 'aria-pressed="true"' in page(owner, incident)
    owner.post(verdict, said | {"right": "none"})
    assert not Verdict.objects.exists()


def test_a_mark_on_a_finding_that_is_gone_says_what_to_do(owner: Client) -> None:
    incident = make_incident()
    verdict = reverse("incident-verdict", args=[incident.pk])
    answer = owner.post(verdict, {"finding": "gone", "right": "yes"}, follow=True).content.decode()
    assert "Reload the page to see the newest" in answer


def test_a_stranger_marks_nothing(stranger: Client) -> None:
    incident = make_incident()
    row = explain(incident, finding("spans", "provider-b takes 3.8 s longer."))
    verdict = reverse("incident-verdict", args=[incident.pk])
    stranger.post(verdict, {"finding": row.content["findings"][0]["key"], "right": "yes"})
    assert not Verdict.objects.exists()
