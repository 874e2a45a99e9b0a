"""Reads the slices of a chunk from a store for many SLIs, with as few questions as their definitions allow."""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from django.conf import settings

from connectors.errors import StoreError, TimedOut, TooMuch, Unreachable
from connectors.raw_samples import Samples
from slo import counting, increments, merging, questions, samples
from slo.chunks import Chunk
from slo.counting import Choice, Sli
from slo.groups import Group
from slo.merging import Merged
from slo.samples import Fetched
from slo.slices import Measured

type Read = dict[Group, list[Measured]]
# What came of one SLI: its slices, why the store gave none, or what the SLI lacks.
type Outcome = Read | StoreError | ValueError

# A longer stretch may hold more samples than anybody wants to carry, so their number is asked for first.
SHORT = timedelta(hours=2)
# Of samples there may be as many at once; a longer stretch is read in parts.
MOST_SAMPLES = 1_000_000
# A stretch this short is not divided: what is too much even then is counted by the store, in PromQL.
SHORTEST = timedelta(hours=1)
# What arrives later than this after a slice ended is no longer waited for.
PATIENCE = timedelta(minutes=2)
# After so many answers that came too late, a store is left alone until the next time.
MOST_LATE = 4
_STEP = timedelta(minutes=5)


class Store(samples.Store, Protocol):
    """What is asked: `connectors.prometheus.Prometheus`, say. Raises `connectors.errors.StoreError`."""


class NotYet(StoreError):
    """The store does not have the chunk's last samples yet: what was counted now would miss them."""

    def __init__(self) -> None:
        super().__init__("The newest samples have not arrived yet.", transient=True)


def read[K: Hashable](
    store: Store, slis: Mapping[K, Sli], chunk: Chunk, now: datetime | None = None
) -> dict[K, Outcome]:
    """The slices of each SLI by group, or why there are none.

    Counters and histograms are counted from their samples, which are read once for all SLIs that share them. Free
    expressions and judged time slices are joined into few queries. One that the store refuses harms no other; a store
    that is away, or too slow again and again, is not asked on.

    With `now`, counters whose samples are still on their way are `NotYet`. Before `settings.SETTLE` has passed since
    the chunk's end, so is everything of which not every scrape is known to be there.
    """
    found: dict[K, Outcome] = {key: error for key, sli in slis.items() if (error := wrong(sli))}
    sound = {key: sli for key, sli in slis.items() if key not in found}
    counted = {key: sli for key, sli in sound.items() if counting.choices(sli)}
    others = {key: sli for key, sli in sound.items() if key not in counted}
    patient, age = _Patient(store), now - chunk.end if now else PATIENCE
    if age < settings.SETTLE:
        found |= dict.fromkeys(others, NotYet())
    else:
        found |= questions.answered(patient, others, chunk)
    return found | _counted(patient, counted, chunk, age)


def wrong(sli: Sli) -> ValueError | None:
    """What an SLI lacks to be counted; `None` for nothing."""
    try:
        if not sli.by_time:
            counting.promql(sli, _STEP)
    except ValueError as error:
        return error
    return None


class _Patient:
    """A store that is not asked on and on while it is away, or too slow for ever smaller questions."""

    def __init__(self, store: Store) -> None:
        self._store, self._late = store, 0
        self._away: Unreachable | None = None

    def raw(self, selector: str, start: datetime, end: datetime) -> Sequence[Samples]:
        return self._in_time(lambda: self._store.raw(selector, start, end))

    def range(self, query: str, start: datetime, end: datetime, step: timedelta) -> Sequence[samples.Points]:
        return self._in_time(lambda: self._store.range(query, start, end, step))

    def _in_time[T](self, ask: Callable[[], T]) -> T:
        if self._away:
            raise self._away
        try:
            return ask()
        except Unreachable as error:
            self._away = error
            raise
        except TimedOut as error:
            self._late += 1
            if self._late >= MOST_LATE:
                self._away = Unreachable(str(error))
            raise


# -- From samples
def _counted[K: Hashable](store: Store, slis: Mapping[K, Sli], chunk: Chunk, age: timedelta) -> dict[K, Outcome]:
    """`age` is how long ago the chunk ended."""
    found, rest = _from_samples(store, slis, chunk, age)
    if not rest:
        return found
    if chunk.count == 1 or chunk.end - chunk.start <= SHORTEST:
        return found | questions.answered(store, rest, chunk)
    parts = _halves(chunk)
    ages = (PATIENCE, age)
    return found | _joined([_counted(store, rest, *one) for one in zip(parts, ages, strict=True)], parts)


