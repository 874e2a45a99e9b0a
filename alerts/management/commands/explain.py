"""Why an incident happened that was recorded as a folder of files: the same investigators as on an incident's page."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from evidence import bundle
from evidence.bundle import BadBundle
from evidence.explanation import Explained, explain

# As `2` is for wrong arguments.
BAD_INPUT = 2
MOST_CULPRITS = 10


class Command(BaseCommand):
    help = (
        "Explains an incident from recorded telemetry: a folder with case.json and, where there are any, traces.jsonl, "
        "logs.jsonl, metrics.om, topology.json and counts.csv. Needs neither settings nor a database."
    )
    # It touches no database, and nothing else that could be misconfigured.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--bundle", required=True, metavar="DIR", type=Path, help="the folder")
        parser.add_argument("--json", action="store_true", help="print JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            opened = bundle.opened(options["bundle"])
            found = explain(opened.inquiry, bundle.material(opened))
        except BadBundle as error:
            raise CommandError(str(error), returncode=BAD_INPUT) from error
        self.stdout.write(_as_json(found) if options["json"] else _as_text(found))


def _as_json(found: Explained) -> str:
    return json.dumps(found.as_json(), indent=2, ensure_ascii=False, allow_nan=False)


def _as_text(found: Explained) -> str:
    lines = [found.headline, ""]
    lines += [f"{one.question}: {one.statement} ({one.confidence:.2f})" for one in found.findings if not one.fine]
    if found.culprits:
        lines += ["", "Blamed, most likely first:"]
        lines += [f"  {one.score:.2f} {one.service} {one.kind}" for one in found.culprits[:MOST_CULPRITS]]
    lines += [f"Not looked into: {one.investigator}. {one.reason}" for one in found.skipped]
    return "\n".join(lines)
