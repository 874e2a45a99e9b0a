"""Writes what was recorded of a story as a bundle: the folder that `manage.py explain --bundle` reads."""

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import orjson

from bench.explain import exposition, otlp
from bench.explain.records import Ended
from bench.explain.simulation import run
from bench.explain.story import Setting, Story
from bench.explain.truth import Truth
from bench.explain.world import Recording

LEVEL = 5
# The onset is when the first of so many requests went wrong within a minute because of the fault.
SEVERAL, SOON = 3, 60.0


class Harmless(Exception):
    """The fault of a story did no harm that anybody could see."""


def write(story: Story, folder: Path, random: Random) -> Truth:
    """Simulate the story and write it into `folder`, which is made. Raises Harmless."""
    recording = run(story.plan, random)
    truth = _truth(story, recording)
    folder.mkdir(parents=True)
    epoch = round(story.setting.epoch.timestamp())
    clocks = otlp.Clocks(epoch, story.flaws.skew, random)
    files: dict[str, Iterable[bytes]] = {
        "traces.jsonl": otlp.traces(recording.traces, clocks, story.flaws, random),
        "logs.jsonl": otlp.logs(sorted(recording.logs, key=lambda line: line.at), clocks, story.flaws.bare),
        "metrics.om": (line.encode() for line in exposition.expose(recording, epoch, random)),
        "counts.csv": _counts(story, recording.ended),
        "topology.json": [orjson.dumps(story.setting.system.edges())],
    }
    (folder / "case.json").write_bytes(orjson.dumps(_case(story, folder.name), option=orjson.OPT_INDENT_2))
    for name, lines in files.items():
        if name not in story.flaws.without:
            save(folder / name, lines)
    return truth


def save(path: Path, lines: Iterable[bytes]) -> None:
    """Write a file of a bundle: gzipped, but for JSON; without the time, so that the same seed gives the same bytes."""
    if path.suffix == ".json":
        path.write_bytes(b"".join(lines))
        return
    with (
        path.with_name(f"{path.name}.gz").open("wb") as raw,
        gzip.GzipFile("", "wb", LEVEL, raw, mtime=0) as packed,
    ):
        packed.writelines(lines)


def _case(story: Story, name: str) -> dict[str, Any]:
    setting = story.setting
    flow = setting.system.flow(setting.flow)
    return {
        "id": name,
        "flow": {"name": flow.name, "root": {"service": flow.service, "operation": flow.operation}},
        "bad": story.bad,
        "baseline": [[rfc3339(setting.at(begin)), rfc3339(setting.at(end))] for begin, end in setting.baseline],
        "incident": [rfc3339(setting.at(moment)) for moment in setting.incident],
        "changes": [
            {
                "at": rfc3339(setting.at(change.at)),
                "kind": change.kind,
                "service": change.service,
                "version": change.version,
                "title": change.title,
            }
            for change in sorted(story.changes, key=lambda change: change.at)
        ],
    }


def rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def is_bad(story: Story, ended: Ended) -> bool:
    """Whether the story's owner calls this request bad; where nobody knows, whether it failed."""
    if isinstance(story.bad, dict):
        return bool(ended.seconds * 1000 > story.bad["slower_than_ms"])
    return ended.failed


# -- Counts ------------------------------------------------------------------------------------------------------------
def _counts(story: Story, ended: Iterable[Ended]) -> Iterable[bytes]:
    """Requests of the flow by minute and by what tells them apart, but for who made them."""
    flow = story.setting.system.flow(story.setting.flow)
    names = sorted(name for column in flow.columns for name in column.names)
    total, bad = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for one in ended:
        key = (_minute(story.setting, one.at), *(one.attributes[name] for name in names))
        total[key] += 1
        bad[key] += is_bad(story, one)
    yield _row(["time", "bad", "total", *names])
    for key, count in sorted(total.items()):
        yield _row([key[0], bad[key], count, *key[1:]])


def _minute(setting: Setting, at: float) -> str:
    return rfc3339(setting.epoch + timedelta(minutes=at // 60))


def _row(cells: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


# -- The truth ---------------------------------------------------------------------------------------------------------
def _truth(story: Story, recording: Recording) -> Truth:
    onset = rfc3339(story.setting.at(_onset(story, recording.ended))) if story.culprits or story.segments else ""
    innocent = tuple(change.title for change in story.changes if change.title != story.change)
    return Truth(story.fault, story.culprits, story.segments, story.change, onset, innocent, story.load)


def _onset(story: Story, ended: Iterable[Ended]) -> float:
    """When a fault began to show: it may have smouldered before, until a queue was full."""
    harmed = [one.at for one in ended if one.touched and (story.bad == "any" or is_bad(story, one))]
    for place in range(len(harmed) - SEVERAL + 1):
        if harmed[place + SEVERAL - 1] - harmed[place] <= SOON:
            return harmed[place]
    raise Harmless(f"{story.fault}: {len(harmed)} requests of {story.setting.flow} were harmed")
