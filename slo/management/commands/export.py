"""Prints objectives as OpenSLO documents, which `apply` takes back."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q

from slo.documents import stored
from slo.models import Objective


class Command(BaseCommand):
    help = "Prints objectives with their flows as OpenSLO v1; all that are in use, or those of a flow or a name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--flow", default="", help="only objectives of this flow, by its name or short name")
        parser.add_argument("--objective", default="", help="only objectives of this name")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Objective.objects.active().select_related("flow", "source")
        if flow := options["flow"]:
            found = found.filter(Q(flow__slug=flow) | Q(flow__name__iexact=flow))
        if name := options["objective"]:
            found = found.filter(name__iexact=name)
        objectives = list(found.order_by("flow__name", "name"))
        if not objectives and (flow or name):
            raise CommandError("No objective in use is named like this.")
        self.stdout.write(stored.write(objectives), ending="")
