"""Prints Prometheus rules for objectives in files, for people who want the alerts in Prometheus as well."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from slo import documents
from slo.documents import files, prometheus_rules


class Command(BaseCommand):
    help = (
        "Prints Prometheus recording and alerting rules for the objectives in files of OpenSLO, Sloth or Pyrra, with "
        "Sloth's names of metrics and labels. Needs neither settings nor a database."
    )
    # It touches no database, and nothing else that could be misconfigured.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        files.add_argument(parser)
        parser.add_argument(
            "--native-histograms", action="store_true", help="count latencies by native histograms, not by buckets"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            carried = documents.carry(files.texts(options["file"]))
            rules = prometheus_rules.write(carried.definitions, options["native_histograms"])
        except ValueError as error:
            raise CommandError(str(error), returncode=files.BAD_INPUT) from error
        for loss in (*carried.losses, *rules.losses):
            self.stderr.write(loss)
        self.stdout.write(rules.text, ending="")
