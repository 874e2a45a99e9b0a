"""Backtests: what an objective would have counted and told, against a real Prometheus, as a command and by chunks."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from connectors.errors import Refused
from connectors.prometheus import Prometheus
from slo.backtest import Backtest, Tapes, backtest, chunks, collect
from slo.backtest_report import as_json, as_text
from slo.chunks import Chunk
from slo.counting import Matcher, Sli
from slo.definition import Budgeting, Definition
from slo.periods import Window
from slo.slices import Measured
from slo.tiers import Tier
from tests import servers
from tests.slo.scrapes import START, Sample, Target, labels, openmetrics, samples

ROOT = Path(__file__).resolve().parents[2]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PAGE = Tier("page", HOUR, 5 * MINUTE, Decimal("0.5"))
DEFINITION = Definition(
    "Availability",
    Sli("events", "requests_total", bad_matchers=(Matcher("code", "=~", "5.."),)),
    Decimal("0.9"),
    Window(4 * HOUR),
    tiers=(PAGE,),
    budget_alerts=(),
    no_data=None,
)
DOCUMENT = """
apiVersion: openslo/v1
kind: SLO
metadata:
  name: availability
  displayName: Availability
  annotations:
    fireline.dev/tiers: page 1h/5m 50%
    fireline.dev/budget-alerts: none
    fireline.dev/no-data: none
spec:
  service: checkout
  budgetingMethod: Occurrences
  timeWindow: [{duration: 4h, isRolling: true}]
  objectives: [{target: 0.9}]
  indicator:
    metadata: {name: requests}
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: Prometheus, spec: {query: 'requests_total{code=~"5.."}'}}}
        total: {metricSource: {type: Prometheus, spec: {query: requests_total}}}
