"""Evaluates alerts over the ledgers: every slice once and in order, whoever does it and however often it is asked.

Most objectives are calm in most rounds. For them a few comparisons say that no rule can have moved, and one query
moves the cursors of all; only what may have moved goes through `slo.judgement`, as in a replay.
"""

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import batched
from typing import cast

from django.db import IntegrityError

from alerts import lateness, records, retirement, watches
from alerts.models import Alert
from alerts.records import Judgement
from alerts.watches import Watch
from slo import judgement, ledger, states
from slo.definition import Definition, NoDataAlert
from slo.history import History
from slo.instants import floor
from slo.judgement import Judged, Rule
from slo.models import Objective, Slice
from slo.states import AlertState

log = logging.getLogger(__name__)

# Slices that one objective is shown in one transaction when many were missed.
BATCH = 100
# Rows of ledgers held at once, about 200 bytes each.
MOST_MARKS = 100_000
# Floats may differ from the exact comparison by their last bits; a screen must not be finer than the rule.
ALMOST = 1 - 1e-9
# How often a firing alert's numbers are written again while nothing else changes.
REFRESH = timedelta(minutes=1)

type Stretch = tuple[Watch, tuple[datetime, ...]]


def evaluate(objective_ids: Sequence[int], now: datetime) -> None:
    """Move the objectives' alerts through every slice that they have not seen; then say which ledgers are late.

    Another worker may do the same at the same time: each slice of an objective is recorded by one of them.
    """
    watched = watches.load(objective_ids, now)
    for portion in _portions([watch for watch in watched if watch.behind]):
        _walk(portion, now)
    lateness.tell([watch for watch in watched if not watch.overtaken], now)
    retirement.retire_rules(objective_ids, now)
    for watch in watched:
        if groups := watch.without_ledger:
            retirement.retire_groups(watch.objective, groups, now)


def _portions(behind: Sequence[Watch]) -> Iterator[list[Stretch]]:
    """Slices to look at together: so many objectives at once that their marks fit in memory, each one's in order."""
    portion, size = list[Stretch](), 0
    for watch, ends in _stretches(behind):
        weight = len(ends) * len(watch.books) * 16
        if portion and (size + weight > MOST_MARKS or watch is portion[-1][0]):
            yield portion
            portion, size = [], 0
        portion.append((watch, ends))
        size += weight
    if portion:
        yield portion


