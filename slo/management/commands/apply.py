"""Creates and changes objectives from documents: OpenSLO's, Sloth's or Pyrra's."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from slo import documents
from slo.documents import files
from slo.documents.objections import objections
from slo.documents.proposal import Change, FlowChange, Proposal, adopt, propose

DONE = {"create": "created", "change": "changed", "keep": "unchanged"}
AHEAD = {"create": "to create", "change": "to change", "keep": "unchanged"}


class Command(BaseCommand):
    help = (
        "Creates and changes flows and objectives from files of OpenSLO, Sloth or Pyrra, and shows what changes. "
        "An objective is known by its service and name; what is in no file stays as it is."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        files.add_argument(parser)
        parser.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
        parser.add_argument("--source", default="", help="the Prometheus to measure, by name or address")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            carried = documents.carry(files.texts(options["file"]))
            proposal = propose(carried, options["source"])
        except ValueError as error:
            raise CommandError(str(error), returncode=files.BAD_INPUT) from error
        found = objections(proposal, timezone.now())
        if found.problems:
            raise CommandError("\n".join(found.problems), returncode=files.BAD_INPUT)
        for note in (*carried.losses, *found.unchecked):
            self.stderr.write(note)
        self._show(proposal)
        if options["dry_run"]:
            self.stdout.write("Nothing was changed: this was a dry run.")
        else:
            _adopt(proposal)
        self.stdout.write(_summary(proposal, options["dry_run"]))

    def _show(self, proposal: Proposal) -> None:
        for change in proposal.changes:
            self.stdout.write(f"{change.verb} {_title(change)}")
            for line in change.lines:
                self.stdout.write(f"  {line}")


def _adopt(proposal: Proposal) -> None:
    try:
        adopt(proposal)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _title(change: Change) -> str:
    if isinstance(change, FlowChange):
        return f"flow {change.flow.name}"
    title = f"objective {change.entry.definition.name} of {change.flow.name}, measured from {change.source.name}"
    return f"{title}: other events count than before, so it is measured anew" if change.anew else title


def _summary(proposal: Proposal, dry_run: bool) -> str:
    verbs = [one.verb for one in proposal.objectives]
    words = AHEAD if dry_run else DONE
    counts = ", ".join(f"{verbs.count(verb)} {word}" for verb, word in words.items())
    return f"Objectives: {counts}."
