"""Generated incidents: the same seed is the same incident, and what is called true is in what was recorded."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from bench.explain import bundles, truth
from bench.explain.scenarios import SCENARIOS, generate
from bench.explain.story import Story
from bench.explain.truth import Truth

SEEDS = range(5)
# Quick ones, of all three systems.
WRITTEN = ("shop-bad-deploy", "shop-two-faults", "chain-canary", "fanout-pool")
FILES = {"case.json", "topology.json", "traces.jsonl.gz", "logs.jsonl.gz", "metrics.om.gz", "counts.csv.gz"}


def story(name: str, seed: int = 1) -> Story:
    return SCENARIOS[name].story(Random(f"{seed}/{name}"))


def stories(name: str) -> list[Story]:
    return [story(name, seed) for seed in SEEDS]


def written(name: str, folder: Path, rate: float = 0.8) -> Truth:
    """A bundle with fewer requests than usual, to be quick."""
    told = story(name)
    return bundles.write(replace(told, setting=replace(told.setting, rate=rate)), folder, Random(1))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def case(folder: Path) -> Any:
    return orjson.loads((folder / "case.json").read_bytes())


def lines(path: Path) -> Iterator[Any]:
    with gzip.open(path) as packed:
        yield from map(orjson.loads, packed)


def spans(folder: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """Spans and the attributes of their resources."""
    for request in lines(folder / "traces.jsonl.gz"):
        for group in request["resourceSpans"]:
            resource = {one["key"]: one["value"]["stringValue"] for one in group["resource"]["attributes"]}
            yield from ((span, resource) for scope in group["scopeSpans"] for span in scope["spans"])


@pytest.fixture(scope="module", params=WRITTEN)
def bundle(request, tmp_path_factory) -> tuple[str, Path, Truth]:
    folder = tmp_path_factory.mktemp("bundles") / request.param
    return request.param, folder, written(request.param, folder)


# -- Seeds ------------------------------------------------------------------------------------------------------------
def test_there_are_scenarios_of_every_kind_of_fault():
    faults = {story(name).fault for name in SCENARIOS}
    wanted = {
        "slow dependency",
        "erroring dependency",
        "timeouts with retries",
        "bad deploy in one segment",
        "pool exhaustion",
        "queue backlog",
        "CPU saturation",
        "noisy neighbour",
        "traffic surge",
        "cache loss",
        "two faults at once",
        "nothing",
    }
    assert wanted <= faults
    assert len(SCENARIOS) >= 24


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    truths = [generate("shop-database-down", 3, 1, tmp_path / at / "same") for at in ("first", "second")]
    first, second = (
        {file.name: file.read_bytes() for file in (tmp_path / at / "same").iterdir()} for at in ("first", "second")
    )
    assert first.keys() == FILES
    assert first == second
    assert truths[0] == truths[1]


@pytest.mark.parametrize("name", SCENARIOS)
def test_another_seed_is_another_incident(name):
    # The reference case has its time of day and its segment, but not its numbers of requests.
    assert len({(story(name, seed).setting.rate, story(name, seed).setting.epoch) for seed in SEEDS}) == len(SEEDS)


# -- What happens ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", SCENARIOS)
def test_whoever_is_to_blame_is_part_of_the_system(name):
    for told in stories(name):
        system = told.setting.system
        known = {service for edge in system.edges() for service in edge} | {service.name for service in system.services}
        known |= {queue.name for queue in system.queues}
        assert {blame.service for accepted in told.culprits for blame in accepted} <= known


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_segment_is_described_by_what_tells_requests_apart(name):
    for told in stories(name):
        flow = told.setting.system.flow(told.setting.flow)
        drawn = {
            (attribute, value)
            for column in flow.columns
            for values, _ in column.rows
            for attribute, value in zip(column.names, values, strict=True)
        }
        assert {item for segment in told.segments or () for item in segment.items()} <= drawn


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_change_that_did_it_came_before_the_onset_and_is_announced_once(name):
    for told in stories(name):
        assert len({change.title for change in told.changes}) == len(told.changes)
        if told.change:
            (guilty,) = (change for change in told.changes if change.title == told.change)
            assert guilty.at <= told.faults[0].begin


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_windows_follow_each_other(name):
    for setting in (told.setting for told in stories(name)):
        begin, end = setting.incident
        assert begin < end
        assert all(start < stop <= begin for start, stop in setting.baseline)


# -- What is recorded --------------------------------------------------------------------------------------------------
def test_a_bundle_has_its_files_but_for_those_that_the_story_leaves_out(bundle):
    name, folder, _ = bundle
    left_out = {f"{file}.gz" for file in story(name).flaws.without}
    assert {file.name for file in folder.iterdir()} == FILES - left_out


def test_the_onset_lies_within_the_incident(bundle):
    _, folder, told = bundle
    begin, end = map(datetime.fromisoformat, case(folder)["incident"])
    assert begin <= datetime.fromisoformat(told.onset) < end


def test_a_bundle_says_nothing_about_the_truth(bundle):
    _, folder, told = bundle
    assert set(case(folder)) == {"id", "flow", "bad", "baseline", "incident", "changes"}
    assert {change["title"] for change in case(folder)["changes"]} == {*told.innocent_changes, told.change} - {None}


def test_spans_are_well_formed(bundle):
    _, folder, _ = bundle
    for span, resource in spans(folder):
        assert len(bytes.fromhex(span["traceId"])) == 16
        assert len(bytes.fromhex(span["spanId"])) == 8
        assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
        assert {"service.name", "k8s.pod.name"} <= resource.keys()


def test_most_spans_have_their_parent(bundle):
    _, folder, _ = bundle
    every = [span for span, _ in spans(folder)]
    known = {span["spanId"] for span in every}
    orphans = [span for span in every if span.get("parentSpanId", "") and span["parentSpanId"] not in known]
    assert 0 < len(orphans) < 0.05 * len(every)


def test_bare_spans_have_neither_status_nor_kind_nor_attributes(tmp_path):
    written("chain-bare", tmp_path / "bare")
    names = {"traceId", "spanId", "parentSpanId", "name", "startTimeUnixNano", "endTimeUnixNano"}
    assert all(span.keys() <= names for span, _ in spans(tmp_path / "bare"))


def test_log_lines_belong_to_requests(bundle):
    _, folder, _ = bundle
    told = [
        line
        for request in lines(folder / "logs.jsonl.gz")
        for group in request["resourceLogs"]
        for scope in group["scopeLogs"]
        for line in scope["logRecords"]
    ]
    assert told
    assert all(line["traceId"] and line["body"]["stringValue"] for line in told)
    assert not [line for line in told if "{" in line["body"]["stringValue"]]


def test_metrics_are_sorted_text_with_timestamps_that_ends(bundle):
    _, folder, _ = bundle
    with gzip.open(folder / "metrics.om.gz", "rt") as text:
        *samples, last = text.read().splitlines()
    assert last == "# EOF"
    families = [line.split()[2] for line in samples if line.startswith("# TYPE")]
    assert families == sorted(set(families))
    assert all(len(line.rsplit(" ", 2)) == 3 for line in samples)


def test_a_deploy_shows_in_the_versions_of_the_spans(bundle):
    name, folder, _ = bundle
    versions = {(resource["service.name"], resource.get("service.version")) for _, resource in spans(folder)}
    assert {(rollout.service, rollout.version) for rollout in story(name).rollouts} <= versions


def test_a_fault_that_harms_nobody_is_a_mistake(tmp_path):
    told = story("shop-bad-deploy")
    with pytest.raises(bundles.Harmless):
        bundles.write(replace(told, faults=(), setting=replace(told.setting, rate=0.5)), tmp_path / "none", Random(1))


def test_a_truth_is_read_as_it_was_saved(bundle, tmp_path):
    name, _, told = bundle
    truth.save(tmp_path / "truth.json", {name: told})
    assert truth.load(tmp_path / "truth.json") == {name: told}
