"""What programs find in their environment."""

from pathlib import Path

from launcher import environment, keys, settings


def chosen(home: Path) -> settings.Settings:
    return settings.read("demo", {"FIRELINE_VAR": str(home), "FIRELINE_SHOP_PORT": "7200"})


def test_the_demo_stays_away_from_a_database_that_the_shell_names(tmp_path: Path) -> None:
    made = environment.demo_engine(chosen(tmp_path), {"DATABASE_URL": "postgres://somebody/elses"})
    assert "DATABASE_URL" not in made


def test_the_engine_uses_the_database_that_the_shell_names(tmp_path: Path) -> None:
    made = environment.engine(chosen(tmp_path), {"DATABASE_URL": "postgres://my/own"})
    assert made["DATABASE_URL"] == "postgres://my/own"


def test_what_a_person_sets_wins_over_the_demos_choice(tmp_path: Path) -> None:
    assert environment.demo_engine(chosen(tmp_path), {})["FIRELINE_SLICE_SECONDS"] == "10"
    assert environment.demo_engine(chosen(tmp_path), {"FIRELINE_SLICE_SECONDS": "30"})["FIRELINE_SLICE_SECONDS"] == "30"


def test_the_shop_sends_to_the_demo_with_its_token_and_to_nobody_else(tmp_path: Path) -> None:
    elsewhere = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://telemetry.example", "FIRELINE_SECRET_KEY": "hidden"}
    made = environment.shop(chosen(tmp_path), elsewhere)
    token = keys.ingest_token(tmp_path / "demo" / "secrets")
    assert made["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:8000"
    assert made["OTEL_EXPORTER_OTLP_HEADERS"] == f"authorization=Bearer%20{token}"
    assert not elsewhere.keys() & made.keys()


def test_programs_talk_to_each_other_past_a_proxy(tmp_path: Path) -> None:
    made = environment.engine(chosen(tmp_path), {"NO_PROXY": "intranet.example"})
    assert made["NO_PROXY"] == "intranet.example,127.0.0.1,localhost"
