"""Asks a store for slices in PromQL: many expressions in one query, taken apart again when one of them fails."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings

from connectors.errors import Refused, StoreError, TimedOut, TooMuch
from slo import answers, counting, groups, verdicts
from slo.answers import Series
from slo.chunks import Chunk
from slo.counting import Sli
from slo.groups import Group
from slo.slices import Measured

type Read = dict[Group, list[Measured]]

# Expressions and characters of one query.
MOST_JOINED = 50
MOST_CHARACTERS = 24_000
# The label that tells whose an answer's series are.
ASKED = "fireline_asked"


class Store(Protocol):
    """What is asked. Raises `connectors.errors.StoreError`."""

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> Sequence[Series]: ...


@dataclass(frozen=True, slots=True)
class _Line:
    """One series of an answer, without the label that says whose it is."""

    labels: Mapping[str, str]
    points: Sequence[tuple[datetime, float]]


@dataclass(frozen=True, slots=True)
class _Question[K]:
    key: K
    sli: Sli
    query: str
    step: timedelta


def answered[K: Hashable](store: Store, slis: Mapping[K, Sli], chunk: Chunk) -> dict[K, Read | StoreError]:
    """The slices of each SLI by group, or why there are none."""
    found = dict[K, Read | StoreError]()
    for together in _joined([_question(key, sli, chunk) for key, sli in slis.items()]):
        for question, answer in _ask(store, together, chunk):
            read = answer if isinstance(answer, StoreError) else _slices(question, answer, chunk)
            found[question.key] = read
    return found


def _question[K](key: K, sli: Sli, chunk: Chunk) -> _Question[K]:
    if sli.by_time:
        return _Question(key, sli, sli.expression.strip(), _base(chunk))
    return _Question(key, sli, counting.promql(sli, chunk.length), chunk.length)


def _joined[K](questions: Iterable[_Question[K]]) -> Iterator[list[_Question[K]]]:
    """Those with equal steps together, as many as a query may hold."""
    by_step = defaultdict[timedelta, list[_Question[K]]](list)
    for one in questions:
        together = by_step[one.step]
        length = sum(len(other.query) for other in together)
        if together and (len(together) == MOST_JOINED or length + len(one.query) > MOST_CHARACTERS):
            yield together
            together = by_step[one.step] = []
        together.append(one)
    yield from (together for together in by_step.values() if together)


def _ask[K](
    store: Store, questions: Sequence[_Question[K]], chunk: Chunk
) -> Iterator[tuple[_Question[K], list[_Line] | StoreError]]:
    if len(questions) == 1:
        yield questions[0], _ask_alone(store, questions[0], chunk)
        return
    try:
        lines = _range(store, _union(questions), chunk, questions[0].step)
    except (Refused, TooMuch, TimedOut):
        # Perhaps because of one of them: the others must not suffer for it.
        half = len(questions) // 2
        yield from _ask(store, questions[:half], chunk)
        yield from _ask(store, questions[half:], chunk)
        return
    except StoreError as error:
        yield from ((one, error) for one in questions)
        return
    mine = defaultdict[str, list[_Line]](list)
    for line in lines:
        labels = {name: value for name, value in line.labels.items() if name != ASKED}
        mine[line.labels.get(ASKED, "")].append(_Line(labels, line.points))
    yield from ((one, mine[str(number)]) for number, one in enumerate(questions))


def _ask_alone[K](store: Store, question: _Question[K], chunk: Chunk) -> list[_Line] | StoreError:
    """One that is too much for the whole chunk is asked in halves, down to a single slice."""
    try:
        return _range(store, question.query, chunk, question.step)
    except (TooMuch, TimedOut) as error:
        if chunk.count == 1:
            return error
    except StoreError as error:
        return error
    half = chunk.count // 2
    first = _ask_alone(store, question, Chunk(chunk.start, chunk.length, half))
    if isinstance(first, StoreError):
        return first
    rest = _ask_alone(store, question, Chunk(chunk.start + half * chunk.length, chunk.length, chunk.count - half))
    return rest if isinstance(rest, StoreError) else _spliced([*first, *rest])


def _spliced(lines: Iterable[_Line]) -> list[_Line]:
    """Parts of the same series made one; the earlier part comes first."""
    found = dict[frozenset[tuple[str, str]], _Line]()
    for line in lines:
        key = frozenset(line.labels.items())
        known = found.get(key)
        found[key] = _Line(line.labels, [*known.points, *line.points]) if known else line
    return list(found.values())


def _union[K](questions: Sequence[_Question[K]]) -> str:
    # On lines of its own, so that a comment at an expression's end does not swallow what follows.
    return " or ".join(
        f'label_replace((\n{one.query}\n), "{ASKED}", "{number}", "", "")' for number, one in enumerate(questions)
    )


def _range(store: Store, query: str, chunk: Chunk, step: timedelta) -> list[_Line]:
    first = chunk.start + step
    return [_Line(one.labels, one.points) for one in store.range(query, first, chunk.end, step)]


# -- What an answer means
def _slices[K](question: _Question[K], lines: Sequence[_Line], chunk: Chunk) -> Read:
    sli = question.sli
    by_group = defaultdict[Group, list[_Line]](list)
    if not sli.group_by:
        by_group[groups.ALL] = []
    for line in lines:
        by_group[groups.of(line.labels, sli.group_by)].append(line)
    if sli.by_time:
        return {group: _judged(question, found, chunk) for group, found in by_group.items()}
    return {group: answers.slices_of(sli, chunk, found) for group, found in by_group.items()}


def _base(chunk: Chunk) -> timedelta:
    """How long the time slices are that a gauge is judged in: of the usual length, also within a longer slice."""
    base = min(chunk.length, settings.SLICE)
    return base if not chunk.length % base else chunk.length


def _judged[K](question: _Question[K], lines: Sequence[_Line], chunk: Chunk) -> list[Measured]:
    """Of several series the worst one counts."""
    good = dict[datetime, bool]()
    for line in lines:
        for at, value in line.points:
            good[at] = good.get(at, True) and verdicts.is_good(question.sli, value, at)
    return [_time_slice(start, end, good, question.step) for start, end in chunk.slices()]


def _time_slice(start: datetime, end: datetime, good: Mapping[datetime, bool], base: timedelta) -> Measured:
    ends = (start + n * base for n in range(1, (end - start) // base + 1))
    seen = [good[at] for at in ends if at in good]
    if not seen:
        return Measured(start, end, None, None, "The expression answered nothing.")
    return Measured(start, end, float(seen.count(False)), float(len(seen)))
