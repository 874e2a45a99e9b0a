"""Measuring: asks stores about the slices that are due, for many objectives at once, and appends the answers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice

from django.conf import settings

from connectors.errors import Refused, StoreError, TooMuch
from slo import chunks, groups, ledger, reading, verdicts
from slo.chunks import Chunk, Lengths
from slo.counting import Sli
from slo.definitions import budgeting_of, history_goal, sli_of, window_of
from slo.groups import Group
from slo.ledger import Batch
from slo.models import Ledger, Objective
from slo.reading import PATIENCE, NotYet, Read, Store
from slo.slices import Measured
from telemetry import sources
from telemetry.models import Source

# Bounds the work of one call, so that catching up does not keep a worker from live slices.
ROUNDS = 4
# Days of the past that one call reads.
STRETCHES = 6


def advance(objective_ids: Sequence[int], now: datetime, store: Store | None = None) -> list[int]:
    """Measure what is due at `now`, in order; the objectives of which more is due.

    A slice is due `settings.PROMPT` after it ended, if all its scrapes are known to be there by then, or else
    `settings.SETTLE` after it. Objectives of one store whose next slices are the same are asked
    for together. A new objective begins with the last hours; its past follows by `recall`. When the store cannot
    answer, no slice is written: the objective says why in `last_error`, and the next call begins where this one
    stopped. No lock is held while a store is asked; of two workers one appends.
    """
    chosen = Objective.objects.active().select_related("source").filter(pk__in=objective_ids)
    late = list[int]()
    for source, together in _by_source(chosen):
        with _client(source, together, now, store) as client:
            late += _catch_up(together, now, client)
    return late


def recall(objective_id: int, now: datetime, store: Store | None = None) -> bool:
    """Measure some of the past before an objective's ledgers, the newest first; whether more of it is missing."""
    objective = Objective.objects.active().select_related("source").filter(pk=objective_id).first()
    if objective is None:
        return False
    with _client(objective.source, [objective], now, store) as client:
        for chunk in islice(_past(objective), STRETCHES):
            answer = _answers([objective], chunk, client, now).get(objective.pk)
            if answer is None or not ledger.prepend(_condensed(objective, answer, chunk)):
                return False
    return any(_past(objective))


def lengths_of(objective: Objective) -> Lengths:
    """How long the objective's slices are."""
    by_time = sli_of(objective).by_time
    return chunks.lengths(settings.SLICE, None if by_time else budgeting_of(objective).length)


def _by_source(objectives: Iterable[Objective]) -> Iterable[tuple[Source, list[Objective]]]:
    found = defaultdict[int, list[Objective]](list)
    for one in objectives:
        found[one.source_id].append(one)
    return [(together[0].source, together) for together in found.values()]


@contextmanager
def _client(source: Source, objectives: Sequence[Objective], now: datetime, store: Store | None) -> Iterator[Store]:
    """The store to ask. What goes wrong before the first question is recorded like a question without an answer."""
    if store is not None:
        yield store
        return
    try:
        with sources.client(source) as client:
            yield client
    except StoreError as error:
        _blame(source, error, now)
        for one in objectives:
            _record(one, str(error), now)


# -- The newest slices
def _catch_up(objectives: Sequence[Objective], now: datetime, store: Store) -> list[int]:
    waiting = list(objectives)
    for _ in range(ROUNDS):
        due = _due(waiting, now)
        if not due:
            return []
        waiting = [one for chunk, together in due.items() for one in _append(together, chunk, store, now)]
    return [one.pk for together in _due(waiting, now).values() for one in together]


def _due(objectives: Iterable[Objective], now: datetime) -> Mapping[Chunk, list[Objective]]:
    found = defaultdict[Chunk, list[Objective]](list)
    for one in objectives:
        length = lengths_of(one)
        until = one.measured_until or chunks.beginning(now, history_goal(window_of(one), now), length)
        # What nobody waits for any more comes first: it must not wait with the newest slice for that one's scrapes.
        settled = (chunks.following(until, now, length, age) for age in (PATIENCE, settings.SETTLE, settings.PROMPT))
        if chunk := next(filter(None, settled), None):
            found[chunk].append(one)
    return found


def _append(objectives: Sequence[Objective], chunk: Chunk, store: Store, now: datetime) -> list[Objective]:
    """The objectives whose ledgers got the chunk."""
    answers = _answers(objectives, chunk, store, now)
    answered = [one for one in objectives if one.pk in answers]
    if not answered:
        return []
    _aim([one for one in answered if one.history_goal is None], now)
    mine = ledger.append([Batch(one, answers[one.pk], chunk.slices()) for one in answered])
    return [one for one in answered if one.pk in mine]


