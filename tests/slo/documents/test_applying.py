"""Applying and exporting documents: what is created, changed, kept, and refused."""

from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from slo import documents
from slo.definition import Definition
from slo.definitions import definition_of, save_definition
from slo.documents import soundness
from slo.documents.proposal import adopt, propose
from slo.models import AlertRule, Flow, Objective
from telemetry.models import Source
from tests.make import make_flow, make_source
from tests.slo.documents.samples import document, ratio, slo, text
from tests.slo.documents.test_round_trip import definitions

ODD = {"target": 0.9, "timeSliceTarget": 0.9, "timeSliceWindow": "7s"}

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "shop.yaml"


def apply(file: Path, *options: str) -> str:
    """What the command said."""
    out = StringIO()
    call_command("apply", "-f", str(file), *options, stdout=out, stderr=StringIO())
    return out.getvalue()


def write(file: Path, *parts: dict[str, Any]) -> Path:
    file.write_text(text(*parts))
    return file


def exported(*options: str) -> str:
    out = StringIO()
    call_command("export", *options, stdout=out)
    return out.getvalue()


def test_a_document_creates_its_flow_and_objective(file: Path) -> None:
    source = make_source()
    said = apply(write(file, slo()))
    objective = Objective.objects.get()
    assert (objective.name, objective.flow.slug, objective.source) == ("availability", "shop", source)
    assert objective.rules.active().count() == 9
    assert "create flow shop" in said
    assert "Objectives: 1 created, 0 changed, 0 unchanged." in said


def test_applying_again_changes_nothing(file: Path) -> None:
    make_source()
    apply(write(file, slo()))
    before = list(AlertRule.objects.values())
    assert apply(file).strip() == "Objectives: 0 created, 0 changed, 1 unchanged."
    assert list(AlertRule.objects.values()) == before


def test_neither_the_order_of_rules_nor_the_name_of_the_flow_is_a_change(file: Path) -> None:
    make_source()
    make_flow("The Shop", slug="shop")
    rules = {"tiers": "ticket 3d/6h 10%, page 6h/30m 5%, page 1h/5m 2%", "budget-alerts": "ticket 100%, ticket 50%"}
    apply(write(file, slo(annotations=rules)))
    assert apply(file).strip() == "Objectives: 0 created, 0 changed, 1 unchanged."


def test_a_change_is_shown_as_a_diff(file: Path) -> None:
    make_source()
    apply(write(file, slo()))
    said = apply(write(file, slo(objectives=[{"target": 0.99}], description="Now softer.")))
    assert "-  - target: 0.999" in said
    assert "+  - target: 0.99\n" in said
    assert "+  description: Now softer." in said
    objective = Objective.objects.get()
    assert (str(objective.target.normalize()), objective.generation) == ("0.99", 1)


def test_when_other_events_count_it_says_that_they_are_measured_anew(file: Path) -> None:
    make_source()
    apply(write(file, slo()))
    said = apply(write(file, slo(indicator=ratio('http_requests_total{service="shop",code="500"}'))))
    assert "measured anew" in said
    assert Objective.objects.get().generation == 2


def test_a_dry_run_shows_all_and_changes_nothing(file: Path) -> None:
    make_source()
    said = apply(write(file, slo()), "--dry-run")
    assert "create objective availability of shop" in said
    assert "Objectives: 1 to create, 0 to change, 0 unchanged." in said
    assert not Flow.objects.exists()
    assert not Objective.objects.exists()


def test_a_service_changes_its_flow_where_it_says_something(file: Path) -> None:
    make_source()
    flow = make_flow("Shop", team="sales", description="Old.")
    service = document("Service", "shop", spec={"description": "New."})
    said = apply(write(file, service, slo()))
    flow.refresh_from_db()
    assert (flow.name, flow.team, flow.description) == ("Shop", "sales", "New.")
    assert "-description: Old." in said


def test_what_is_in_no_file_stays(file: Path) -> None:
    make_source()
    apply(write(file, slo()))
    apply(write(file, slo(name="other")))
    assert Objective.objects.active().count() == 2


def test_the_named_prometheus_is_measured(file: Path, tmp_path: Path) -> None:
    make_source(), make_source(name="Main", url="http://main:9090")
    indicator = ratio()
    for metric in ("bad", "total"):
        indicator["spec"]["ratioMetric"][metric]["metricSource"]["metricSourceRef"] = "prod"
    source = document(
        "DataSource", "prod", spec={"type": "Prometheus", "connectionDetails": {"url": "http://main:9090/"}}
    )
    apply(write(file, slo(indicator=indicator), source))
    assert Objective.objects.get().source.name == "Main"


