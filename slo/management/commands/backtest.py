"""What objectives in a file would have counted and told, over a stretch of a Prometheus's history."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError

from connectors.errors import StoreError
from connectors.prometheus import Prometheus
from slo import backtest_report, documents
from slo.backtest import Backtest, backtest
from slo.definition import Definition
from slo.documents import durations
from slo.documents.carried import Carried
from slo.instants import floor
from slo.periods import Interval

# As `2` is for wrong arguments.
BAD_INPUT = 2
TIMEOUT = timedelta(seconds=120)


class Command(BaseCommand):
    help = (
        "Counts the objectives of an OpenSLO file over a stretch of a Prometheus's history, and replays their alerts. "
        "Needs neither settings nor a database. Times are RFC 3339 (UTC without an offset) or Unix seconds."
    )
    # It touches no database, and nothing else that could be misconfigured.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("-f", "--file", required=True, help="the OpenSLO file")
        parser.add_argument("--source", required=True, metavar="URL", help="a Prometheus-compatible store")
        parser.add_argument("--start", type=_instant, help="the objective's window before the end unless given")
        parser.add_argument("--end", type=_instant, help="now unless given")
        parser.add_argument("--slice", type=_length, default=timedelta(minutes=1), help="60s (the default), 5m, 1h")
        parser.add_argument(
            "--exclude",
            type=_interval,
            action="append",
            default=[],
            metavar="START/END",
            help="maintenance, which does not count; may be given several times",
        )
        parser.add_argument(
            "--json", action="store_true", help="print JSON: an object, or a list for several objectives"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        carried = _carried(Path(options["file"]))
        for loss in carried.losses:
            self.stderr.write(loss)
        with _store(options["source"]) as store:
            found = [self._run(definition, store, options) for definition in carried.definitions]
        self.stdout.write(_as_json(found) if options["json"] else "\n\n".join(map(backtest_report.as_text, found)))

    def _run(self, definition: Definition, store: Prometheus, options: dict[str, Any]) -> Backtest:
        start, end = _stretch(definition, options)
        try:
            return backtest(
                definition, store, start, end, options["slice"], self._progress(definition), options["exclude"]
            )
        except StoreError as error:
            raise CommandError(f"{definition.name}: {error}") from error
        except ValueError as error:
            raise CommandError(f"{definition.name}: {error}", returncode=BAD_INPUT) from error

    def _progress(self, definition: Definition) -> Callable[[int, int], None] | None:
        """Tells a person who waits, and nobody else."""
        if not self.stderr.isatty():
            return None

        def progress(done: int, due: int) -> None:
            ending = "\n" if done == due else ""
            self.stderr.write(f"\r{definition.name}: {done} of {due} parts", ending=ending)

        return progress


def _carried(path: Path) -> Carried:
    try:
        found = documents.carry({str(path): path.read_text(encoding="utf-8")})
    except OSError as error:
        raise CommandError(f"The file {path} cannot be read: {error.strerror}.", returncode=BAD_INPUT) from error
    except ValueError as error:
        raise CommandError(str(error), returncode=BAD_INPUT) from error
    if not found.definitions:
        raise CommandError(
            f"{path} holds no objective. Write one as an OpenSLO document of kind SLO.", returncode=BAD_INPUT
        )
    return found


def _store(url: str) -> Prometheus:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CommandError(
            f"{url!r} is no address of a store. Give it as http://prometheus:9090.", returncode=BAD_INPUT
        )
    # Whoever types the address here may name internal ones.
    return Prometheus(url, allowed=[parts.hostname], timeout=TIMEOUT)


def _stretch(definition: Definition, options: dict[str, Any]) -> Interval:
    end = options["end"] or floor(datetime.now(UTC), options["slice"])
    return options["start"] or end - definition.window.length, end


def _as_json(found: Sequence[Backtest]) -> str:
    said = [backtest_report.as_json(one) for one in found]
    return json.dumps(said[0] if len(said) == 1 else said, indent=2, ensure_ascii=False, allow_nan=False)


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromtimestamp(float(text), UTC) if _is_number(text) else datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise ArgumentTypeError(f"{text!r} is no time. Write 2026-03-02T12:00:00Z, or Unix seconds.") from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _length(text: str) -> timedelta:
    try:
        length = timedelta(seconds=float(text)) if _is_number(text) else durations.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    if length < timedelta(seconds=1):
        raise ArgumentTypeError("A slice is at least one second long.")
    return length


def _interval(text: str) -> Interval:
    start, slash, end = text.partition("/")
    if not slash:
        raise ArgumentTypeError(f"{text!r} is no stretch of time. Write START/END.")
    left, right = _instant(start), _instant(end)
    if right <= left:
        raise ArgumentTypeError(f"{text!r} ends before it starts.")
    return left, right


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