"""

# Two hours of scrapes every 15 s: 4 requests between two of them, all of which fail from the 60th minute to the 90th.
SCRAPES = 2 * 60 * 4
FAILING = range(60 * 4 + 1, 90 * 4 + 1)


def tenant(name: str, failing: range) -> Target:
    target, good, bad = Target(f"{name}:80"), 100.0, 5.0
    for scrape in range(SCRAPES + 1):
        if scrape:
            good, bad = (good, bad + 4) if scrape in failing else (good + 4, bad)
        target.sees({labels(code="200", tenant=name): good, labels(code="500", tenant=name): bad})
    return target


def histogram() -> list[Sample]:
    """A service that answers 3 of 4 requests within 0.25 s, all of them within 1 s."""
    own, found = labels(instance="a:80", job="shop"), list[Sample]()
    for scrape in range(SCRAPES + 1):
        at = (START + scrape * timedelta(seconds=15)).timestamp()
        for edge, share in (("0.25", 3), ("0.5", 3), ("1.0", 4), ("+Inf", 4)):
            found.append(("d_seconds_bucket", labels(le=edge, **dict(own)), float(scrape * share), at))
        found.append(("d_seconds_count", own, float(scrape * 4), at))
    return found


@pytest.fixture(scope="module")
def history() -> Iterator[str]:
    shop = [tenant("a", FAILING), tenant("b", range(0))]
    known = [*samples("requests_total", shop, stale=False), *histogram()]
    with servers.prometheus_server(openmetrics=openmetrics(known)) as server:
        yield server.url


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "objective.yaml"
    path.write_text(DOCUMENT)
    return path


def ran(definition: Definition, url: str, end: datetime = START + 2 * HOUR, **options: Any) -> Backtest:
    with Prometheus(url, allowed=["127.0.0.1"]) as store:
        return backtest(definition, store, START, end, MINUTE, **options)


def test_every_event_is_counted_once(history: str) -> None:
    (found,) = ran(DEFINITION, history).groups
    assert (found.totals.bad, found.totals.total) == (4 * len(FAILING), 2 * 4 * SCRAPES)
    assert found.unmeasured == timedelta(0)
    # 480 bad of 3,840 events, a tenth allowed.
    assert found.remaining == pytest.approx(1 - 480 / 384)


def test_each_group_has_its_own_counts_budget_and_alerts(history: str) -> None:
    grouped = replace(DEFINITION, sli=replace(DEFINITION.sli, group_by=("tenant",)))
    first, second = ran(grouped, history).groups
    assert (first.group, second.group) == ((("tenant", "a"),), (("tenant", "b"),))
    assert (first.totals.bad, second.totals.bad) == (480, 0)
    assert [event.new for event in first.events] == ["firing", "resolved"]
    assert second.events == ()


def test_the_alert_fires_where_the_arithmetic_says(history: str) -> None:
    grouped = replace(DEFINITION, sli=replace(DEFINITION.sli, group_by=("tenant",)))
    fired, resolved = ran(grouped, history).groups[0].events
    # The factor is 2: a fifth of an hour's events. After 13 of 60 minutes it is more, after 14 with confidence.
    assert fired.at == START + 74 * MINUTE
    # The short window is calm five minutes and a bit after the outage, and stays so for half of its length.
    assert START + 97 * MINUTE <= resolved.at <= START + 98 * MINUTE


def test_maintenance_is_taken_out_of_counts_and_alerts(history: str) -> None:
    (found,) = ran(DEFINITION, history, excluded=[(START + HOUR, START + 90 * MINUTE)]).groups
    assert (found.totals.bad, found.totals.excluded) == (0, 30 * MINUTE)
    assert found.remaining == 1
    assert found.events == ()


def test_time_slices_are_judged_as_long_as_the_definition_says(history: str) -> None:
    slices = replace(DEFINITION, budgeting=Budgeting("timeslices", 5 * MINUTE, Decimal("0.95")))
    (found,) = ran(slices, history).groups
    assert (found.totals.bad, found.totals.total) == (6, 24)


def test_not_more_groups_are_kept_than_in_ledgers(history: str, settings: Settings) -> None:
    settings.MOST_GROUPS = 3
    grouped = replace(DEFINITION, sli=replace(DEFINITION.sli, group_by=("tenant", "code")))
    found = ran(grouped, history)
    # By their events in the first chunk: the good ones of both tenants, then the bad ones of the one that fails.
    kept = [dict(one.group) for one in found.groups]
    assert kept == [{"code": "200", "tenant": "a"}, {"code": "200", "tenant": "b"}, {"code": "500", "tenant": "a"}]
    assert found.overflow.startswith("It has 4 groups, but only 3 are measured")


def test_up_to_the_limit_nothing_is_said_of_groups(history: str) -> None:
    grouped = replace(DEFINITION, sli=replace(DEFINITION.sli, group_by=("tenant",)))
    assert ran(grouped, history).overflow == ""


def test_an_answer_that_is_refused_ends_it(history: str) -> None:
    nonsense = replace(DEFINITION, sli=Sli("events", bad_expression="sum(", total_expression="sum("))
    with pytest.raises(Refused):
        ran(nonsense, history)


def test_where_there_is_no_history_it_is_unmeasured(history: str) -> None:
    (found,) = ran(DEFINITION, history, end=START + 3 * HOUR).groups
    assert found.unmeasured > 50 * MINUTE
    assert found.tape.reason != ""


def test_progress_is_told_chunk_by_chunk(history: str) -> None:
    told: list[tuple[int, int]] = []
    ran(DEFINITION, history, end=START + 2 * HOUR + MINUTE / 2, progress=lambda *seen: told.append(seen))
    assert told == [(1, 2), (2, 2)]


# -- Chunks ----------------------------------------------------------------------------------------------------------
def test_a_month_of_minutes_is_asked_for_day_by_day() -> None:
    found = chunks(DEFINITION, START, START + 30 * DAY, MINUTE)
    assert [(one.start, one.end) for one in found] == [(START + n * DAY, START + (n + 1) * DAY) for n in range(30)]


def test_a_rest_is_counted_but_not_judged_as_a_time_slice() -> None:
    end = START + 10 * MINUTE + timedelta(seconds=20)
    assert chunks(DEFINITION, START, end, MINUTE)[-1] == Chunk(START + 10 * MINUTE, timedelta(seconds=20), 1)
    slices = replace(DEFINITION, budgeting=Budgeting("timeslices", 5 * MINUTE, Decimal("0.95")))
    assert chunks(slices, START, end, MINUTE) == [Chunk(START, 5 * MINUTE, 2)]


def test_less_than_a_slice_cannot_be_counted() -> None:
    with pytest.raises(ValueError, match="at least one slice after the start"):
        chunks(DEFINITION, START, START, MINUTE)


def test_a_group_that_is_gone_is_unmeasured_from_then_on() -> None:
    tapes: Tapes = {}
    grouped = replace(DEFINITION, sli=replace(DEFINITION.sli, group_by=("tenant",)))
    group = (("tenant", "a"),)
    first, second = Chunk(START, MINUTE, 1), Chunk(START + MINUTE, MINUTE, 2)
    collect(tapes, grouped, {group: [Measured(START, START + MINUTE, 0, 5)]}, first)
    collect(tapes, grouped, {}, second)
    assert [one.total for one in tapes[group].slices()] == [5, None, None]


# -- The command -----------------------------------------------------------------------------------------------------
def command(document: Path, url: str, *more: str, out: StringIO | None = None, stderr: StringIO | None = None) -> str:
    out = StringIO() if out is None else out
    given = ["-f", str(document), "--source", url, "--start", "2026-03-02T12:00:00Z", "--end", "2026-03-02T14:00:00Z"]
    call_command("backtest", *given, "--slice", "60s", *more, stdout=out, stderr=stderr or StringIO())
    return out.getvalue()


def test_the_command_needs_neither_settings_nor_a_database(history: str, document: Path) -> None:
    given = [str(document), "--source", history, "--start", str(START.timestamp()), "--end", "2026-03-02T14:00:00Z"]
    bare = {name: text for name, text in os.environ.items() if not name.startswith(("FIRELINE", "DATABASE", "DJANGO"))}
    done = subprocess.run(
        [sys.executable, "manage.py", "backtest", "-f", *given, "--slice", "60s", "--json"],
        cwd=ROOT,
        env=bare | {"DATABASE_URL": "postgres://nobody@127.0.0.1:1/nothing"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stderr, json.loads(done.stdout)["objective"]) == ("", "Availability")


def test_its_json_has_counts_budget_and_transitions(history: str, document: Path) -> None:
    found = json.loads(command(document, history, "--json"))
    assert {key: found[key] for key in ("objective", "start", "end")} == {
        "objective": "Availability",
        "start": "2026-03-02T12:00:00Z",
        "end": "2026-03-02T14:00:00Z",
    }
    (group,) = found["groups"]
    transitions = group.pop("transitions")
    assert group == {
        "group": {},
        "good": 3360,
        "bad": 480,
        "total": 3840,
        "unmeasured_seconds": 0,
        "excluded_seconds": 0,
        "budget_remaining": pytest.approx(-0.25),
        "notices": [],
    }
    fired = transitions[0]
    assert (fired["tier"], fired["severity"], fired["state"]) == ("1h/5m", "page", "firing")
    assert fired["at"].endswith("Z")
    assert fired["long"]["burn"] == pytest.approx(fired["long"]["bad"] / fired["long"]["total"] / 0.1)
    assert 0 < fired["lower_bound"] < fired["long"]["bad"] / fired["long"]["total"]
    assert fired["short"].keys() == {"bad", "total", "burn"}


def test_its_table_can_be_read(history: str, document: Path) -> None:
    text = command(document, history)
    assert "Availability: 2026-03-02 12:00:00 UTC to 2026-03-02 14:00:00 UTC" in text
    assert "3,360  480  3,840" in text
    assert "page    1h/5m         firing: " in text


def test_files_and_folders_are_read_together(history: str, document: Path) -> None:
    (document.parent / "more").mkdir()
    (document.parent / "more" / "another.yaml").write_text(DOCUMENT.replace("vailability", "nother"))
    found = json.loads(command(document, history, "--json", "-f", str(document.parent / "more")))
    assert [one["objective"] for one in found] == ["Availability", "Another"]


def test_one_that_fails_leaves_the_others_results(history: str, document: Path) -> None:
    broken = DOCUMENT.replace("vailability", "nother").replace("counter: true", "counter: false")
    document.write_text(f"{broken.replace('query: requests_total', 'query: sum(')}---\n{DOCUMENT}")
    out = StringIO()
    with pytest.raises(CommandError, match=r"Another: .* refused the question") as failed:
        command(document, history, "--json", out=out)
    assert failed.value.returncode == 1
    assert [one["objective"] for one in json.loads(out.getvalue())] == ["Availability"]


def test_after_a_store_is_away_no_other_objective_is_tried(document: Path) -> None:
    document.write_text(f"{DOCUMENT}---\n{DOCUMENT.replace('vailability', 'nother')}")
    with pytest.raises(CommandError, match=r"nothing listens there(.|\n)*Another: not tried") as failed:
        command(document, "http://127.0.0.1:9")
    assert failed.value.returncode == 1


LATENCY = DOCUMENT.replace("bad: ", "good: ").replace(
    """'requests_total{code=~"5.."}'""", """'d_seconds_bucket{le="0.3"}'"""
)
LATENCY = LATENCY.replace("query: requests_total", "query: d_seconds_count")


def test_a_threshold_that_is_no_bucket_is_refused_with_the_nearest(history: str, document: Path) -> None:
    document.write_text(LATENCY)
    with pytest.raises(CommandError, match=r"ends at 0.3 s. The nearest end at 0.25 s and 0.5 s.") as refused:
        command(document, history)
    assert refused.value.returncode == 2


@pytest.mark.parametrize(("threshold", "bad"), [("0.25", 480), ("1", 0)])
def test_a_threshold_that_is_a_bucket_is_counted(history: str, document: Path, threshold: str, bad: int) -> None:
    document.write_text(LATENCY.replace("0.3", threshold))
    (group,) = json.loads(command(document, history, "--json"))["groups"]
    assert (group["bad"], group["total"]) == (bad, 4 * SCRAPES)


def test_a_metric_that_is_not_there_is_a_mistake_and_the_json_is_whole(history: str, document: Path) -> None:
    document.write_text(DOCUMENT.replace("requests_total", "request_total"))
    out, told = StringIO(), StringIO()
    with pytest.raises(CommandError, match="no metric named request_total") as failed:
        command(document, history, "--json", out=out, stderr=told)
    assert failed.value.returncode == 2
    assert json.loads(out.getvalue())["groups"][0]["total"] == 0
    assert "Availability: nothing was measured. No series matches request_total{}." in told.getvalue()


def test_when_nothing_was_measured_the_reason_is_told(history: str, document: Path) -> None:
    nobody = """query: 'requests_total{tenant="c"}'}"""
    document.write_text(DOCUMENT.replace("query: requests_total}", nobody))
    told = StringIO()
    command(document, history, "--json", stderr=told)
    assert "Availability: nothing was measured. No series matches requests_total" in told.getvalue()


def test_several_objectives_are_a_list(history: str, document: Path) -> None:
    document.write_text(f"{DOCUMENT}---\n{DOCUMENT.replace('vailability', 'nother')}")
    found = json.loads(command(document, history, "--json"))
    assert [one["objective"] for one in found] == ["Availability", "Another"]


def test_maintenance_can_be_given(history: str, document: Path) -> None:
    out = command(document, history, "--json", "--exclude", "2026-03-02T13:00:00Z/2026-03-02T13:30:00Z")
    (group,) = json.loads(out)["groups"]
    assert (group["bad"], group["excluded_seconds"]) == (0, 1800)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--slice", "1x"], "is no duration"),
        (["--slice", "0s"], "at least one second"),
        (["--slice", "9999999999999999"], "longer than any window"),
        (["--slice", "400d"], "at most a year"),
        (["--start", "0001-01-01T00:00:00Z", "--slice", "100d"], "no time that a store knows"),
        (["--source", "http://[::1"], "is no address of a store"),
        (["--source", "http://127.0.0.1:abc"], "is no address of a store"),
        (["--start", "yesterday"], "is no time"),
        (["--exclude", "2026-03-02T13:00:00Z"], "Write START/END"),
        (["--exclude", "2026-03-02T13:00:00Z/2026-03-02T12:00:00Z"], "ends before it starts"),
        (["--source", "prometheus"], "is no address of a store"),
        (["--source", "http://127.0.0.1:9"], "127.0.0.1:9"),
        (["--end", "2026-03-02T12:00:00Z"], "at least one slice after the start"),
        (["-f", "/nowhere/objective.yaml"], "cannot be read"),
    ],
)
def test_bad_input_is_answered_by_a_sentence(more: Sequence[str], sentence: str, document: Path) -> None:
    given = ["-f", str(document), "--source", "http://127.0.0.1:9", "--start", "2026-03-02T12:00:00Z"]
    with pytest.raises(CommandError, match=sentence):
        call_command("backtest", *given, "--end", "2026-03-02T14:00:00Z", *more)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x00\xff\xfe", "objective.yaml is no text in UTF-8"),
        (b"a: \x07", "objective.yaml.* is no YAML"),
        (b"[" * 5000 + b"]" * 5000, "objective.yaml: This is nested too deeply"),
    ],
)
def test_what_is_no_document_is_answered_by_a_sentence_that_names_it(
    content: bytes, sentence: str, document: Path
) -> None:
    document.write_bytes(content)
    with pytest.raises(CommandError, match=sentence) as refused:
        command(document, "http://127.0.0.1:9")
    assert refused.value.returncode == 2


def test_a_file_without_objectives_is_refused(document: Path) -> None:
    document.write_text("apiVersion: openslo/v1\nkind: Service\nmetadata: {name: checkout}\nspec: {}\n")
    with pytest.raises(CommandError, match="There is no objective in") as refused:
        command(document, "http://127.0.0.1:9")
    assert refused.value.returncode == 2


# -- The report ------------------------------------------------------------------------------------------------------
def test_a_report_of_nothing_says_so() -> None:
    nothing = Backtest(DEFINITION, START, datetime(2026, 3, 2, 14, tzinfo=UTC), ())
    assert as_json(nothing)["groups"] == []
    assert "2026-03-02 14:00:00 UTC" in as_text(nothing)