def _stretches(behind: Sequence[Watch]) -> Iterator[Stretch]:
    ends = _ends(behind)
    for watch in behind:
        most = max(1, min(BATCH, MOST_MARKS // (16 * max(1, len(watch.books)))))
        for some in batched(ends[watch.objective.pk], most, strict=False):
            yield watch, some


def _ends(behind: Sequence[Watch]) -> dict[int, list[datetime]]:
    """The slices that each objective has not seen, by their ends. All its groups have the same ones."""
    found, together = dict[int, list[datetime]](), defaultdict[datetime, list[Watch]](list)
    for watch in behind:
        found[watch.objective.pk] = []
        together[watch.seen_until].append(watch)
    for seen_until, those in together.items():
        # The oldest ledger has every slice; that of a group that came later only those since.
        oldest = {min(book.pk for book in watch.books): watch.objective for watch in those if watch.books}
        rows = Slice.objects.filter(ledger__in=oldest, end__gt=seen_until).order_by("end")
        for book, end in rows.values_list("ledger_id", "end"):
            found[oldest[book].pk].append(end)
    for watch in behind:
        until = watch.objective.measured_until
        if not watch.books and until:
            # Measured, but no group was found yet: there is nothing to look at slice by slice.
            found[watch.objective.pk] = [until]
    return found


def _walk(portion: Sequence[Stretch], now: datetime) -> None:
    histories = _histories(portion)
    calm = list[tuple[Watch, datetime]]()
    for watch, ends in portion:
        if watch.overtaken:
            continue
        if judgements := list(_judge(watch, ends, histories)):
            _store(watch, ends[-1], judgements, now)
        else:
            calm.append((watch, ends[-1]))
    records.advance(calm)


def _store(watch: Watch, until: datetime, judgements: Sequence[Judgement], now: datetime) -> None:
    try:
        records.store(watch, until, judgements, now)
    except IntegrityError:
        # Rolled back, and tried again in the next round. The other objectives must not wait for it.
        watch.overtaken = True
        log.exception("Alerts of objective %s could not be stored.", watch.objective.pk)


def _judge(watch: Watch, ends: Sequence[datetime], histories: Mapping[int, History]) -> Iterator[Judgement]:
    """What changed at any of these slices, in order; nothing while all is calm."""
    known = defaultdict[str, dict[Rule, AlertState]](dict)
    for (rule, group), alert in watch.firing.items():
        known[group][rule] = _state(alert)
    before = watch.seen_until
    for at in ends:
        definition = judgeable(watch.definition, watch.objective, at)
        for group, history in _groups(watch, histories):
            if not known[group] and calm(definition, history, at):
                continue
            for judged in judgement.step(definition, history, at, known[group]):
                if _counts(judged, before, at):
                    known[group] = _after(known[group], judged)
                    yield Judgement(at, group, judged)
        before = at


def _histories(portion: Sequence[Stretch]) -> dict[int, History]:
    """What is known of each ledger at all instants that the rules look at; a few queries for each set of instants."""
    together = defaultdict[tuple[int, tuple[datetime, ...]], list[Watch]](list)
    for watch, ends in portion:
        # Those that are judged alike share one definition: see alerts.watches.
        together[id(watch.definition), ends].append(watch)
    found = dict[int, History]()
    for (_alike, ends), those in together.items():
        wanted = {at for end in ends for at in judgement.instants(those[0].definition, end)}
        found |= ledger.histories([book for watch in those for book in watch.books], wanted)
    return found


def _state(alert: Alert) -> AlertState:
    return AlertState(
        cast(states.State, alert.state),
        alert.since,
        frozen_since=alert.frozen_since,
        calm_since=alert.calm_since,
        silenced_since=alert.silenced_since,
    )


def _groups(watch: Watch, histories: Mapping[int, History]) -> Iterator[tuple[str, History]]:
    if not watch.books:
        yield "", History((), (), watch.objective.created_at)
    for book in watch.books:
        if history := histories.get(book.pk):
            yield book.group, history


def _after(known: Mapping[Rule, AlertState], judged: Judged) -> dict[Rule, AlertState]:
    others = {rule: state for rule, state in known.items() if rule != judged.rule}
    # Of a rule that does not fire nothing is remembered: it begins anew.
    return others | {judged.rule: judged.state} if judged.state.state == "firing" else others


def _counts(judged: Judged, before: datetime, at: datetime) -> bool:
    """Whether this has to be stored: a move, or news of what fires."""
    old, new = judged.old, judged.state
    if old.state != "firing" and new.state != "firing":
        return False
    if isinstance(judged.rule, NoDataAlert) and old.since is not None and at <= old.since:
        # It fired by the clock while slices were missing; those that come late cannot end it before it began.
        return False
    return old != new or floor(at, REFRESH) > floor(before, REFRESH)


def judgeable(definition: Definition, objective: Objective, at: datetime) -> Definition:
    """The definition with those rules only that can be judged at `at`.

    While the history of an objective is still being read, a window that begins before what was read so far is
    shorter than its rule means: an hour's errors are not three days' errors.
    """
    begins, goal = objective.measured_from, objective.history_goal
    if goal is None or begins is None or begins <= goal:
        return definition
    whole = definition.window.start(at) >= begins
    return replace(
        definition,
        tiers=tuple(tier for tier in definition.tiers if at - tier.long >= begins),
        budget_alerts=definition.budget_alerts if whole else (),
    )


def calm(definition: Definition, history: History, at: datetime) -> bool:
    """Whether no rule that does not fire yet can fire at `at`: coarser than the rules, and much cheaper."""
    if definition.no_data and not history.window(at, definition.no_data.after).measured:
        return False
    few = definition.policy.min_bad
    for length, ratio in _thresholds(definition):
        seen = history.window(at, length) if length else history.between(definition.window.start(at), at)
        if seen.bad >= few and seen.bad >= seen.total * ratio:
            return False
    return True


@lru_cache(maxsize=20_000)
def _thresholds(definition: Definition) -> tuple[tuple[timedelta | None, float], ...]:
    """The windows that a rule looks at, and the error ratio from which it may fire; `None` is the budget's window."""
    allowed, window = 1 - definition.target, definition.window.length
    found: list[tuple[timedelta | None, float]] = [
        (tier.long, float(allowed * tier.factor(window)) * ALMOST) for tier in definition.tiers
    ]
    if definition.budget_alerts:
        found.append((None, float(allowed * min(rule.spent for rule in definition.budget_alerts)) * ALMOST))
    return tuple(found)