def _from_samples[K: Hashable](
    store: Store, slis: Mapping[K, Sli], chunk: Chunk, age: timedelta
) -> tuple[dict[K, Outcome], dict[K, Sli]]:
    """What was counted, and the SLIs that have too many samples for this chunk."""
    needed = {key: counting.choices(sli) for key, sli in slis.items()}
    parts = merging.merged(one for choices in needed.values() for one in choices)
    together = _Together(_reads(store, parts, chunk), age)
    found, rest, foreign = dict[K, Outcome](), dict[K, Sli](), dict[K, Sli]()
    for key, sli in slis.items():
        read = together.of(needed[key])
        if isinstance(read, TooMuch | TimedOut):
            rest[key] = sli
        elif isinstance(read, StoreError):
            found[key] = read
        else:
            try:
                whole = age >= settings.SETTLE or increments.complete(sli, read)
                found[key] = increments.tally(sli, read) if whole else NotYet()
            except ValueError:
                # A pattern that the store can read and Python cannot.
                foreign[key] = sli
    return found | questions.answered(store, foreign, chunk), rest


class _Together:
    """Reads by what is in them; those of an SLI that needs several are joined, once for all that need the same."""

    def __init__(self, reads: Sequence[tuple[Merged, Fetched | StoreError]], age: timedelta) -> None:
        self._reads, self._fresh = reads, age < PATIENCE
        self._place = {choice: place for place, (merged, _) in enumerate(reads) for choice in merged.parts}
        self._joined: dict[frozenset[int], Fetched | StoreError] = {}

    def of(self, choices: Sequence[Choice]) -> Fetched | StoreError:
        places = frozenset(self._place[choice] for choice in choices)
        if places not in self._joined:
            self._joined[places] = self._join([self._reads[place][1] for place in sorted(places)])
        return self._joined[places]

    def _join(self, parts: Sequence[Fetched | StoreError]) -> Fetched | StoreError:
        whole: list[Fetched] = []
        for part in parts:
            if isinstance(part, StoreError):
                return part
            whole.append(part)
        joined = samples.joined(whole)
        return NotYet() if self._fresh and joined.late else joined


def _reads(store: Store, parts: Sequence[Merged], chunk: Chunk) -> list[tuple[Merged, Fetched | StoreError]]:
    found = list[tuple[Merged, Fetched | StoreError]]()
    waiting = list(parts)
    while waiting:
        part = waiting.pop()
        read = _fetch(store, part.selector, chunk)
        if isinstance(read, StoreError) and not isinstance(read, Unreachable) and len(part.parts) > 1:
            half = len(part.parts) // 2
            waiting += [Merged(part.parts[:half]), Merged(part.parts[half:])]
        else:
            found.append((part, read))
    return found


def _fetch(store: Store, selector: str, chunk: Chunk) -> Fetched | StoreError:
    try:
        if chunk.end - chunk.start > SHORT and _samples(store, selector, chunk) > MOST_SAMPLES:
            return TooMuch("There are more samples than can be counted one by one.")
        return samples.fetch(store, selector, chunk)
    except StoreError as error:
        return error


def _samples(store: Store, selector: str, chunk: Chunk) -> float:
    """About how many samples the selector has in the chunk, by the busiest of a few moments."""
    query = f"sum(count_over_time({selector}[{_STEP // timedelta(seconds=1)}s]))"
    found = store.range(query, chunk.first_end, chunk.end, max(_STEP, (chunk.end - chunk.first_end) / 4))
    most = max((value for series in found for _, value in series.points), default=0.0)
    return most * ((chunk.end - chunk.start) / _STEP)


# -- In parts
def _halves(chunk: Chunk) -> list[Chunk]:
    half = chunk.count // 2
    middle = chunk.start + half * chunk.length
    return [Chunk(chunk.start, chunk.length, half), Chunk(middle, chunk.length, chunk.count - half)]


def _joined[K](found: Sequence[Mapping[K, Outcome]], parts: Sequence[Chunk]) -> dict[K, Outcome]:
    """The answers for the parts of a chunk as one; without one of them there is none."""
    return {key: _join([one[key] for one in found], parts) for key in found[0]}


def _join(found: Sequence[Outcome], parts: Sequence[Chunk]) -> Outcome:
    reads: list[Read] = []
    for one in found:
        if isinstance(one, Exception):
            return one
        reads.append(one)
    known = dict.fromkeys(group for one in reads for group in one)
    return {group: list(_along(group, reads, parts)) for group in known}


def _along(group: Group, reads: Sequence[Read], parts: Sequence[Chunk]) -> Iterator[Measured]:
    for one, part in zip(reads, parts, strict=True):
        nothing = (Measured(start, end, None, None, "No series of it was found.") for start, end in part.slices())
        yield from one.get(group) or nothing