def _aim(objectives: Iterable[Objective], now: datetime) -> None:
    """Say how far back the past of new objectives is to be measured."""
    for one in objectives:
        one.history_goal = history_goal(window_of(one), now)
        Objective.objects.filter(pk=one.pk, generation=one.generation, history_goal=None).update(
            history_goal=one.history_goal
        )


# -- The past
def _past(objective: Objective) -> Iterator[Chunk]:
    """What is still to be asked for, as the objective's ledgers grow backwards."""
    while objective.measured_from and objective.history_goal:
        chunk = chunks.preceding(objective.measured_from, objective.history_goal, lengths_of(objective))
        if chunk is None:
            return
        yield chunk


def _condensed(objective: Objective, answer: Mapping[Group, Sequence[Measured]], chunk: Chunk) -> Batch:
    """A stretch of which nothing is known, such as the time before the store's memory, is one long slice."""
    if any(one.total is not None for slices in answer.values() for one in slices):
        return Batch(objective, answer, chunk.slices())
    whole = {
        group: [Measured(chunk.start, chunk.end, None, None, slices[-1].reason)] for group, slices in answer.items()
    }
    return Batch(objective, whole, [(chunk.start, chunk.end)])


# -- Questions and answers
def _answers(
    objectives: Sequence[Objective], chunk: Chunk, store: Store, now: datetime
) -> dict[int, Mapping[Group, Sequence[Measured]]]:
    """The slices of `chunk` by objective and group; for those without, `last_error` says why."""
    by_pk = {one.pk: one for one in objectives}
    found = reading.read(store, _slis(objectives, now), chunk, now)
    answers = {pk: answer for pk, answer in found.items() if not isinstance(answer, Exception)}
    errors = {pk: answer for pk, answer in found.items() if isinstance(answer, Exception)}
    for pk, error in errors.items():
        # What has not arrived is asked for again, and nothing is wrong.
        if not isinstance(error, NotYet):
            _record(by_pk[pk], _sentence(error), now)
    if objectives:
        _note_source(objectives[0].source, bool(answers), errors.values(), now)
    return {pk: _kept(by_pk[pk], answer) for pk, answer in answers.items()}


def _slis(objectives: Iterable[Objective], now: datetime) -> dict[int, Sli]:
    found = dict[int, Sli]()
    for one in objectives:
        try:
            found[one.pk] = sli_of(one)
        except ValueError as error:
            _record(one, _sentence(error), now)
    return found


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, StoreError) else f"The objective cannot be counted: {error}"


def _kept(objective: Objective, answer: Read) -> Mapping[Group, Sequence[Measured]]:
    """The answer as the ledger takes it: time slices judged, not more groups than are kept."""
    budgeting = budgeting_of(objective)
    judged = {group: verdicts.judged(budgeting, slices) for group, slices in answer.items()}
    return _bounded(objective, judged) if objective.grouping else judged


def _bounded(objective: Objective, answer: dict[Group, list[Measured]]) -> dict[Group, list[Measured]]:
    """Groups that have a ledger stay; of new ones those with the most events, as many as there is room for."""
    kept = Ledger.objects.filter(objective=objective, generation=objective.generation).values_list("group", flat=True)
    texts = set(kept)
    known = {group for group in answer if groups.text(group) in texts}
    left_out = set(groups.without_room(answer, known, settings.MOST_GROUPS - len(texts)))
    _say_overflow(objective, len(texts) + len(answer) - len(known))
    return {group: slices for group, slices in answer.items() if group not in left_out}


def _say_overflow(objective: Objective, count: int) -> None:
    sentence = groups.overflow(count, settings.MOST_GROUPS)
    if objective.overflow != sentence:
        objective.overflow = sentence
        Objective.objects.filter(pk=objective.pk, generation=objective.generation).update(overflow=sentence)


# -- What went wrong
def _note_source(source: Source, answered: bool, errors: Iterable[Exception], now: datetime) -> None:
    if answered:
        sources.record_answer(source, now)
    # A store that refuses one question may answer all others: that is not the source's fault.
    faults = [
        error for error in errors if isinstance(error, StoreError) and not isinstance(error, Refused | TooMuch | NotYet)
    ]
    if faults:
        _blame(source, faults[0], now)


def _blame(source: Source, error: StoreError, now: datetime) -> None:
    if not isinstance(error, Refused | TooMuch):
        sources.record_error(source, error, now)


def _record(objective: Objective, error: str, now: datetime) -> None:
    # Not if somebody got further meanwhile: then it is no longer true.
    Objective.objects.filter(
        pk=objective.pk, measured_until=objective.measured_until, generation=objective.generation
    ).update(last_error=error, last_error_at=now)
