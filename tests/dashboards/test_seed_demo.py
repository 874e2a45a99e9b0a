"""The demo's first start fills an empty installation; later ones keep what people made of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command

from alerts.models import Channel
from slo.definitions import tiers_of
from slo.models import Flow, Objective
from slo.tiers import problem
from telemetry.models import Change, Source

pytestmark = pytest.mark.django_db

DEPLOY = {
    "kind": "deploy",
    "title": "Deploy checkout 2.14.0",
    "service": "checkout",
    "version": "2.14.0",
    "at": "2026-01-28T14:20:00.000+00:00",
    "attributes": {"previous.version": "2.13.2"},
    "url": "",
    "external_id": "deploy-checkout-2.14.0",
}


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRELINE_DEMO_PASSWORD", "korb-mild-fern")


def seed(prometheus: str = "http://127.0.0.1:9790", **options: Any) -> None:
    call_command("seed_demo", prometheus=prometheus, inbox="http://127.0.0.1:7100/inbox", verbosity=0, **options)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"changes": [DEPLOY], "episodes": []}))
    return path


def test_the_demos_user_can_sign_in() -> None:
    seed()
    assert authenticate(username="demo", password="korb-mild-fern") is not None


def test_without_a_password_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FIRELINE_DEMO_PASSWORD")
    with pytest.raises(CommandError, match="FIRELINE_DEMO_PASSWORD"):
        seed()
    assert not Source.objects.exists()


def test_each_flow_has_objectives_whose_tiers_can_fire() -> None:
    seed()
    for objective in Objective.objects.all():
        problems = [problem(tier, objective.window, objective.target) for tier in tiers_of(objective)]
        assert set(problems) == {None}


def test_seeding_twice_makes_everything_once(history: Path) -> None:
    seed(history=history)
    before = counts()
    seed(history=history)
    assert counts() == before == {"flows": 3, "objectives": 6, "sources": 1, "channels": 2, "changes": 1}


def counts() -> dict[str, int]:
    models = {"flows": Flow, "objectives": Objective, "sources": Source, "channels": Channel, "changes": Change}
    return {name: model._default_manager.count() for name, model in models.items()}


def test_what_people_changed_stays() -> None:
    seed()
    Objective.objects.filter(flow__slug="login", name="Latency").delete()
    Flow.objects.filter(slug="checkout").update(name="Buying")
    seed()
    assert not Objective.objects.filter(flow__slug="login", name="Latency").exists()
    assert Flow.objects.get(slug="checkout").name == "Buying"


def test_the_source_follows_prometheus_to_another_port() -> None:
    seed()
    seed(prometheus="http://127.0.0.1:9999")
    assert Source.objects.get().url == "http://127.0.0.1:9999"
