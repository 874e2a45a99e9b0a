"""What objectives in files would have counted and told, over a stretch of a Prometheus's history."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError

from connectors.errors import NotAStore, Refused, StoreError, Unreachable
from connectors.prometheus import Prometheus
from slo import backtest_report, catalogue, documents
from slo.backtest import Backtest, backtest
from slo.definition import Definition
from slo.documents import durations, files
from slo.documents.carried import Carried
from slo.documents.files import BAD_INPUT
from slo.instants import EPOCH, floor
from slo.periods import Interval

NO_ANSWER = 1
TIMEOUT = timedelta(seconds=120)
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=366)


@dataclass(slots=True)
class Done:
    """What came of each objective: a backtest, or a sentence that says why there is none, or why it is empty."""

    backtests: list[Backtest] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    code: int = 0

    def fail(self, name: str, error: Exception) -> None:
        self.failures.append(f"{name}: {error}")
        self.code = max(self.code, NO_ANSWER if isinstance(error, StoreError) else BAD_INPUT)


class Command(BaseCommand):
    help = (
        "Counts the objectives of files over a stretch of a Prometheus's history, and replays their alerts. "
        "Needs neither settings nor a database. Times are RFC 3339 (UTC without an offset) or Unix seconds."
    )
    # It touches no database, and nothing else that could be misconfigured.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        files.add_argument(parser)
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
        carried = _carried(options["file"])
        for loss in carried.losses:
            self.stderr.write(loss)
        with _store(options["source"]) as store:
            done = self._run_all(carried.definitions, store, options)
        if done.backtests:
            as_text = _as_json(done.backtests, len(carried.definitions) > 1) if options["json"] else _table(done)
            self.stdout.write(as_text)
        if done.failures:
            raise CommandError("\n".join(done.failures), returncode=done.code)

    def _run_all(self, definitions: Sequence[Definition], store: Prometheus, options: dict[str, Any]) -> Done:
        """Each by itself, so that one that cannot be counted harms no other; until the store is away."""
        done = Done()
        for number, definition in enumerate(definitions, 1):
            try:
                self._run(definition, store, options, done)
            except (StoreError, ValueError) as error:
                done.fail(definition.name, error)
                if isinstance(error, Unreachable):
                    done.failures += [f"{one.name}: not tried after that." for one in definitions[number:]]
                    break
        return done

    def _run(self, definition: Definition, store: Prometheus, options: dict[str, Any], done: Done) -> None:
        start, end = _stretch(definition, options)
        if start < end:
            _refuse(catalogue.wrong_threshold, definition.sli, store, start, end)
        found = backtest(
            definition, store, start, end, options["slice"], self._progress(definition), options["exclude"]
        )
        done.backtests.append(found)
        if found.overflow:
            self.stderr.write(f"{definition.name}: {found.overflow}")
        if found.unmeasured:
            self.stderr.write(f"{definition.name}: nothing was measured. {found.unmeasured}")
            _refuse(catalogue.unknown_metric, definition.sli, store)

    def _progress(self, definition: Definition) -> Callable[[int, int], None] | None:
        """Tells a person who waits, and nobody else."""
        if not self.stderr.isatty():
            return None

        def progress(done: int, due: int) -> None:
            ending = "\n" if done == due else ""
            self.stderr.write(f"\r{definition.name}: {done} of {due} parts", ending=ending)

        return progress


def _refuse[**P](problem: Callable[P, str], *args: P.args, **options: P.kwargs) -> None:
    """Raises `ValueError` with the sentence of `problem`; not where a store cannot tell, as it lists no labels."""
    try:
        sentence = problem(*args, **options)
    except (Refused, NotAStore):
        return
    if sentence:
        raise ValueError(sentence)


def _carried(names: Sequence[str]) -> Carried:
    try:
        found = documents.carry(files.texts(names))
    except ValueError as error:
        raise CommandError(str(error), returncode=BAD_INPUT) from error
    if not found.definitions:
        raise CommandError(
            f"There is no objective in {', '.join(names)}. Write one as an OpenSLO document of kind SLO.",
            returncode=BAD_INPUT,
        )
    return found


def _store(url: str) -> Prometheus:
    host = _host(url)
    if not host:
        raise CommandError(
            f"{url!r} is no address of a store. Give it as http://prometheus:9090.", returncode=BAD_INPUT
        )
    # Whoever types the address here may name internal ones.
    return Prometheus(url, allowed=[host], timeout=TIMEOUT)


def _host(url: str) -> str:
    """The host of an address; empty for what is none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.scheme in ("http", "https") and parts.port != 0 else ""
    except ValueError:
        return ""


def _stretch(definition: Definition, options: dict[str, Any]) -> Interval:
    end = options["end"] or floor(datetime.now(UTC), options["slice"])
    return options["start"] or end - definition.window.length, end


def _table(done: Done) -> str:
    return "\n\n".join(map(backtest_report.as_text, done.backtests))


def _as_json(found: Sequence[Backtest], several: bool) -> str:
    said = [backtest_report.as_json(one) for one in found]
    return json.dumps(said if several else said[0], indent=2, ensure_ascii=False, allow_nan=False)


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromtimestamp(float(text), UTC) if _is_number(text) else datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise ArgumentTypeError(f"{text!r} is no time. Write 2026-03-02T12:00:00Z, or Unix seconds.") from None
    if not EPOCH <= at < LATEST:
        raise ArgumentTypeError(f"{text!r} is no time that a store knows. Write one after {EPOCH:%Y}.")
    return at


def _length(text: str) -> timedelta:
    try:
        length = timedelta(seconds=float(text)) if _is_number(text) else durations.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    except OverflowError:
        raise ArgumentTypeError(f"{text!r} is longer than any window can be.") from None
    if not SHORTEST <= length <= LONGEST:
        raise ArgumentTypeError("A slice is at least one second long, and at most a year.")
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
