"""Rules for Prometheus: it accepts them, and they record and fire as they should, in its own rule tests."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.core.management.base import CommandError

from connectors.prometheus import Prometheus
from slo.counting import Matcher, Sli
from slo.definition import BudgetAlert, Budgeting, Definition, NoDataAlert
from slo.documents import error_ratios, prometheus_rules
from slo.periods import Window
from slo.tiers import WORKBOOK_TIERS
from tests import servers
from tests.make import DAY, MINUTE
from tests.slo.documents import samples
from tests.slo.scrapes import labels, native_histogram, remote_write_bodies

ROOT = Path(__file__).resolve().parents[3]
EVENTS = Sli("events", "requests_total", bad_matchers=(Matcher("code", "=~", "5.."),))
DEFINITION = Definition(
    "availability",
    EVENTS,
    Decimal("0.999"),
    Window(30 * DAY),
    tiers=WORKBOOK_TIERS,
    budget_alerts=(BudgetAlert("ticket", Decimal("0.5")),),
    no_data=NoDataAlert("ticket", 15 * MINUTE),
    flow="shop",
)
IDS = '{sloth_id="shop-availability",sloth_service="shop",sloth_slo="availability"'
SLIS = {
    "events": EVENTS,
    "good events": replace(EVENTS, marks="good"),
    "by group": replace(EVENTS, group_by=("tenant", "region")),
    "another counter": replace(EVENTS, bad_metric="failures_total"),
    "latency": Sli("latency", "d_seconds", threshold=Decimal("0.5")),
    "expressions": Sli(
        "events", bad_expression="increase(a[{{window}}]) # why", total_expression="increase(b[{{window}}])"
    ),
    "gauge": Sli("gauge", expression="queue_length", comparison="lt", threshold=Decimal(100), group_by=("queue",)),
    "freshness": Sli("freshness", expression="last_success", threshold=Decimal(300)),
    "bool": Sli("bool", expression="up"),
}


def promtool(tmp_path: Path, rules: str, *arguments: str, test: dict[str, Any] | None = None) -> None:
    """Run it on a rule file; fails with what it said."""
    (tmp_path / "rules.yaml").write_text(rules)
    file = "rules.yaml"
    if test:
        file = "test.yaml"
        (tmp_path / file).write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [test]}))
    done = subprocess.run(["promtool", *arguments, file], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def groups(definition: Definition) -> list[dict[str, Any]]:
    loaded: dict[str, Any] = yaml.safe_load(prometheus_rules.write([definition]).text)
    found: list[dict[str, Any]] = loaded["groups"]
    return found


@pytest.mark.parametrize("budgeting", [Budgeting(), Budgeting("timeslices", 5 * MINUTE, Decimal("0.95"))])
@pytest.mark.parametrize("sli", SLIS.values(), ids=SLIS)
def test_prometheus_accepts_the_rules(tmp_path: Path, sli: Sli, budgeting: Budgeting) -> None:
    definition = replace(DEFINITION, sli=sli, budgeting=budgeting, name='{{ "Name" }}', description="{{")
    promtool(tmp_path, prometheus_rules.write([definition]).text, "check", "rules", "--lint-fatal")


def test_metrics_and_labels_have_the_names_that_sloths_users_know() -> None:
    recorded = {rule["record"]: rule["labels"] for group in groups(DEFINITION)[:2] for rule in group["rules"]}
    windows = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
    assert set(recorded) >= {f"slo:sli_error:ratio_rate{window}" for window in windows}
    assert set(recorded) >= {
        "slo:objective:ratio",
        "slo:error_budget:ratio",
        "slo:time_period:days",
        "slo:current_burn_rate:ratio",
        "slo:period_burn_rate:ratio",
        "slo:period_error_budget_remaining:ratio",
        "sloth_slo_info",
    }
    assert recorded["slo:sli_error:ratio_rate1h"] == {
        "sloth_id": "shop-availability",
        "sloth_service": "shop",
        "sloth_slo": "availability",
        "sloth_window": "1h",
    }
    assert [group["name"] for group in groups(DEFINITION)] == [
        "sloth-slo-sli-recordings-shop-availability",
        "sloth-slo-meta-recordings-shop-availability",
        "sloth-slo-alerts-shop-availability",
    ]


def test_an_outage_is_recorded_and_pages(tmp_path: Path) -> None:
    # A request each second; from the hour on, all of them fail.
    series = [
        {"series": 'requests_total{code="200"}', "values": "0+60x60 3600x30"},
        {"series": 'requests_total{code="500"}', "values": "0x60 60+60x29"},
    ]
    rules = prometheus_rules.write([DEFINITION]).text
    name = "ShopAvailabilityBurnsBudget"
    alerts = [rule for rule in groups(DEFINITION)[2]["rules"] if rule["alert"] == name]
    firing = [
        {"exp_labels": alert["labels"] | IDS_AS_LABELS, "exp_annotations": alert["annotations"]} for alert in alerts
    ]
    assert [alert["labels"]["sloth_severity"] for alert in alerts] == ["page", "ticket"]
    test = {
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [
            measured("59m", f'slo:sli_error:ratio_rate5m{IDS},sloth_window="5m"}}', 0.0),
            measured("75m", f'slo:sli_error:ratio_rate5m{IDS},sloth_window="5m"}}', 1.0),
            measured("75m", f"slo:current_burn_rate:ratio{IDS}}}", 1000.0, rounded="slo:current_burn_rate:ratio"),
        ],
        "alert_rule_test": [
            {"eval_time": "59m", "alertname": name, "exp_alerts": []},
            {"eval_time": "75m", "alertname": name, "exp_alerts": firing},
        ],
    }
    promtool(tmp_path, rules, "test", "rules", test=test)


IDS_AS_LABELS = {"sloth_id": "shop-availability", "sloth_service": "shop", "sloth_slo": "availability"}


def measured(at: str, series: str, value: float, rounded: str = "") -> dict[str, Any]:
    query = f"round({series}, 0.001)" if rounded else series
    labels = series.removeprefix(rounded) if rounded else series
    return {"expr": query, "eval_time": at, "exp_samples": [{"labels": labels, "value": value}]}


def test_long_windows_add_events_up_instead_of_averaging_ratios(tmp_path: Path) -> None:
    # An hour with 100 requests a minute, all good; then one with a single request a minute, all bad.
    series = [
        {"series": 'requests_total{code="200"}', "values": "0+100x60 6000x60"},
        {"series": 'requests_total{code="500"}', "values": "0x60 1+1x60"},
    ]
    definition = replace(DEFINITION, window=Window(timedelta(days=4)), tiers=())
    period = f'slo:sli_error:ratio_rate4d{IDS},sloth_window="4d"}}'
    test = {
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [{"expr": f"{period} < bool 0.02", "eval_time": "2h", "exp_samples": [one(period)]}],
    }
    promtool(tmp_path, prometheus_rules.write([definition]).text, "test", "rules", test=test)


def one(series: str) -> dict[str, Any]:
    return {"labels": series[series.index("{") :], "value": 1}


def test_prometheus_does_not_read_thirty_days_of_counters() -> None:
    rules = {rule["record"]: rule["expr"] for rule in groups(DEFINITION)[0]["rules"]}
    assert "requests_total" in rules["slo:sli_error:ratio_rate3d"]
    assert "requests_total" not in rules["slo:sli_error:ratio_rate30d"]


def test_events_without_a_single_bad_one_are_all_good(tmp_path: Path) -> None:
    series = [{"series": 'requests_total{code="200"}', "values": "0+60x60"}]
    ratio = f'slo:sli_error:ratio_rate5m{IDS},sloth_window="5m"}}'
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [measured("30m", ratio, 0.0)]}
    promtool(tmp_path, prometheus_rules.write([DEFINITION]).text, "test", "rules", test=test)


LATENCY = replace(DEFINITION, sli=Sli("latency", "d_seconds", (Matcher("a", "=", "b"),), threshold=Decimal("2.0")))


@pytest.mark.parametrize("budgeting", [Budgeting(), Budgeting("timeslices", 5 * MINUTE, Decimal("0.95"))])
def test_prometheus_accepts_the_rules_of_native_histograms(tmp_path: Path, budgeting: Budgeting) -> None:
    rules = prometheus_rules.write([replace(LATENCY, budgeting=budgeting)], native=True)
    promtool(tmp_path, rules.text, "check", "rules", "--lint-fatal")
    assert "d_seconds_bucket" not in rules.text
    assert "2.40" in rules.losses[1]


def test_where_rules_read_buckets_it_is_said_that_native_histograms_have_none() -> None:
    rules = prometheus_rules.write([LATENCY, replace(DEFINITION, name="other")])
    assert [loss for loss in rules.losses if "--native-histograms" in loss] == [rules.losses[1]]
    assert "d_seconds_bucket" in rules.text


@pytest.mark.real
def test_native_histograms_are_recorded_as_they_are() -> None:
    now = datetime.now(UTC)
    native = replace(LATENCY, sli=error_ratios.native(LATENCY.sli))
    with servers.prometheus_server(flags=["--enable-feature=native-histograms"]) as server:
        # 3 of 5 take at most 2 s. Of another group nothing was observed.
        for at, counts in ((now - 3 * MINUTE, (3, 2)), (now - MINUTE, (6, 4))):
            seen = native_histogram("d_seconds", at, buckets=counts, first=1, own=labels(a="b", instance="1"))
            idle = native_histogram("d_seconds", at, buckets=(3, 2), first=1, own=labels(a="b", instance="2"))
            remote_write_bodies(server.url, [seen, idle])
        with Prometheus(server.url, allowed=["127.0.0.1"]) as store:
            (found,) = store.instant(error_ratios.ratio(native, 5 * MINUTE), now)
    assert found.value == pytest.approx(0.4)


def test_the_command_takes_native_histograms(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(samples.text(samples.slo(indicator=samples.ratio("d_bucket{le='1'}", "d_count", "good"))))
    out = StringIO()
    call_command("rules", "-f", str(file), "--native-histograms", stdout=out, stderr=StringIO())
    assert "histogram_fraction(-Inf, 1, increase(d{}[5m]))" in out.getvalue()


def test_what_rules_cannot_do_is_said() -> None:
    definition = replace(DEFINITION, window=Window(30 * DAY, "month"), labels={"not a label": "x", "team": "a"})
    rules = prometheus_rules.write([definition])
    assert "confidence" in rules.losses[0]
    assert "a rolling window" in rules.losses[1]
    assert "'not a label'" in rules.losses[2]
    assert "team: a" in rules.text


def test_two_objectives_with_the_same_id_are_refused() -> None:
    with pytest.raises(ValueError, match="shop-availability"):
        prometheus_rules.write([DEFINITION, DEFINITION])


def test_the_command_prints_rules_for_files(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(samples.text(samples.slo()))
    out, err = StringIO(), StringIO()
    call_command("rules", "-f", str(file), stdout=out, stderr=err)
    promtool(tmp_path, out.getvalue(), "check", "rules")
    assert "burn rates alone" in err.getvalue()


def test_the_command_needs_neither_settings_nor_a_database(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(samples.text(samples.slo()))
    ours = ("FIRELINE_", "DJANGO_", "DATABASE")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    command = [sys.executable, "manage.py", "rules", "-f", str(file)]
    done = subprocess.run(
        command, cwd=ROOT, env=bare | {"FIRELINE_VAR": "/nowhere"}, capture_output=True, text=True, check=True
    )
    assert "slo:sli_error:ratio_rate5m" in done.stdout


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        call_command("rules", "-f", str(tmp_path / "missing.yaml"))