def test_the_command_line_overrules_the_document(file: Path) -> None:
    make_source(), make_source(name="Main")
    apply(write(file, slo()), "--source", "Main")
    assert Objective.objects.get().source.name == "Main"
    # An objective that is there keeps the one it has.
    apply(write(file, slo(description="New.")))
    assert Objective.objects.get().source.name == "Main"


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ([slo(service="")], "names no service"),
        ([slo(), slo(name="AVAILABILITY")], "another objective named"),
        ([slo(objectives=[{"target": 2}])], "lies between 0 and 1"),
        ([document("Service", "a" * 90), slo()], "at most 80 characters"),
        ([slo(budgetingMethod="Timeslices", objectives=[ODD])], "multiple of what is measured at once"),
    ],
)  # fmt: skip
def test_what_cannot_be_applied_changes_nothing(file: Path, parts: list[dict[str, Any]], sentence: str) -> None:
    make_source()
    with pytest.raises(CommandError, match=sentence):
        apply(write(file, *parts))
    assert not Flow.objects.exists()


def test_without_a_clear_prometheus_it_asks_for_one(file: Path) -> None:
    with pytest.raises(CommandError, match="there is none yet"):
        apply(write(file, slo()))
    make_source(name="One"), make_source(name="Two")
    with pytest.raises(CommandError, match="One, Two"):
        apply(file)
    with pytest.raises(CommandError, match="no Prometheus named 'Three'"):
        apply(file, "--source", "Three")


def test_an_archived_flow_is_not_revived_by_a_file(file: Path) -> None:
    make_source()
    make_flow("Shop", archived_at=timezone.now())
    with pytest.raises(CommandError, match="is archived"):
        apply(write(file, slo()))


def test_two_services_of_one_name_are_refused(file: Path) -> None:
    services = [document("Service", name) for name in ("one", "two")]
    for service in services:
        service["metadata"]["displayName"] = "Same"
    with pytest.raises(CommandError, match="Two services are named 'Same'"):
        apply(write(file, *services))


def test_all_is_applied_or_nothing(file: Path) -> None:
    make_source()
    write(file, slo(), slo(name="latency"))
    carried = documents.carry({"": file.read_text()})
    apply(write(file, slo(name="first")))
    proposal = propose(carried)
    apply(write(file, slo(name="latency")))
    with pytest.raises(ValueError, match="Nothing was applied"):
        adopt(proposal)
    assert {one.name for one in Objective.objects.all()} == {"first", "latency"}


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    make_source()
    (tmp_path / "deeper").mkdir()
    write(tmp_path / "one.yaml", slo())
    write(tmp_path / "deeper" / "two.yml", slo(name="latency"))
    (tmp_path / "readme.md").write_text("no YAML: [")
    apply(tmp_path)
    assert Objective.objects.count() == 2


def test_a_folder_without_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no"):
        apply(tmp_path)


# -- Export
def test_what_was_exported_applies_without_a_change(file: Path) -> None:
    make_source(name="Main"), make_source()
    apply(write(file, document("Service", "shop", spec={"description": "Sells."}), slo()), "--source", "Main")
    file.write_text(exported())
    assert apply(file).strip() == "Objectives: 0 created, 0 changed, 1 unchanged."


def test_the_number_of_queries_does_not_grow_with_the_objectives(
    file: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_source()
    apply(write(file, *(slo(name=f"slo-{number}") for number in range(9))))
    with django_assert_num_queries(2):
        exported()


def test_a_flow_or_an_objective_alone_can_be_exported(file: Path) -> None:
    make_source()
    apply(write(file, slo(), slo(name="other", service="desk"), slo(name="latency", service="desk")))
    names = {option: [one.name for one in documents.read(exported(*option))] for option in (("--flow", "desk"), ())}
    assert names == {("--flow", "desk"): ["latency", "other"], (): ["latency", "other", "availability"]}
    assert len(documents.read(exported("--flow", "DESK", "--objective", "Other"))) == 1
    with pytest.raises(CommandError, match="No objective"):
        exported("--flow", "nowhere")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_what_is_stored_is_what_was_defined(data: st.DataObject) -> None:
    written = data.draw(definitions.filter(storable))
    source, _ = Source.objects.get_or_create(name="Main", defaults={"url": "http://main:9090"})
    flow, _ = Flow.objects.get_or_create(slug="shop", defaults={"name": "Shop", "selector": "shop"})
    Objective.objects.all().delete()
    objective = save_definition(flow, source, written)
    found = definition_of(Objective.objects.get(pk=objective.pk))
    assert {*found.tiers} == {*written.tiers}
    assert {*found.budget_alerts} == {*written.budget_alerts}
    assert without_rules(found) == without_rules(written)


def storable(definition: Definition) -> bool:
    """Whether a database keeps it, sensible or not."""
    senseless = ("The tier", "A window")
    return all(problem.startswith(senseless) for problem in soundness.problems(definition))


def without_rules(definition: Definition) -> Definition:
    return replace(definition, tiers=(), budget_alerts=(), flow="")
